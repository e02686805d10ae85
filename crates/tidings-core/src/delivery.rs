//! From the log to the connections: every event to the members of its position, in order, gaps repaired.
//!
//! One dispatcher reads the log. An event at `pos` of a conversation goes to those whose interval holds `pos`; the
//! intervals of an active conversation are its roster, loaded once and moved on by the stream's own membership events.
//! It enters the tail in memory **before** it is fanned out, so that a device that resumes finds it there or gets it
//! live. What happens to a message goes to those of them who may read it; to the others the stream moves on without a
//! word. [`Delivery::run`] is the whole of it, top-down.

mod roster;
mod stats;
mod storms;
mod tail;
mod tracked;

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use lru::LruCache;
use parking_lot::Mutex;

use crate::clock::Clock;
use crate::error::StoreError;
use crate::events::{Event, EventBody};
use crate::fail_points::{FailPoint, fails, reached};
use crate::ids::{ConversationId, LogId, Pos, StreamId, UserId};
use crate::limits::ROSTER_BYTES_MAX;
use crate::ports::event_log::{EventLog, Tailed};
use crate::ports::outbox::Outbox;
use crate::ports::store::{PageMax, Store};
use crate::sessions::Revocations;
use crate::signals::Signals;
use crate::sync::Token;

use roster::Rosters;
pub use stats::Stats;
use stats::{Counters, add};
use storms::merge_storms;
use tail::Tail;
pub use tail::TailPart;
use tail::Withheld;

/// Events read from the store at a time while the log is behind.
const CATCH_UP_BATCH: usize = 512;
/// Rosters that are loaded ahead at a time, at most one an event.
const ROSTERS_AT_ONCE: usize = 64;
/// User streams whose last delivered position is remembered, against repeats.
const USER_STREAMS_MAX: usize = 100_000;
/// While the store cannot be read, delivery asks again this often.
const STORE_RETRY: Duration = Duration::from_millis(100);

/// The delivery of one node.
pub struct Delivery {
    store: Arc<dyn Store>,
    outbox: Arc<dyn Outbox>,
    revocations: Arc<Revocations>,
    signals: Arc<Signals>,
    clock: Arc<dyn Clock>,
    tail: Mutex<Tail>,
    /// Everything up to here has been queued to every connection that it is due to.
    watermark: AtomicU64,
    counters: Counters,
}

/// What only the dispatcher touches.
struct Dispatcher {
    rosters: Rosters,
    user_streams: LruCache<UserId, Pos>,
}

impl Delivery {
    /// A delivery that begins at the present end of the log.
    ///
    /// # Errors
    /// The store's.
    pub async fn new(
        store: Arc<dyn Store>,
        outbox: Arc<dyn Outbox>,
        revocations: Arc<Revocations>,
        signals: Arc<Signals>,
        clock: Arc<dyn Clock>,
    ) -> Result<Arc<Self>, StoreError> {
        let (end, _) = store.log_bounds().await?;
        let tail = Mutex::new(Tail::starting_at(end));
        let (watermark, counters) = (AtomicU64::new(end.0), Counters::default());
        Ok(Arc::new(Self { store, outbox, revocations, signals, clock, tail, watermark, counters }))
    }

    /// Reads the log for ever and delivers it. One task a node.
    pub async fn run(self: Arc<Self>, log: Arc<dyn EventLog>) {
        let user_streams = LruCache::new(NonZeroUsize::new(USER_STREAMS_MAX).unwrap_or(NonZeroUsize::MIN));
        let mut dispatcher = Dispatcher { rosters: Rosters::new(ROSTER_BYTES_MAX), user_streams };
        loop {
            let events = match log.tail(self.watermark()).await {
                Tailed::Events(events) => events,
                Tailed::Behind => self.read_log().await,
            };
            reached(FailPoint::Tailed);
            for events in events.chunks(ROSTERS_AT_ONCE) {
                self.load_rosters(&mut dispatcher, events).await;
                for event in &merge_storms(events) {
                    self.dispatch(&mut dispatcher, event).await;
                }
                dispatcher.rosters.evict();
                // The connections write meanwhile: with one core nobody else would get a turn while there are events.
                tokio::task::yield_now().await;
            }
        }
    }

