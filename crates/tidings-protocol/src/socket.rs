//! What is said on the socket beside durable events: the handshake, the beginning and the end, requests and acks.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::messages::{Message, Reaction, SendMessageRequest};
use crate::metadata;
use crate::not_served::NotServed;
use crate::problem::FieldProblem;
use crate::secret::Secret;
use crate::sync::{SkippedStream, SyncResponse};

/// The handshake's `auth`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ConnectAuth {
    /// An access token. Without one the answer is `token_missing`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub token: Option<Secret>,
    /// The last `next` that the device has taken: resumes there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// Socket.IO's own recovery: the `pid` of the last answer to a CONNECT, which stock clients send by themselves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid: Option<String>,
    /// Socket.IO's own recovery: the last string that ended an event, which is a token. With a `pid` of this session it
    /// wins over `since`; without one it counts for nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<String>,
}

/// `connect_error`'s `data`, and `session:expired`: why the socket may not stay, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Denied {
    /// The stable name, as in a problem.
    pub code: String,
    /// What to do about it, for people.
    pub detail: String,
    /// The fields of `auth` that are wrong, all at once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldProblem>,
    /// Try again after this long, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}

/// `ready`: the socket is live.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Ready {
    /// Who the token says.
    pub user_id: String,
    /// The login.
    pub session_id: String,
    /// This socket.
    pub connection_id: String,
    /// The present token.
    pub next: String,
    /// The server's clock, for display.
    #[schema(format = DateTime)]
    pub server_time: String,
}

/// `reset`: the device loads everything anew and goes on with `next`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Reset {
    /// Why, for programs.
    pub reason: String,
    /// The present token.
    pub next: String,
}

/// `sync:page`: the replayed frames before it were one page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReplayedPage {
    /// Resumes after this page.
    pub next: String,
    /// Another page follows by itself.
    pub has_more: bool,
    /// Streams whose window the device drops and loads anew.
    pub skipped: Vec<SkippedStream>,
}

/// `message:send`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SendMessageEvent {
    /// Where to.
    pub conversation_id: String,
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
    pub metadata: Option<serde_json::Value>,
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

impl From<SendMessageEvent> for (String, SendMessageRequest) {
    /// The conversation, and the same request as over REST. Written out because serde cannot flatten a struct and
    /// refuse unknown fields.
    fn from(event: SendMessageEvent) -> Self {
        let request = SendMessageRequest {
            content: event.content,
            client_message_id: event.client_message_id,
            r#type: event.r#type,
            metadata: event.metadata,
            reply_to: event.reply_to,
            thread_root_id: event.thread_root_id,
            attachment_ids: event.attachment_ids,
        };
        (event.conversation_id, request)
    }
}

/// `message:edit`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EditMessageEvent {
    /// Which.
    pub message_id: String,
    /// The text in place of the present one.
    pub content: String,
    /// The version that was seen: where another has come since, the ack says `version_stale`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
}

/// `message:delete`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DeleteMessageEvent {
    /// Which.
    pub message_id: String,
}

/// `reaction:add` and `reaction:remove`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReactionEvent {
    /// On which.
    pub message_id: String,
    /// One emoji, or `:name:` of one that the host product draws itself.
    pub emoji: String,
}

/// The ack of `reaction:add` and `reaction:remove`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReactionsAck {
    /// True.
    pub ok: bool,
    /// Everything that is on the message now.
    pub reactions: Vec<Reaction>,
}

/// `messages:read` and `messages:delivered`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MarkEvent {
    /// Where.
    pub conversation_id: String,
    /// Up to and with this message.
    pub seq: u64,
}

/// The ack of `messages:read`: it is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReadAck {
    /// True.
    pub ok: bool,
    /// You have read up to and with this message.
    pub read_seq: u64,
    /// How many messages that leaves.
    pub unread: u64,
}

/// The ack of `messages:delivered`: it is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeliveredAck {
    /// True.
    pub ok: bool,
    /// Your devices have received up to and with this message.
    pub delivered_seq: u64,
}

/// `session:renew`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RenewSessionEvent {
    /// A fresh access token of the session that the socket was opened with.
    #[schema(value_type = String)]
    pub token: Secret,
}

/// The ack of `session:renew`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RenewSessionAck {
    /// True.
    pub ok: bool,
    /// The socket ends then, unless it is renewed again.
    #[schema(format = DateTime)]
    pub expires_at: String,
}

/// The ack of `message:send`, `message:edit` and `message:delete`: it is durable.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MessageAck {
    /// True.
    pub ok: bool,
    /// As it stands.
    pub message: Message,
}

/// The ack of `sync`.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SyncAck {
    /// True.
    pub ok: bool,
    /// The page, beside the other fields.
    #[serde(flatten)]
    pub page: SyncResponse,
}

/// The ack of what was refused: the fields of a problem that are not HTTP's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RefusedAck {
    /// False.
    pub ok: bool,
    /// The stable name.
    pub code: String,
    /// One line for people.
    pub title: String,
    /// What to do about it, for people.
    pub detail: String,
    /// The fields that are wrong, all at once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldProblem>,
    /// Try again after this long, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
    /// As the server's log names the failure; for failures of the server's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}
