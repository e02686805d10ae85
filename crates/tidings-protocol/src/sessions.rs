//! Sessions and their tokens.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::accounts::Me;
use crate::secret::Secret;

/// A login on one device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Session {
    /// The login.
    pub id: String,
    /// What the person called the device.
    #[schema(required)]
    pub device: Option<String>,
    /// When the person logged in.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// When a token was last drawn from it.
    #[schema(format = DateTime)]
    pub last_used_at: String,
    /// Whether it is the one that asks.
    pub current: bool,
}

/// `GET /api/auth/sessions`: where the person is logged in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SessionList {
    /// Last used first; as many as a user may have.
    pub sessions: Vec<Session>,
}

/// What a device holds of a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Tokens {
    /// For `Authorization: Bearer` and the Socket.IO handshake.
    #[schema(value_type = String)]
    pub access_token: Secret,
    /// Refresh before this moment.
    #[schema(format = DateTime)]
    pub access_token_expires_at: String,
    /// For `POST /api/auth/refresh`, once.
    #[schema(value_type = String)]
    pub refresh_token: Secret,
    /// After this moment the person logs in again.
    #[schema(format = DateTime)]
    pub refresh_token_expires_at: String,
}

/// The answer to a registration or a login.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SignedIn {
    /// Who it is.
    pub user: Me,
    /// The new session.
    pub session: Session,
    /// Its first tokens, beside the other fields.
    #[serde(flatten)]
    pub tokens: Tokens,
}

/// `POST /api/auth/login`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LoginRequest {
    /// Username or e-mail address.
    pub login: String,
    /// The password.
    #[schema(value_type = String, format = Password)]
    pub password: Secret,
    /// A name for the list of sessions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
}

/// `POST /api/auth/refresh`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RefreshRequest {
    /// The one that came last.
    #[schema(value_type = String)]
    pub refresh_token: Secret,
}
