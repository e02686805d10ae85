//! Durable events: what a device is told, live on the socket and again in a catch-up.
//!
//! A frame is one object: its place in its stream beside the event's own fields, so an own field is never called
//! `stream`, `pos`, `span`, `at`, `next` or `event`. It is the same for everybody who gets it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::accounts::User;
use crate::conversations::SharedConversation;
use crate::messages::Message;

/// An event at its place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Frame<T> {
    /// `conversation:{id}` or `user:{id}`.
    pub stream: String,
    /// Its place there.
    pub pos: u64,
    /// It takes a device from `pos − span` to `pos`.
    pub span: u64,
    /// When it happened, for display.
    #[schema(format = DateTime)]
    pub at: String,
    /// On live frames: the token that resumes after this event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// The event's own fields, beside the others.
    #[serde(flatten)]
    pub own: T,
}

/// The own fields of an event. Its name stands outside: [`EventBody::name`].
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(untagged)]
pub enum EventBody {
    /// `message:new`.
    MessageNew(Message),
    /// `conversation:created`.
    ConversationCreated(SharedConversation),
    /// `participant:joined`.
    ParticipantJoined(ParticipantChange),
    /// `participant:left`.
    ParticipantLeft(ParticipantChange),
    /// `user:updated`.
    UserUpdated(User),
    /// `session:ended`.
    SessionEnded(SessionEnded),
}

impl EventBody {
    /// Every name there is.
    pub const NAMES: [&'static str; 6] = [
        "message:new",
        "conversation:created",
        "participant:joined",
        "participant:left",
        "user:updated",
        "session:ended",
    ];

    /// The event's name on the socket, and `event` in a catch-up.
    #[must_use]
    pub fn name(&self) -> &'static str {
        let [message_new, conversation_created, joined, left, user_updated, session_ended] = Self::NAMES;
        match self {
            Self::MessageNew(_) => message_new,
            Self::ConversationCreated(_) => conversation_created,
            Self::ParticipantJoined(_) => joined,
            Self::ParticipantLeft(_) => left,
            Self::UserUpdated(_) => user_updated,
            Self::SessionEnded(_) => session_ended,
        }
    }
}

/// Somebody came in or went.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ParticipantChange {
    /// Where.
    pub conversation_id: String,
    /// Who.
    pub user_id: String,
    /// As others see them.
    pub user: User,
    /// `owner`, `admin` or `member`.
    pub role: String,
    /// The user who did it; the same as `userId` for who left by own will.
    pub by: String,
    /// The first message that they may read.
    pub history_from_seq: u64,
}

/// A session of the user was ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SessionEnded {
    /// Which.
    pub session_id: String,
}
