//! The naive design, as a double in this process: a counter in Redis for order, a database, pub/sub to the sockets, and
//! a list for those who are offline.
//!
//! With all faults off it keeps the promise, because nothing here happens at the same time. Each [`Fault`] takes apart
//! what two systems cannot do in one step, and a checker that does not see it is no checker.

mod delivery;
mod tables;

use async_trait::async_trait;
use fastrand::Rng;
use parking_lot::Mutex;
use tokio::sync::mpsc;

use super::{
    Answer, Arrival, Arrivals, EventBody, HistoryPage, Id, Listed, Message, Messenger, Outgoing, Place,
    StreamPage,
};
use delivery::Devices;
use tables::Tables;

/// One answer of so many is lost, with any fault or none.
const LOST_ANSWER_ONE_IN: u32 = 8;
/// A fault that is on strikes one time of so many.
const FAULT_ONE_IN: u32 = 40;

/// A way in which the naive design fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The counter's master dies and its replica gives out a number once more; the row that conflicts is dropped.
    CounterRollsBack,
    /// A client sends again what stands already.
    RetryIsNewMessage,
    /// The process dies after the write to the database and before it publishes.
    CrashBeforePublish,
    /// The message is published and answered for, and then its write fails.
    WriteFailsAfterPublish,
    /// A user is found offline, comes online and takes the list, and only then the message is put on it.
    PushAfterDrain,
    /// One of the two nodes is not subscribed for a while.
    SubscriberAway,
}

/// The naive design. Two with the same seed and the same calls do the same.
pub struct Naive {
    state: Mutex<State>,
}

struct State {
    rng: Rng,
    fault: Option<Fault>,
    tables: Tables,
    devices: Devices,
}

impl Naive {
    /// A double with one fault, or with none.
    #[must_use]
    pub fn new(seed: u64, fault: Option<Fault>) -> Self {
        let (tables, devices) = (Tables::default(), Devices::new(seed, fault));
        Self { state: Mutex::new(State { rng: Rng::with_seed(seed), fault, tables, devices }) }
    }
}

impl State {
    fn strikes(&mut self, fault: Fault) -> bool {
        self.fault == Some(fault) && self.rng.u32(..FAULT_ONE_IN) == 0
    }

    fn send(&mut self, outgoing: &Outgoing) -> Answer {
        let Outgoing { conversation, client_id, sender, text } = outgoing;
        let known = self.tables.find(conversation, *client_id);
        if let Some(place) = known.filter(|_| self.fault != Some(Fault::RetryIsNewMessage)) {
            return self.answered(place);
        }
        if !self.tables.is_in(conversation, sender) {
            return Answer::Refused("not_participant".to_owned());
        }
        if self.strikes(Fault::CounterRollsBack) {
            self.tables.roll_back(conversation);
        }
        let (pos, seq) = self.tables.draw_message(conversation);
        let id = format!("{conversation}/{pos}/{client_id}");
        let message =
            Message { id, seq, client_id: *client_id, sender: Id::clone(sender), text: text.clone() };
        let place = Place { message_id: message.id.clone(), seq, pos: Some(pos) };
        let event = EventBody::Message(message);
        let is_written = !self.strikes(Fault::WriteFailsAfterPublish);
        if is_written {
            self.tables.insert(conversation, pos, event.clone());
        }
        if self.strikes(Fault::CrashBeforePublish) {
            return Answer::Unknown;
        }
        self.publish(conversation, pos, &event);
        if is_written { self.answered(place) } else { Answer::Acknowledged(place) }
    }

    fn answered(&mut self, place: Place) -> Answer {
        if self.rng.u32(..LOST_ANSWER_ONE_IN) == 0 { Answer::Unknown } else { Answer::Acknowledged(place) }
    }

    fn change(&mut self, conversation: &Id, body: &EventBody) {
        let leaver = match body {
            EventBody::Joined(user) if self.tables.join(conversation, user) => None,
            EventBody::Left(user) if self.tables.leave(conversation, user) => Some(Id::clone(user)),
            EventBody::Created(_) => None,
            _ => return,
        };
        let pos = self.tables.draw_event(conversation);
        self.tables.insert(conversation, pos, body.clone());
        self.publish(conversation, pos, body);
        if let Some(leaver) = leaver {
            self.devices.deliver(&leaver, conversation, pos, body);
        }
    }

    fn publish(&mut self, conversation: &Id, pos: u64, body: &EventBody) {
        for user in self.tables.people(conversation) {
            self.devices.deliver(&user, conversation, pos, body);
        }
        self.devices.published();
    }
}

#[async_trait]
impl Messenger for Naive {
    async fn user(&self, name: &str) -> Id {
        Id::from(name)
    }

    async fn group(&self, owner: &Id, others: &[Id]) -> Id {
        let mut state = self.state.lock();
        let people: Vec<Id> = std::iter::once(owner).chain(others).cloned().collect();
        let id = state.tables.create(&people);
        state.change(&id, &EventBody::Created(people));
        id
    }

    async fn send(&self, message: &Outgoing) -> Answer {
        // Somebody else goes first, as on a network.
        tokio::task::yield_now().await;
        self.state.lock().send(message)
    }

    async fn add(&self, _owner: &Id, group: &Id, user: &Id) -> Option<()> {
        self.state.lock().change(group, &EventBody::Joined(Id::clone(user)));
        Some(())
    }

    async fn remove(&self, _owner: &Id, group: &Id, user: &Id) -> Option<()> {
        self.state.lock().change(group, &EventBody::Left(Id::clone(user)));
        Some(())
    }

    async fn connect(&self, user: &Id, since: Option<&str>) -> Option<Box<dyn Arrivals>> {
        Some(Box::new(NaiveArrivals(self.state.lock().devices.connect(user, since))))
    }

    async fn list(&self, user: &Id) -> Option<Vec<Listed>> {
        Some(self.state.lock().tables.list(user))
    }

    async fn history(&self, user: &Id, conversation: &Id, after_seq: u64) -> Option<HistoryPage> {
        let messages = self.state.lock().tables.history(user, conversation, after_seq);
        Some(HistoryPage { messages, has_more: false })
    }

    async fn stream(&self, user: &Id, conversation: &Id, after_pos: u64) -> Option<StreamPage> {
        let events = self.state.lock().tables.stream(user, conversation, after_pos);
        Some(StreamPage { events, has_more: false })
    }

    fn fills_gaps(&self) -> bool {
        false
    }
}

struct NaiveArrivals(mpsc::UnboundedReceiver<Arrival>);

#[async_trait]
impl Arrivals for NaiveArrivals {
    async fn next(&mut self) -> Option<Arrival> {
        self.0.recv().await
    }
}
