//! What a refusal looks like: RFC 9457 with a stable code.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// `application/problem+json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// A URI that names the kind of problem; it ends in `code`.
    pub r#type: String,
    /// One line for people, the same for every problem of this kind.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What to do about it, for people.
    pub detail: String,
    /// The path that was asked for.
    pub instance: String,
    /// The stable name, for programs; the same in REST and in a Socket.IO ack.
    pub code: String,
    /// The request, as the server's log names it.
    pub request_id: String,
    /// The fields that are wrong, all at once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldProblem>,
    /// Try again after this long, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}

/// One field that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FieldProblem {
    /// JSON pointer into the request; `/name` for a query parameter.
    pub pointer: String,
    /// What is wrong.
    pub code: String,
    /// What it may be, for people.
    pub detail: String,
}
