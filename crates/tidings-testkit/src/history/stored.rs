//! The history as the system gives it back.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::{EventBody, Id};

/// A message as it stands, or as it was shown.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Message {
    /// The system's id.
    pub id: String,
    /// Its place among the messages of the conversation.
    pub seq: u64,
    /// The id that its sender made.
    pub client_id: Uuid,
    /// The user who sent it.
    pub sender: Id,
    /// What it says.
    pub text: String,
}

/// What stands, by conversation. In a check by rounds: what came since the round before.
#[derive(Debug, Clone, Default)]
pub struct Stored {
    /// By conversation id.
    pub conversations: BTreeMap<Id, StoredStream>,
}

/// One conversation, read by somebody who was in it from the beginning.
#[derive(Debug, Clone, Default)]
pub struct StoredStream {
    /// The events of its stream with their positions, in the order in which they were given.
    pub events: Vec<(u64, EventBody)>,
    /// Its messages as the history gives them.
    pub history: Vec<Message>,
    /// The last `pos` and `seq` as a list of conversations gives them, where it was asked.
    pub head: Option<(u64, u64)>,
}
