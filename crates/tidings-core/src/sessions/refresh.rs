//! Refresh: a new access token, and a new refresh token in place of the one that was used.
//!
//! The next refresh token is derived from the one before with the server's secret. So two tabs that refresh with the
//! same token, or a device that asks again because the answer was lost, get the same next one within
//! [`REFRESH_GRACE_SECONDS`]. Later the old one is somebody who copied it: the session ends. All tokens of a session
//! begin alike, so that also one from long before is known as its own: who copies a token and uses it twice at once
//! leaves its owner one that is neither the present nor the one before.

use std::fmt;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::ids::IdSource;
use crate::limits::{REFRESH_GRACE_SECONDS, REFRESH_TOKEN_SECONDS};
use crate::ports::store::Rotation;
use crate::services::Services;

use super::{Error, Tokens, sha256};

/// Of a refresh token's 32. Neither half can be guessed.
const FAMILY_BYTES: usize = 16;

/// 256 bits, in the clear: the first half is the session's for good, the second the token's own. Never stored, never
/// logged.
#[derive(Clone, PartialEq, Eq)]
pub struct RefreshToken([u8; 32]);

/// SHA-256 of a refresh token: what the store keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefreshTokenHash(pub [u8; 32]);

/// SHA-256 of the half that all refresh tokens of a session share. Who has held one of them can name it, nobody else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefreshFamilyHash(pub [u8; 32]);

/// The secret from which the next refresh token is derived.
pub struct RefreshSecret(hmac::Key);

impl RefreshToken {
    /// One that nobody can guess.
    pub fn generate(ids: &dyn IdSource) -> Self {
        let mut bytes = [0; 32];
        ids.fill(&mut bytes);
        Self(bytes)
    }

    /// As a device holds it.
    #[must_use]
    pub fn reveal(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    /// Reads what a device sent.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        // 32 bytes are 43 characters of base64.
        if text.len() != 43 {
            return None;
        }
        URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok().map(Self)
    }

    /// What the store keeps of it.
    #[must_use]
    pub fn hash(&self) -> RefreshTokenHash {
        RefreshTokenHash(sha256(&self.0))
    }

    /// What the store keeps of what it has in common with those before and after it.
    #[must_use]
    pub fn family_hash(&self) -> RefreshFamilyHash {
        RefreshFamilyHash(sha256(&self.0[..FAMILY_BYTES]))
    }
}

impl fmt::Debug for RefreshToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RefreshToken(…)")
    }
}

impl RefreshSecret {
    /// From the installation's secret.
    #[must_use]
    pub fn new(secret: &[u8; 32]) -> Self {
        // A key of its own, so that no other use of the secret can ever give out a refresh token.
        let derived = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), b"refresh tokens");
        Self(hmac::Key::new(hmac::HMAC_SHA256, derived.as_ref()))
    }

    /// The token that follows this one.
    #[must_use]
    pub fn next(&self, token: &RefreshToken) -> RefreshToken {
        let mut bytes = token.0;
        let own = hmac::sign(&self.0, &token.0);
        bytes[FAMILY_BYTES..].copy_from_slice(&own.as_ref()[..32 - FAMILY_BYTES]);
        RefreshToken(bytes)
    }
}

impl Services {
    /// Takes a refresh token and gives new tokens of the same session.
    ///
    /// # Errors
    /// [`Error::RefreshTokenInvalid`], [`Error::RefreshTokenExpired`], [`Error::Ended`], and [`Error::Reused`] for a
    /// token that was used before: then its session ends here and now.
    pub async fn refresh(&self, token: &str) -> Result<Tokens, Error> {
        let token = RefreshToken::parse(token).ok_or(Error::RefreshTokenInvalid)?;
        let next = self.refresh_secret.next(&token);
        let now = self.clock.now();
        let rotation = Rotation {
            presented: token.hash(),
            next: next.hash(),
            family: token.family_hash(),
            now,
            expires_at: now.plus_seconds(REFRESH_TOKEN_SECONDS),
            grace_from: now.plus_seconds(-REFRESH_GRACE_SECONDS),
            grace_to: now.plus_seconds(REFRESH_GRACE_SECONDS),
        };
        let session = self.store.rotate_refresh_token(rotation).await.inspect_err(|error| {
            if let Error::Reused(session) = *error {
                tracing::warn!(%session, "a refresh token that was used before was presented: the session has ended");
                self.note_ended([session], now);
            }
        })?;
        let (access, access_expires_at) = self.access.issue(session.user, session.id, session.app, now)?;
        Ok(Tokens { access, access_expires_at, refresh: next, refresh_expires_at: session.expires_at })
    }
}
