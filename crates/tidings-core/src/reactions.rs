//! Reactions: emoji that people put on a message, one of a kind each.

mod add;
mod check;
mod remove;

use std::borrow::Cow;

use crate::error::{Code, FieldError, Refusal, StoreError, code_of};
use crate::ids::{MessageId, Pos, UserId};
use crate::messages;

/// People that a reaction names.
pub const USERS_SHOWN: usize = 10;

/// One emoji on a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reaction {
    /// The emoji in its full form, or `:name:` of one that the host product draws itself.
    pub emoji: String,
    /// How many people have put it there.
    pub count: u64,
    /// The first of them, at most [`USERS_SHOWN`].
    pub users: Vec<UserId>,
    /// The reader is one of them; false in what everybody gets.
    pub mine: bool,
}

/// Somebody put an emoji on a message, or took it away: the event's actor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReactionChange {
    /// On which.
    pub message: MessageId,
    /// Where in the stream that one was sent.
    pub message_pos: Pos,
    /// Which.
    pub emoji: String,
    /// Everything that is on the message now.
    pub reactions: Vec<Reaction>,
}

impl ReactionChange {
    /// How many people have the emoji there now.
    #[must_use]
    pub fn count(&self) -> u64 {
        let found = self.reactions.iter().find(|reaction| reaction.emoji == self.emoji);
        found.map_or(0, |reaction| reaction.count)
    }
}

/// Why a reaction was not put on a message or taken from it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// Fields break rules.
    #[error("fields break rules")]
    Invalid(Vec<FieldError>),
    /// As of any change of a message.
    #[error(transparent)]
    Message(#[from] messages::Error),
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        Self::Message(error.into())
    }
}

impl Refusal for Error {
    fn code(&self) -> Code {
        match self {
            Self::Invalid(fields) => code_of(fields),
            Self::Message(error) => error.code(),
        }
    }

    fn detail(&self) -> Cow<'static, str> {
        match self {
            Self::Invalid(_) => "See errors: each names a field and what it may be.".into(),
            Self::Message(error) => error.detail(),
        }
    }

    fn fields(&self) -> &[FieldError] {
        match self {
            Self::Invalid(fields) => fields,
            Self::Message(error) => error.fields(),
        }
    }
}
