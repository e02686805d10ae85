//! Catch-up: what a device has missed.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::events::{EventBody, Frame};

/// `GET /api/sync`, and the ack of the socket's `sync`.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SyncResponse {
    /// Frames without `next`, in an order in which they can be applied.
    pub events: Vec<SyncEvent>,
    /// The token that continues after this page; none when one stream was asked for.
    #[schema(required)]
    pub next: Option<String>,
    /// Ask again with `next`, or after the last event's `pos`.
    pub has_more: bool,
    /// Streams whose window the device drops and loads anew.
    pub skipped: Vec<SkippedStream>,
    /// Why the device has to load everything anew and go on with `next`; none if it need not.
    #[schema(required)]
    pub reset: Option<String>,
}

/// A frame with its event's name.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SyncEvent {
    /// The name that it has on the socket.
    pub event: String,
    /// The frame as it was on the socket.
    #[serde(flatten)]
    pub frame: Frame<EventBody>,
}

/// A stream of which a catch-up replays nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SkippedStream {
    /// Which.
    pub stream: String,
    /// Its last position.
    pub pos: u64,
    /// Its last message.
    pub last_seq: u64,
}

/// The socket's `sync`: by token, or by stream.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SyncRequest {
    /// The last `next` that the device has taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// One stream, to fill a gap.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream: Option<String>,
    /// With `stream`: the device's own position there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<u64>,
    /// Events in a page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
}
