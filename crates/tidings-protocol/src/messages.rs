//! Messages, history, what stands on a message, and the requests that send and change.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::metadata;
use crate::not_served::NotServed;

/// A message as it stands. The same for everybody who reads it, but for `mine` in its reactions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Message {
    /// The message.
    pub id: String,
    /// Where it stands.
    pub conversation_id: String,
    /// Its dense place among the messages of the conversation: the order in which messages are shown.
    pub seq: u64,
    /// Who sent it.
    pub sender_id: String,
    /// `text` or `custom`.
    pub r#type: String,
    /// Its text, in a Markdown subset for `text`.
    pub content: String,
    /// The sender's own JSON object.
    #[schema(required, value_type = Option<Object>)]
    pub metadata: Option<Value>,
    /// The key under which its send may be retried.
    pub client_message_id: String,
    /// What it answers.
    #[schema(required)]
    pub reply_to: Option<ReplyTo>,
    /// The first message of its thread.
    #[schema(required)]
    pub thread_root_id: Option<String>,
    /// User ids, or `@all`.
    pub mentions: Vec<String>,
    /// Files. Always empty in this version.
    #[schema(value_type = Vec<Object>)]
    pub attachments: Vec<Value>,
    /// Emoji and who chose them.
    pub reactions: Vec<Reaction>,
    /// 1 when sent, one more with each edit.
    pub version: u32,
    /// When it was sent, for display.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// When it was last edited.
    #[schema(required, format = DateTime)]
    pub edited_at: Option<String>,
    /// When it was deleted; then `content` is empty.
    #[schema(required, format = DateTime)]
    pub deleted_at: Option<String>,
    /// Who deleted it.
    #[schema(required)]
    pub deleted_by: Option<String>,
}

/// The message that another one answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReplyTo {
    /// The message.
    pub message_id: String,
    /// Its place in the same conversation.
    pub seq: u64,
    /// Who sent it.
    pub sender_id: String,
    /// The beginning of its text.
    pub excerpt: String,
}

/// One emoji on a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Reaction {
    /// The emoji.
    pub emoji: String,
    /// How many people chose it.
    pub count: u64,
    /// The first 10 of them.
    pub user_ids: Vec<String>,
    /// You are one of them. Not in events, which are the same for everybody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mine: Option<bool>,
}

/// `PATCH /api/messages/:id`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EditMessageRequest {
    /// The text in place of the present one.
    pub content: String,
    /// The version that was seen: where another has come since, the answer is 409.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
}

/// `GET /api/messages/:id/edits`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MessageVersionList {
    /// First to last; the last is the present text. None of a deleted message.
    pub edits: Vec<MessageVersion>,
}

/// What a message said at one time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MessageVersion {
    /// 1 when sent, one more with each edit.
    pub version: u32,
    /// Its text.
    pub content: String,
    /// When it was written, for display.
    #[schema(format = DateTime)]
    pub at: String,
}

/// `POST /api/messages/:id/reactions`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReactionRequest {
    /// One emoji, or `:name:` of one that the host product draws itself.
    pub emoji: String,
}

/// Everything that is on a message, the emoji that came first being first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReactionList {
    /// Emoji and who chose them.
    pub reactions: Vec<Reaction>,
}

/// `POST /api/conversations/:id/messages`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SendMessageRequest {
    /// The text.
    pub content: String,
    /// A UUID in lower case, best version 7, made once per message by the device. A send without one is not safe to
    /// retry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_message_id: Option<String>,
    /// `text` where it is absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub r#type: Option<String>,
    /// The sender's own JSON object.
    #[serde(default, deserialize_with = "metadata::deserialize", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub metadata: Option<Value>,
    /// Not served yet.
    #[serde(skip_serializing)]
    pub reply_to: Option<NotServed>,
    /// Not served yet.
    #[serde(skip_serializing)]
    pub thread_root_id: Option<NotServed>,
    /// Not served yet.
    #[serde(skip_serializing)]
    pub attachment_ids: Option<NotServed>,
}

/// A page of history, oldest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct HistoryPage {
    /// Oldest first.
    pub messages: Vec<Message>,
    /// The stream's position when this was read: what came later comes live.
    pub pos: u64,
    /// There are older ones.
    pub has_more_before: bool,
    /// There are newer ones.
    pub has_more_after: bool,
}
