//! Sessions and revocations, as a store keeps them.

use async_trait::async_trait;

use crate::clock::Timestamp;
use crate::error::StoreError;
use crate::ids::{SessionId, UserId};
use crate::sessions::{self, RefreshTokenHash, Session};

/// A refresh token that wants to become the next one.
#[derive(Debug, Clone, Copy)]
pub struct Rotation {
    /// What the device sent.
    pub presented: RefreshTokenHash,
    /// What it gets.
    pub next: RefreshTokenHash,
    /// The present.
    pub now: Timestamp,
    /// When the next one expires.
    pub expires_at: Timestamp,
    /// A token that was rotated from this moment on is answered again with the same next one,
    pub grace_from: Timestamp,
    /// up to this moment, which is in the future: a clock that went back a little is no reason to end a session, and
    /// one that went back by an hour is none to answer a copied token for an hour.
    pub grace_to: Timestamp,
}

/// A session that was ended while access tokens of it may still be about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Revocation {
    /// Which.
    pub session: SessionId,
    /// When the last of its access tokens expires.
    pub until: Timestamp,
}

/// Sessions and revocations.
#[async_trait]
pub trait SessionStore: Send + Sync + 'static {
    /// Stores a new session. Silent: nobody else's devices show it.
    async fn insert_session(&self, session: &Session, refresh: RefreshTokenHash) -> Result<(), StoreError>;

    /// Puts the next refresh token in the place of the presented one.
    ///
    /// # Errors
    /// [`sessions::Error::RefreshTokenInvalid`] for an unknown one, [`sessions::Error::RefreshTokenExpired`],
    /// [`sessions::Error::Ended`]; [`sessions::Error::Reused`] for one that was rotated outside of the grace: then the
    /// session ends in the same commit, as by [`Self::end_session`].
    async fn rotate_refresh_token(&self, rotation: Rotation) -> Result<Session, sessions::Error>;

    /// Ends a session, with a revocation and an event in the user's stream. Twice is once.
    async fn end_session(
        &self,
        user: UserId,
        session: SessionId,
        now: Timestamp,
        tokens_until: Timestamp,
    ) -> Result<(), StoreError>;

    /// Revocations that still matter at `now`.
    async fn list_revocations(&self, now: Timestamp) -> Result<Vec<Revocation>, StoreError>;
}
