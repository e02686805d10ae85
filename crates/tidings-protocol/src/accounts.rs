//! Users: as others see them, and as they see themselves.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::secret::Secret;

/// A user as anybody may see them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct User {
    /// The account.
    pub id: String,
    /// Unique, lower case.
    pub username: String,
    /// What people see.
    pub display_name: String,
    /// Given name.
    #[schema(required)]
    pub first_name: Option<String>,
    /// Family name.
    #[schema(required)]
    pub last_name: Option<String>,
    /// Where a picture is.
    #[schema(required)]
    pub avatar_url: Option<String>,
    /// When the person was last here, if it is known.
    #[schema(required, format = DateTime)]
    pub last_seen_at: Option<String>,
}

/// `GET /api/users?q=`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct UserList {
    /// Whose username it is first, then by username.
    pub users: Vec<User>,
}

/// A user as only the person sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Me {
    /// What others see.
    #[serde(flatten)]
    pub user: User,
    /// The address that logs in beside the username.
    #[schema(required)]
    pub email: Option<String>,
    /// The id that a host product knows this person by.
    #[schema(required)]
    pub external_id: Option<String>,
    /// The person's own settings.
    pub settings: UserSettings,
}

/// A person's own settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UserSettings {
    /// Others see how far you have read and received.
    pub read_receipts: bool,
    /// Others see that you are writing.
    pub typing: bool,
    /// Others see whether you are here, and when you were last.
    pub presence: bool,
}

/// `PATCH /api/users/me`: what is there changes, the rest stays. An empty name or address is taken away.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UpdateMeRequest {
    /// What people see.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// Given name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_name: Option<String>,
    /// Family name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_name: Option<String>,
    /// Where a picture is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub avatar_url: Option<String>,
    /// Those that are to change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settings: Option<UpdateSettings>,
}

/// Settings that are to change.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UpdateSettings {
    /// Whether others see how far you have read and received.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read_receipts: Option<bool>,
    /// Whether others see that you are writing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub typing: Option<bool>,
    /// Whether others see whether you are here, and when you were last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub presence: Option<bool>,
}

/// `POST /api/auth/password`: the other sessions end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PasswordRequest {
    /// The present one.
    #[schema(value_type = String, format = Password)]
    pub current_password: Secret,
    /// 8 characters or more.
    #[schema(value_type = String, format = Password)]
    pub new_password: Secret,
}

/// `POST /api/auth/register`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RegisterRequest {
    /// Unique; folded to lower case.
    pub username: String,
    /// 8 characters or more.
    #[schema(value_type = String, format = Password)]
    pub password: Secret,
    /// The username where it is absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// Logs in beside the username.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Given name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_name: Option<String>,
    /// Family name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_name: Option<String>,
}
