//! Ids as clients send them.

use std::str::FromStr;

use tidings_core::ids::{ConversationId, MessageId, Seq, SessionId, UserId};

/// An id that clients send, to be looked up.
pub trait KnownForm {
    /// An id that is never given out.
    const NOBODY: Self;
}

impl KnownForm for ConversationId {
    const NOBODY: Self = Self(uuid::Uuid::nil());
}

impl KnownForm for UserId {
    const NOBODY: Self = Self(uuid::Uuid::nil());
}

impl KnownForm for SessionId {
    const NOBODY: Self = Self(uuid::Uuid::nil());
}

impl KnownForm for MessageId {
    const NOBODY: Self = Self { conversation: ConversationId::NOBODY, seq: Seq(1) };
}

/// Reads an id. Ids are opaque to clients, so text that is no id is for them an id of nothing: it becomes one that
/// nobody has, goes the same way, and gets word for word the answer that any unknown id gets.
pub fn read_id<T: KnownForm + FromStr>(text: &str) -> T {
    text.parse().unwrap_or(T::NOBODY)
}
