//! Sessions: one login on one device. Access tokens are short and checked without a query; refresh tokens are opaque,
//! stored as a hash, and rotate; what is ended is refused everywhere at once.

mod access;
mod end;
mod keys;
mod list;
mod logout;
mod refresh;
mod revocations;
mod sign_in;

use std::borrow::Cow;

use aws_lc_rs::digest::{SHA256, digest};

pub use access::AccessTokens;
pub use keys::{KeyError, SigningKey};
pub use refresh::{RefreshFamilyHash, RefreshSecret, RefreshToken, RefreshTokenHash};
pub use revocations::{Revocations, revoked_until};

use crate::accounts::User;
use crate::clock::Timestamp;
use crate::error::{Code, Refusal, StoreError};
use crate::ids::{AppId, SessionId, UserId};

/// Who asks: what a verified access token says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Actor {
    /// The person.
    pub user: UserId,
    /// The login.
    pub session: SessionId,
    /// The tenant.
    pub app: AppId,
    /// From here on the token is worth nothing.
    pub expires_at: Timestamp,
}

/// A login on one device, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// The login.
    pub id: SessionId,
    /// The tenant.
    pub app: AppId,
    /// The person.
    pub user: UserId,
    /// What the person called the device.
    pub device: Option<String>,
    /// When the person logged in.
    pub created_at: Timestamp,
    /// When a token was last drawn from it.
    pub last_used_at: Timestamp,
    /// From here on its refresh token is worth nothing.
    pub expires_at: Timestamp,
}

/// What a device holds of a session, in the clear, once.
#[derive(Debug, Clone)]
pub struct Tokens {
    /// RS256, for `Authorization: Bearer` and the Socket.IO handshake.
    pub access: String,
    /// When the access token expires.
    pub access_expires_at: Timestamp,
    /// For `POST /api/auth/refresh`.
    pub refresh: RefreshToken,
    /// When the refresh token expires.
    pub refresh_expires_at: Timestamp,
}

/// The answer to a registration or a login.
#[derive(Debug, Clone)]
pub struct SignedIn {
    /// Who it is.
    pub user: User,
    /// The new session.
    pub session: Session,
    /// Its first tokens.
    pub tokens: Tokens,
}

/// Why a token was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not one of this server's tokens.
    #[error("the token is not valid")]
    TokenInvalid,
    /// It was one.
    #[error("the token has expired")]
    TokenExpired,
    /// Not a refresh token of this server's, or one that was replaced long ago.
    #[error("the refresh token is not valid")]
    RefreshTokenInvalid,
    /// It was one.
    #[error("the refresh token has expired")]
    RefreshTokenExpired,
    /// Its session has ended.
    #[error("the session has ended")]
    Ended,
    /// An access token of another session than it should be.
    #[error("the token is of another session")]
    OtherSession,
    /// The asker has no such session.
    #[error("there is no such session")]
    NotFound,
    /// A refresh token that was replaced long ago: somebody has copied it, and its session has ended just now.
    #[error("the refresh token was used before")]
    Reused(SessionId),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Refusal for Error {
    fn code(&self) -> Code {
        match self {
            Self::TokenInvalid | Self::RefreshTokenInvalid | Self::OtherSession => Code::TokenInvalid,
            Self::TokenExpired | Self::RefreshTokenExpired => Code::TokenExpired,
            Self::Ended | Self::Reused(_) => Code::SessionEnded,
            Self::NotFound => Code::NotFound,
            Self::Store(error) => error.code(),
        }
    }

    fn detail(&self) -> Cow<'static, str> {
        match self {
            Self::TokenInvalid => {
                "This is not an access token of this server. Refresh once; where that does not help, log in."
                    .into()
            }
            Self::TokenExpired => "Get a new one with POST /api/auth/refresh and send this again.".into(),
            Self::RefreshTokenInvalid => "This is not a refresh token of this server. Log in again.".into(),
            Self::RefreshTokenExpired | Self::Ended => "Log in again.".into(),
            Self::OtherSession => "This token is of another session. Connect anew with it.".into(),
            Self::NotFound => "You have no such session. GET /api/auth/sessions lists them.".into(),
            Self::Reused(_) => "This token was used before, so its session has ended. Log in again.".into(),
            Self::Store(error) => error.detail(),
        }
    }
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, bytes).as_ref());
    hash
}
