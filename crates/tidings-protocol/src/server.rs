//! What a server says about itself.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// `GET /api/server`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServerInfo {
    /// `tidings`.
    pub name: String,
    /// The version of the server.
    pub version: String,
    /// One more with each release that serves more; clients ask for at least what they need.
    pub feature_level: u32,
    /// Every limit by its name in the configuration.
    pub limits: BTreeMap<String, u64>,
}

/// `GET /health` and `GET /health/ready`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Health {
    /// `ok`.
    pub status: String,
}

/// `GET /health/detailed`: each part by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DetailedHealth {
    /// `ok` where all parts are, else `failing`.
    pub status: String,
    /// The version of the server.
    pub version: String,
    /// Since the process was started.
    pub uptime_seconds: u64,
    /// Authenticated sockets.
    pub connections: u64,
    /// Where truth is kept.
    pub store: StoreHealth,
    /// The disk of the data directory.
    pub disk: DiskHealth,
    /// From the log to the sockets.
    pub delivery: DeliveryHealth,
}

/// The store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct StoreHealth {
    /// `ok` where it can be read in time.
    pub status: String,
    /// `sqlite`.
    pub kind: String,
    /// How long a read took, in microseconds.
    pub read_micros: u64,
    /// Requests that wait for the writer.
    pub writer_queue: u64,
}

/// A disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DiskHealth {
    /// `ok` with a twentieth or a gibibyte of it free.
    pub status: String,
    /// Free for the server.
    pub free_bytes: u64,
    /// As large as it is.
    pub total_bytes: u64,
}

/// Delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeliveryHealth {
    /// `ok` with no more than a thousand events behind.
    pub status: String,
    /// Events that are committed and not yet delivered.
    pub lag_events: u64,
}

/// `GET /.well-known/jwks.json`: the public keys that access tokens are signed with (RFC 7517).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Jwks {
    /// The key in use first.
    #[schema(value_type = Vec<Object>)]
    pub keys: Vec<serde_json::Value>,
}
