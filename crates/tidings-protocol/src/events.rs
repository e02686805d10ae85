//! Durable events: what a device is told, live on the socket and again in a catch-up.
//!
//! A frame is one object: its place in its stream beside the event's own fields, so an own field is never called
//! `stream`, `pos`, `span`, `at`, `next` or `event`. It is the same for everybody who gets it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::accounts::{Me, User};
use crate::conversations::{Preferences, SharedConversation};
use crate::messages::{Message, Reaction};
use crate::receipts::MarksMoved;

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
    /// `message:edited`.
    MessageEdited(Message),
    /// `message:deleted`.
    MessageDeleted(MessageDeleted),
    /// `reaction:added`.
    ReactionAdded(ReactionChange),
    /// `reaction:removed`.
    ReactionRemoved(ReactionChange),
    /// `reactions:changed`.
    ReactionsChanged(ReactionsChanged),
    /// `stream:advanced`.
    StreamAdvanced(StreamAdvanced),
    /// `messages:read`.
    MessagesRead(MarksMoved),
    /// `messages:delivered`.
    MessagesDelivered(MarksMoved),
    /// `conversation:created`.
    ConversationCreated(SharedConversation),
    /// `participant:joined`.
    ParticipantJoined(ParticipantChange),
    /// `participant:left`.
    ParticipantLeft(ParticipantChange),
    /// `participant:updated`.
    ParticipantUpdated(ParticipantChange),
    /// `user:updated`.
    UserUpdated(Me),
    /// `preferences:updated`.
    PreferencesUpdated(PreferencesUpdated),
    /// `session:ended`.
    SessionEnded(SessionEnded),
}

impl EventBody {
    /// Every name there is.
    pub const NAMES: [&'static str; 16] = [
        "message:new",
        "message:edited",
        "message:deleted",
        "reaction:added",
        "reaction:removed",
        "reactions:changed",
        "stream:advanced",
        "messages:read",
        "messages:delivered",
        "conversation:created",
        "participant:joined",
        "participant:left",
        "participant:updated",
        "user:updated",
        "preferences:updated",
        "session:ended",
    ];

    /// The event's name on the socket, and `event` in a catch-up.
    #[must_use]
    pub fn name(&self) -> &'static str {
        let [message_new, message_edited, message_deleted, rest @ ..] = Self::NAMES;
        let [reaction_added, reaction_removed, reactions_changed, stream_advanced, rest @ ..] = rest;
        let [messages_read, messages_delivered, rest @ ..] = rest;
        let [conversation_created, joined, left, updated, user_updated, preferences_updated, session_ended] =
            rest;
        match self {
            Self::MessageNew(_) => message_new,
            Self::MessageEdited(_) => message_edited,
            Self::MessageDeleted(_) => message_deleted,
            Self::ReactionAdded(_) => reaction_added,
            Self::ReactionRemoved(_) => reaction_removed,
            Self::ReactionsChanged(_) => reactions_changed,
            Self::StreamAdvanced(_) => stream_advanced,
            Self::MessagesRead(_) => messages_read,
            Self::MessagesDelivered(_) => messages_delivered,
            Self::ConversationCreated(_) => conversation_created,
            Self::ParticipantJoined(_) => joined,
            Self::ParticipantLeft(_) => left,
            Self::ParticipantUpdated(_) => updated,
            Self::UserUpdated(_) => user_updated,
            Self::PreferencesUpdated(_) => preferences_updated,
            Self::SessionEnded(_) => session_ended,
        }
    }
}

/// A message was deleted: what is left of it is its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MessageDeleted {
    /// Which.
    pub message_id: String,
    /// Where it stands.
    pub conversation_id: String,
    /// Its place there.
    pub seq: u64,
    /// Who deleted it.
    pub deleted_by: String,
    /// When, for display.
    #[schema(format = DateTime)]
    pub deleted_at: String,
}

/// Somebody put an emoji on a message, or took it away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReactionChange {
    /// On which.
    pub message_id: String,
    /// Where it stands.
    pub conversation_id: String,
    /// Its place there.
    pub seq: u64,
    /// Who.
    pub user_id: String,
    /// Which emoji.
    pub emoji: String,
    /// How many people have it there now.
    pub count: u64,
}

/// Several changes of what is on a message at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReactionsChanged {
    /// On which.
    pub message_id: String,
    /// Where it stands.
    pub conversation_id: String,
    /// Its place there.
    pub seq: u64,
    /// Everything that is on it now.
    pub reactions: Vec<Reaction>,
}

/// Something happened to a message that is not yours to read: your place in the stream moves on, and that is all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StreamAdvanced {}

/// Somebody came in, went, or has another role.
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

/// The user has chosen something for a conversation, on another device perhaps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PreferencesUpdated {
    /// Where.
    pub conversation_id: String,
    /// As they are now.
    #[serde(flatten)]
    pub preferences: Preferences,
}

/// A session of the user was ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SessionEnded {
    /// Which.
    pub session_id: String,
}