    /// Everything up to here has been queued to every connection that it is due to.
    #[must_use]
    pub fn watermark(&self) -> LogId {
        LogId(self.watermark.load(Ordering::Acquire))
    }

    /// The token of a device that is about to load its windows.
    #[must_use]
    pub fn present_token(&self) -> Token {
        Token::at(self.store.epoch(), self.watermark())
    }

    /// Keeps the user's events of the tail at hand, until as often [`Self::untrack`] was called and the tail has
    /// moved on. Called for a connection before it is replayed.
    pub fn track(&self, user: UserId) {
        self.tail.lock().track(user);
    }

    /// The reverse of [`Self::track`].
    pub fn untrack(&self, user: UserId) {
        self.tail.lock().untrack(user, self.clock.now());
    }

    /// What the user was due after a place in the log, if the tail in memory holds all of it: a page, and one event
    /// more where there is more.
    #[must_use]
    pub fn tail_after(&self, user: UserId, after: LogId, page_max: PageMax) -> Option<TailPart> {
        self.tail.lock().after(user, after, page_max)
    }

    /// Whether [`Self::tail_after`] would give something.
    #[must_use]
    pub fn tail_covers(&self, user: UserId, after: LogId) -> bool {
        self.tail.lock().covers(user, after)
    }

    /// What delivery has counted since the node was started.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.counters.stats()
    }

    async fn read_log(&self) -> Vec<Arc<Event>> {
        let after = self.watermark();
        let events = self.until_read("reading the log", || self.store.list_log(after, CATCH_UP_BATCH)).await;
        events.into_iter().map(Arc::new).collect()
    }

    /// Loads the rosters that a batch needs and that are not at hand, in one look at the store.
    async fn load_rosters(&self, dispatcher: &mut Dispatcher, events: &[Arc<Event>]) {
        let mut missing: Vec<ConversationId> = Vec::new();
        for event in events {
            if let StreamId::Conversation(id) = event.stream {
                // A conversation that begins here brings its people along.
                let begins = matches!(event.body, EventBody::ConversationCreated { .. });
                if !begins && !dispatcher.rosters.touch(id) && !missing.contains(&id) {
                    missing.push(id);
                }
            }
        }
        if missing.is_empty() {
            return;
        }
        let ended_after = self.watermark();
        let load = async || {
            if fails(FailPoint::RostersLoading) {
                return Err(StoreError::Failed);
            }
            self.store.load_rosters(&missing, ended_after).await
        };
        let rosters = self.until_read("loading rosters", load).await;
        reached(FailPoint::RostersLoaded);
        add(&self.counters.rosters_loaded, rosters.len());
        for (id, intervals) in missing.into_iter().zip(rosters) {
            dispatcher.rosters.insert(id, intervals);
        }
    }

    /// Takes an event if it is the next of its stream; drops a repeat; repairs a gap first.
    async fn dispatch(&self, dispatcher: &mut Dispatcher, event: &Arc<Event>) {
        let last = match event.stream {
            StreamId::Conversation(id) => dispatcher.rosters.last_pos(id),
            StreamId::User(id) => dispatcher.user_streams.get(&id).copied(),
        };
        // The first event that this node sees of a stream: what came before it was delivered or is caught up with.
        let before = Pos(event.pos.0.saturating_sub(event.span));
        let last = last.unwrap_or(before);
        if before > last {
            self.repair_gap(dispatcher, event, last, before).await;
        }
        if event.pos > last {
            self.deliver(dispatcher, event).await;
        }
        // The embedded log is dense and gives no place before all that precede it: so what is at or below this one has
        // been queued. A log with holes has to say by itself how far it is complete.
        self.watermark.fetch_max(event.log_id.0, Ordering::AcqRel);
        reached(FailPoint::WatermarkMoved);
    }

    /// Delivers what lies between the last event that was delivered and this one, through the position before it, from
    /// the store.
    async fn repair_gap(&self, dispatcher: &mut Dispatcher, event: &Event, last: Pos, through: Pos) {
        add(&self.counters.gaps_repaired, 1);
        tracing::warn!(stream = %event.stream, after = %last, pos = %event.pos, "a gap in the log is repaired");
        let (stream, mut last) = (event.stream, last);
        while last < through {
            let read = || self.store.list_stream_range(stream, last, through);
            let missed = self.until_read("repairing a gap", read).await;
            let Some(end) = missed.last().map(|event| event.pos) else {
                tracing::error!(%stream, after = %last, "the store does not have what the log skipped");
                return;
            };
            for event in missed {
                self.deliver(dispatcher, &Arc::new(event)).await;
            }
            last = end;
        }
    }

    async fn deliver(&self, dispatcher: &mut Dispatcher, event: &Arc<Event>) {
        // What the device has after this frame: everything that was queued to it before, and this.
        let next = Token::at(self.store.epoch(), event.log_id);
        match event.stream {
            StreamId::Conversation(id) => {
                let barred = self.list_barred(&mut dispatcher.rosters, id, event).await;
                let roster = dispatcher.rosters.at(id, event);
                // Locked from the look at who is here until the event is in the tail: whoever comes later finds it.
                let mut tail = self.tail.lock();
                let (users, look_ups) = roster.audience(tail.tracked());
                let withheld = Withheld::from(event, &barred, users);
                tail.push(event, users, withheld.clone(), self.clock.now());
                drop(tail);
                add(&self.counters.local_look_ups, look_ups);
                self.offer(event, &next, users, withheld.as_ref());
                dispatcher.rosters.pass(id, event);
            }
            StreamId::User(user) => {
                dispatcher.user_streams.put(user, event.pos);
                self.tail.lock().push(event, &[user], None, self.clock.now());
                self.offer(event, &next, &[user], None);
            }
        }
        self.signals.apply(event);
        if let EventBody::SessionEnded { session, tokens_until } = event.body {
            self.revocations.insert(session, tokens_until, self.clock.now());
            self.outbox.end_session(event.actor, session);
        }
    }

    /// Who is in and may not read the message to which something happened: somebody who came in after it was sent.
    async fn list_barred(&self, rosters: &mut Rosters, id: ConversationId, event: &Event) -> Arc<[UserId]> {
        let Some(about) = event.body.about() else { return Arc::default() };
        if let Some(known) = rosters.at(id, event).barred(about) {
            return known;
        }
        let list = || self.store.list_barred(about.message, about.pos, event.pos);
        let barred: Arc<[UserId]> = self.until_read("looking up who may read a message", list).await.into();
        rosters.at(id, event).remember_barred(about, Arc::clone(&barred));
        barred
    }

    fn offer(&self, event: &Arc<Event>, next: &Token, users: &[UserId], withheld: Option<&Withheld>) {
        reached(FailPoint::TailPushed);
        add(&self.counters.events, 1);
        add(&self.counters.offers, users.len());
        match withheld {
            None => self.outbox.emit(event, next, &mut users.iter().copied()),
            Some(withheld) => {
                let may_read = |user: &UserId| !withheld.is_from(*user);
                self.outbox.emit(event, next, &mut users.iter().copied().filter(may_read));
                self.outbox.emit(&withheld.event, next, &mut withheld.users.iter().copied());
            }
        }
        reached(FailPoint::Offered);
    }

    /// Asks the store until it answers: delivery may stand still, it may not skip.
    async fn until_read<T, F>(&self, what: &str, read: impl Fn() -> F) -> T
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        let mut failed = false;
        loop {
            match read().await {
                Ok(value) => return value,
                Err(error) => {
                    if !failed {
                        tracing::error!(%error, "delivery waits: {what} failed");
                    }
                    failed = true;
                    tokio::time::sleep(STORE_RETRY).await;
                }
            }
        }
    }
}
