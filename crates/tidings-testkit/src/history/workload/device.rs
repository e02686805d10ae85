//! A device that does what every client must do, and writes down what it shows.
//!
//! It applies events by `pos`, drops what it has, fills a gap before it goes on, loads what was skipped and what it
//! joined, and resumes by its last token. What arrives while it loads waits.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use fastrand::Rng;
use tokio::sync::watch;

use super::{Mood, Shared};
use crate::history::{Arrival, Arrivals, DeviceLog, Event, EventBody, Id, Message, Shown};

/// What a device does while the load goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Habit {
    /// It stays connected, and comes back at once when the connection ends.
    Stays,
    /// It goes away at any moment and resumes by its token.
    ComesAndGoes,
    /// It goes away at any moment and comes back as a new device, without a token.
    BeginsCold,
}

pub(super) struct Device {
    shared: Arc<Shared>,
    mood: watch::Receiver<Mood>,
    user: Id,
    habit: Habit,
    rng: Rng,
    log: Arc<DeviceLog>,
    /// The last position taken of each conversation.
    positions: HashMap<Id, u64>,
    /// Up to here a conversation was loaded, or replayed without a token yet: being told once more is no repeat.
    expected_again: HashMap<Id, u64>,
    since: Option<String>,
    /// Positions are ahead of the token: events were replayed, and the end of their page has not come.
    is_ahead: bool,
    /// All that it was ever in: who was removed does not find a conversation in the list.
    known: BTreeSet<Id>,
    /// Nothing is loaded yet, or everything has to be loaded anew.
    is_cold: bool,
}

impl Device {
    pub fn switch_on(shared: &Arc<Shared>, user: Id, habit: Habit, rng: Rng) -> Self {
        Self {
            log: new_log(shared, &user, habit),
            shared: Arc::clone(shared),
            mood: shared.mood.subscribe(),
            user,
            habit,
            rng,
            positions: HashMap::new(),
            expected_again: HashMap::new(),
            since: None,
            is_ahead: false,
            known: BTreeSet::new(),
            is_cold: true,
        }
    }

    /// Until it is over.
    pub async fn run(mut self) {
        while *self.mood.borrow() != Mood::Over {
            let connected = self.shared.messenger.connect(&self.user, self.since.as_deref()).await;
            let Some(arrivals) = connected else {
                tokio::time::sleep(self.shared.plan.retry_pause).await;
                continue;
            };
            self.stay(arrivals).await;
            self.log.disconnected();
            if self.is_ahead {
                self.expected_again.clone_from(&self.positions);
            }
            if *self.mood.borrow() == Mood::Restless {
                self.be_away().await;
            }
        }
    }

    /// Takes what arrives until the connection ends, or the device goes.
    async fn stay(&mut self, mut arrivals: Box<dyn Arrivals>) {
        let mut stays_for = self.rng.u64(1..=self.shared.plan.stay_arrivals_max);
        let mut is_live = false;
        loop {
            let arrival = tokio::select! {
                arrival = arrivals.next() => arrival,
                // Whoever leaves the sender alive never sees an error here.
                _ = self.mood.wait_for(|mood| *mood == Mood::Over) => return,
            };
            let Some(arrival) = arrival else { return };
            is_live |= matches!(arrival, Arrival::Ready { .. });
            self.take(arrival).await;
            stays_for = stays_for.saturating_sub(1);
            let may_go = self.habit != Habit::Stays && *self.mood.borrow() == Mood::Restless;
            // A new device that left before it was live would begin anew for ever.
            let can_go = is_live || self.habit == Habit::ComesAndGoes && !self.is_cold;
            if may_go && can_go && stays_for == 0 {
                return;
            }
        }
    }

    async fn be_away(&mut self) {
        let away_us = u64::try_from(self.shared.plan.away_max.as_micros()).unwrap_or(u64::MAX);
        if self.habit == Habit::BeginsCold {
            self.log.end();
            self.log = new_log(&self.shared, &self.user, self.habit);
            (self.positions, self.expected_again, self.known) = Default::default();
            (self.since, self.is_cold, self.is_ahead) = (None, true, false);
        }
        if self.habit != Habit::Stays {
            tokio::time::sleep(std::time::Duration::from_micros(self.rng.u64(..=away_us))).await;
        }
    }

