//! Signals: what people see of one another at this moment. Never stored, without a position, and over by themselves.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What the server tells of others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(untagged)]
pub enum Signal {
    /// `typing:start`.
    TypingStart(Typing),
    /// `typing:stop`.
    TypingStop(Typing),
    /// `presence:changed`.
    PresenceChanged(Presence),
    /// `presence:counted`.
    PresenceCounted(PresenceCounted),
}

impl Signal {
    /// Every name.
    pub const NAMES: [&str; 4] = ["typing:start", "typing:stop", "presence:changed", "presence:counted"];

    /// The event's name on the socket.
    #[must_use]
    pub fn name(&self) -> &'static str {
        let [start, stop, changed, counted] = Self::NAMES;
        match self {
            Self::TypingStart(_) => start,
            Self::TypingStop(_) => stop,
            Self::PresenceChanged(_) => changed,
            Self::PresenceCounted(_) => counted,
        }
    }
}

/// Somebody is writing, or has stopped. Without another `typing:start` it is over after five seconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Typing {
    /// Where.
    pub conversation_id: String,
    /// Who.
    pub user_id: String,
}

/// Whether somebody is here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Presence {
    /// Who.
    pub user_id: String,
    /// `online`, `away` or `offline`.
    pub status: String,
    /// When they were here last, of one who is offline and shows it.
    #[schema(required, format = DateTime)]
    pub last_seen_at: Option<String>,
}

/// How many are here, of more than 100.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PresenceCounted {
    /// Where.
    pub conversation_id: String,
    /// Of its people, so many.
    pub online_count: u64,
}

/// `conversation:open`, `conversation:close`, `typing:start` and `typing:stop` of a client.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ConversationEvent {
    /// Which.
    pub conversation_id: String,
}

/// `presence:set`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PresenceSetEvent {
    /// `online` or `away`, of this connection.
    pub status: String,
}

/// The ack of `conversation:open`: how it is now. What comes later comes as signals.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OpenAck {
    /// True.
    pub ok: bool,
    /// Everybody in it, up to 100; of more than that nobody.
    pub presence: Vec<Presence>,
    /// How many of its people are here.
    pub online_count: u64,
    /// Who is writing.
    pub typing: Vec<String>,
}

/// The ack of what has nothing to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DoneAck {
    /// True.
    pub ok: bool,
}
