//! Messages: sent once, stand at one `seq` of their conversation, found again by id and by page.

mod check;
mod delete;
mod edit;
mod get;
mod history;
mod send;

use std::borrow::Cow;

pub use edit::{EditMessage, MessageVersion};
pub use history::{HistoryAnchor, HistoryPage};
pub use send::{SendMessage, Sent};

use crate::clock::Timestamp;
use crate::error::{Code, FieldError, Refusal, StoreError, code_of};
use crate::ids::{ClientMessageId, MessageId, Pos, UserId};
use crate::reactions::Reaction;

/// What kind of message it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MessageKind {
    /// Text in a Markdown subset.
    Text,
    /// The host product's own; Tidings carries `content` and `metadata` and looks at neither.
    Custom,
}

impl MessageKind {
    /// The name on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Custom => "custom",
        }
    }

    /// From the name on the wire.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Text, Self::Custom].into_iter().find(|kind| kind.as_str() == text)
    }
}

/// A message as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Conversation and `seq`.
    pub id: MessageId,
    /// Where in the stream it was sent.
    pub pos: Pos,
    /// How many countable messages the conversation has, up to and with this one.
    pub ord: u64,
    /// Who sent it.
    pub sender: UserId,
    /// The key under which its send may be retried.
    pub client_id: ClientMessageId,
    /// What kind it is.
    pub kind: MessageKind,
    /// Its text; empty where it was deleted.
    pub content: String,
    /// The sender's own JSON object, compact; none where it was deleted.
    pub metadata: Option<String>,
    /// 1 when sent, one more with each edit.
    pub version: u32,
    /// When it was sent, for display.
    pub created_at: Timestamp,
    /// When it was last edited, for display.
    pub edited_at: Option<Timestamp>,
    /// That it was deleted: what is left is its place.
    pub deletion: Option<Deletion>,
    /// What people have put on it, the first emoji first; none where it was deleted.
    pub reactions: Vec<Reaction>,
}

/// Who has deleted a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deletion {
    /// When, for display.
    pub at: Timestamp,
    /// The author, or an owner or admin of the group.
    pub by: UserId,
}

/// Why a message was not sent, changed or shown.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// Fields break rules.
    #[error("fields break rules")]
    Invalid(Vec<FieldError>),
    /// No such conversation or message, or none that the asker may know of.
    #[error("not found")]
    NotFound,
    /// The sender was a participant and is no more.
    #[error("no longer a participant")]
    NotParticipant,
    /// The sender's role does not allow sending here.
    #[error("the role does not allow sending")]
    Forbidden,
    /// It is another one's to edit.
    #[error("only its author edits a message")]
    NotAuthor,
    /// It is another one's to delete.
    #[error("only its author, and who runs the group, delete a message")]
    NotAllowedToDelete,
    /// It was edited since; this is its version now.
    #[error("the message is at version {0}")]
    VersionStale(u32),
    /// It was deleted.
    #[error("the message was deleted")]
    Deleted,
    /// The same client message id came with another body.
    #[error("the client message id was used for another message")]
    ClientMessageIdReused,
    /// The sender's session has ended.
    #[error("the session has ended")]
    SessionEnded,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Refusal for Error {
    fn code(&self) -> Code {
        match self {
            Self::Invalid(fields) => code_of(fields),
            Self::NotFound => Code::NotFound,
            Self::NotParticipant => Code::NotParticipant,
            Self::Forbidden | Self::NotAuthor | Self::NotAllowedToDelete => Code::Forbidden,
            Self::VersionStale(_) => Code::VersionStale,
            Self::Deleted => Code::MessageDeleted,
            Self::ClientMessageIdReused => Code::ClientMessageIdReused,
            Self::SessionEnded => Code::SessionEnded,
            Self::Store(error) => error.code(),
        }
    }

    fn detail(&self) -> Cow<'static, str> {
        match self {
            Self::Invalid(_) => "See errors: each names a field and what it may be.".into(),
            Self::NotFound => "There is no such conversation or message among yours.".into(),
            Self::NotParticipant => "You have left or were removed. Ask somebody to add you again.".into(),
            Self::Forbidden => "Ask an owner or admin of the conversation.".into(),
            Self::NotAuthor => "Only its author edits a message.".into(),
            Self::NotAllowedToDelete => {
                "Its author deletes a message, in a group also an owner or admin.".into()
            }
            Self::VersionStale(version) => {
                format!("It is at version {version}. Read it, and edit what it says now.").into()
            }
            Self::Deleted => "Nothing is left of it but its place.".into(),
            Self::ClientMessageIdReused => {
                "Make a new clientMessageId for a new message; the same id is for retries of the same one."
                    .into()
            }
            Self::SessionEnded => "Log in again.".into(),
            Self::Store(error) => error.detail(),
        }
    }

    fn fields(&self) -> &[FieldError] {
        match self {
            Self::Invalid(fields) => fields,
            _ => &[],
        }
    }
}
