//! A device that does what every client must do, and writes down what it shows.
//!
//! It applies events by `pos`, drops what it has, fills a gap before it goes on, loads what was skipped and what it
//! joined, and resumes by its last token. What arrives while it loads waits.

use std::collections::HashMap;
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
    /// Up to here a conversation was loaded, not told: being told once more is no repeat.
    loaded_through: HashMap<Id, u64>,
    since: Option<String>,
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
            loaded_through: HashMap::new(),
            since: None,
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
            (self.positions, self.loaded_through) = Default::default();
            (self.since, self.is_cold) = (None, true);
        }
        if self.habit != Habit::Stays {
            tokio::time::sleep(std::time::Duration::from_micros(self.rng.u64(..=away_us))).await;
        }
    }

    async fn take(&mut self, arrival: Arrival) {
        match arrival {
            Arrival::Event(event) => self.take_event(event).await,
            Arrival::Elsewhere { next } => self.since = next.or(self.since.take()),
            Arrival::Page { next, skipped } => {
                // A cold device loads everything when it is live.
                for skipped in if self.is_cold { Vec::new() } else { skipped } {
                    self.load(&skipped.conversation).await;
                    self.be_at(skipped.conversation, skipped.pos);
                }
                self.since = Some(next);
            }
            Arrival::Reset { next } => {
                self.is_cold = true;
                self.since = Some(next);
            }
            Arrival::Ready { next } => {
                self.since = Some(next);
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
        self.since = next.or(self.since.take());
    }

    async fn apply(&mut self, event: Event) {
        let Event { conversation, pos, body, .. } = event;
        if self.positions.get(&conversation).is_some_and(|position| pos <= *position) {
            if self.loaded_through.get(&conversation).is_none_or(|loaded| pos > *loaded) {
                self.log.repeat();
            }
            return;
        }
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
        // A reset does not make it forget where it was once.
        for conversation in self.positions.keys().cloned().collect::<Vec<_>>() {
            self.load(&conversation).await;
        }
        self.positions.clear();
        for listed in listed {
            self.log.read_mark(&listed.conversation, listed.read_seq);
            self.load(&listed.conversation).await;
            self.be_at(listed.conversation, listed.pos);
        }
    }

    /// Loads the history that it has not shown yet.
    async fn load(&mut self, conversation: &Id) {
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

    fn be_at(&mut self, conversation: Id, pos: u64) {
        self.loaded_through.insert(Id::clone(&conversation), pos);
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
