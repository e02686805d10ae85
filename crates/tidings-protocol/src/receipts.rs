//! How far people have read and received, and what is unread.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// `POST /api/conversations/:id/read`, `…/delivered`, `…/unread`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MarkRequest {
    /// Up to and with this message; for `unread`: this one and all after it.
    pub seq: u64,
}

/// Where you stand after `read` and `unread`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReadMark {
    /// You have read up to and with this message.
    pub read_seq: u64,
    /// How many messages that leaves.
    pub unread: u64,
}

/// Where you stand after `delivered`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeliveredMark {
    /// Your devices have received up to and with this message.
    pub delivered_seq: u64,
}

/// `GET /api/unread`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UnreadList {
    /// Messages that you have not read, in all your conversations.
    pub unread: u64,
    /// Of them, those that name you.
    pub mentions: u64,
    /// The conversations that have some, the latest message first; at most 1,000.
    pub conversations: Vec<UnreadConversation>,
}

/// What is unread in one conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UnreadConversation {
    /// Which.
    pub conversation_id: String,
    /// Messages that you have not read.
    pub unread: u64,
    /// Of them, those that name you.
    pub mentions: u64,
}

/// One person's mark, as events tell it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Receipt {
    /// Who.
    pub user_id: String,
    /// Up to and with this message.
    pub seq: u64,
    /// When they got there, for display.
    #[schema(format = DateTime)]
    pub at: String,
}

/// `messages:read` and `messages:delivered`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MarksMoved {
    /// Where.
    pub conversation_id: String,
    /// At most one a person.
    pub marks: Vec<Receipt>,
}
