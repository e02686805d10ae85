//! The system under test, as the workload sees it.

use async_trait::async_trait;
use uuid::Uuid;

use super::{Id, Message, Place};

/// A system that moves messages between people.
///
/// Whatever asks the system gives `None` (or [`Answer::Unknown`]) when no answer came or the answer was to come back
/// later; the workload asks again. An implementation panics when an answer is not of its form.
#[async_trait]
pub trait Messenger: Send + Sync {
    /// Makes a user; gives the id.
    async fn user(&self, name: &str) -> Id;

    /// Makes a group; gives the id.
    async fn group(&self, owner: &Id, others: &[Id]) -> Id;

    /// Sends a message.
    async fn send(&self, message: &Outgoing) -> Answer;

    /// Takes somebody into a group; doing it twice is doing it once.
    async fn add(&self, owner: &Id, group: &Id, user: &Id) -> Option<()>;

    /// Puts somebody out of a group; doing it twice is doing it once.
    async fn remove(&self, owner: &Id, group: &Id, user: &Id) -> Option<()>;

    /// Connects a device: a new one, or one that resumes by its last token.
    async fn connect(&self, user: &Id, since: Option<&str>) -> Option<Box<dyn Arrivals>>;

    /// The conversations that the user is in.
    async fn list(&self, user: &Id) -> Option<Vec<Listed>>;

    /// Messages of a conversation after `seq`, as far as the user may see them.
    async fn history(&self, user: &Id, conversation: &Id, after_seq: u64) -> Option<HistoryPage>;

    /// Events of a conversation after `pos`, as far as the user may see them.
    async fn stream(&self, user: &Id, conversation: &Id, after_pos: u64) -> Option<StreamPage>;

    /// Whether a device may fill a gap by [`Self::stream`]. The naive design has nothing of the kind.
    fn fills_gaps(&self) -> bool {
        true
    }
}

/// What a connected device is told.
#[async_trait]
pub trait Arrivals: Send {
    /// The next thing, or nothing when the connection has ended. Dropping the future loses nothing.
    async fn next(&mut self) -> Option<Arrival>;
}

/// A message that is to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// Under which it may be sent again.
    pub client_id: Uuid,
    /// Where to.
    pub conversation: Id,
    /// Who sends.
    pub sender: Id,
    /// What it says.
    pub text: String,
}

/// The answer to a send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Success: it stands at this place.
    Acknowledged(Place),
    /// It was refused for good, with this code.
    Refused(String),
    /// There was none, or it was to try again.
    Unknown,
}

/// Something that arrived at a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Arrival {
    /// A durable event of a conversation.
    Event(Event),
    /// The end of a page of a replay.
    Page {
        /// Resumes after it.
        next: String,
        /// Conversations that the device loads anew.
        skipped: Vec<Skipped>,
    },
    /// The device loads everything anew.
    Reset {
        /// The present token.
        next: String,
    },
    /// From here on everything is live.
    Ready {
        /// The present token.
        next: String,
    },
    /// A durable event that is not of a conversation: it moves the token only.
    Elsewhere {
        /// The token, if it came with one.
        next: Option<String>,
    },
}

/// A conversation that a replay left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// Which.
    pub conversation: Id,
    /// Its last position.
    pub pos: u64,
}

/// A durable event of a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Where.
    pub conversation: Id,
    /// Its position in the conversation's stream.
    pub pos: u64,
    /// It takes a device from `pos − span` to `pos`.
    pub span: u64,
    /// The token that resumes after it; replayed events have none.
    pub next: Option<String>,
    /// What happened.
    pub body: EventBody,
}

/// What happened in a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventBody {
    /// A message was sent.
    Message(Message),
    /// It was made, with these people.
    Created(Vec<Id>),
    /// Somebody came in.
    Joined(Id),
    /// Somebody left or was removed.
    Left(Id),
    /// Anything else.
    Other,
}

/// A conversation in a user's list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Which.
    pub conversation: Id,
    /// The stream's position when it was read.
    pub pos: u64,
    /// The last message when it was read.
    pub last_seq: u64,
    /// The user's read mark.
    pub read_seq: u64,
}

/// A page of history, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HistoryPage {
    /// The messages.
    pub messages: Vec<Message>,
    /// There are newer ones.
    pub has_more: bool,
}

/// A page of a stream, by position.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StreamPage {
    /// The events.
    pub events: Vec<Event>,
    /// There are later ones.
    pub has_more: bool,
}