    async fn take(&mut self, arrival: Arrival) {
        match arrival {
            Arrival::Event(event) => self.take_event(event).await,
            Arrival::Elsewhere { next: Some(next) } => self.take_token(next),
            Arrival::Elsewhere { next: None } => {}
            Arrival::Page { next, skipped } => {
                // A cold device loads everything when it is live.
                for skipped in if self.is_cold { Vec::new() } else { skipped } {
                    self.load(&skipped.conversation).await;
                    self.be_at(skipped.conversation, skipped.pos);
                }
                self.take_token(next);
            }
            Arrival::Reset { next } => {
                self.is_cold = true;
                self.take_token(next);
            }
            Arrival::Ready { next } => {
                self.take_token(next);
                if std::mem::take(&mut self.is_cold) {
                    self.load_all().await;
                }
                self.log.connected();
            }
        }
    }

    async fn take_event(&mut self, event: Event) {
        // What came before everything is loaded will be in it.
        if self.is_cold {
            return;
        }
        let position = self.positions.get(&event.conversation).copied();
        let is_own_joining = matches!(&event.body, EventBody::Joined(user) if *user == self.user);
        if let Some(position) = position.filter(|_| !is_own_joining)
            && event.pos - event.span > position
        {
            self.log.gap();
            if self.shared.messenger.fills_gaps() {
                self.fill(&event.conversation, position).await;
            }
        }
        let next = event.next.clone();
        self.apply(event).await;
        match next {
            Some(next) => self.take_token(next),
            None => self.is_ahead = true,
        }
    }

    async fn apply(&mut self, event: Event) {
        let Event { conversation, pos, body, .. } = event;
        if self.positions.get(&conversation).is_some_and(|position| pos <= *position) {
            if self.expected_again.get(&conversation).is_none_or(|expected| pos > *expected) {
                self.log.repeat();
            }
            return;
        }
        self.known.insert(Id::clone(&conversation));
        self.positions.insert(Id::clone(&conversation), pos);
        match body {
            EventBody::Message(message) => self.show(&conversation, message, true),
            EventBody::Joined(user) if user == self.user => self.load(&conversation).await,
            _ => {}
        }
    }

    async fn fill(&mut self, conversation: &Id, mut after: u64) {
        loop {
            let shared = Arc::clone(&self.shared);
            let page = shared.answered(|| shared.messenger.stream(&self.user, conversation, after)).await;
            after = page.events.last().map_or(after, |event| event.pos);
            for event in page.events {
                // Its own joining leads to a load, which fills no gaps.
                Box::pin(self.apply(event)).await;
            }
            if !page.has_more {
                return;
            }
        }
    }

    /// Begins cold, or anew.
    async fn load_all(&mut self) {
        let shared = Arc::clone(&self.shared);
        let listed = shared.answered(|| shared.messenger.list(&self.user)).await;
        for conversation in &self.known {
            self.load(conversation).await;
        }
        self.positions.clear();
        for listed in listed {
            self.log.read_mark(&listed.conversation, listed.read_seq);
            self.load(&listed.conversation).await;
            self.be_at(listed.conversation, listed.pos);
        }
    }

    /// Loads the history that it has not shown yet.
    async fn load(&self, conversation: &Id) {
        loop {
            let (shared, after) = (Arc::clone(&self.shared), self.log.last_seq(conversation));
            let page = shared.answered(|| shared.messenger.history(&self.user, conversation, after)).await;
            for message in page.messages {
                self.show(conversation, message, false);
            }
            if !page.has_more {
                return;
            }
        }
    }

    fn take_token(&mut self, next: String) {
        self.since = Some(next);
        self.is_ahead = false;
    }

    fn be_at(&mut self, conversation: Id, pos: u64) {
        self.known.insert(Id::clone(&conversation));
        self.expected_again.insert(Id::clone(&conversation), pos);
        self.positions.insert(conversation, pos);
    }

    /// One message for each `seq`, however it came.
    fn show(&self, conversation: &Id, message: Message, was_delivered: bool) {
        if message.seq > self.log.last_seq(conversation) {
            self.log.show(Shown { conversation: Id::clone(conversation), message, was_delivered });
        }
    }
}

fn new_log(shared: &Shared, user: &Id, habit: Habit) -> Arc<DeviceLog> {
    let name = Id::from(format!("{user}/{habit:?}/{}", shared.next_device()));
    let begins_after = shared.floor.lock().clone();
    shared.recorder.device(name, Id::clone(user), begins_after)
}
