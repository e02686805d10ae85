//! A whole history in two numbers.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use crate::history::Message;

/// How many messages a conversation has, and a hash of all of them in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HistoryDigest {
    messages: u64,
    hash: u64,
}

impl HistoryDigest {
    /// The next message.
    pub fn push(&mut self, message: &Message) {
        let mut hasher = DefaultHasher::new();
        (self.hash, message).hash(&mut hasher);
        self.messages += 1;
        self.hash = hasher.finish();
    }
}
