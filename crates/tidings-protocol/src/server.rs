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

/// `GET /.well-known/jwks.json`: the public keys that access tokens are signed with (RFC 7517).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Jwks {
    /// The key in use first.
    #[schema(value_type = Vec<Object>)]
    pub keys: Vec<serde_json::Value>,
}
