//! Sessions and revocations, as a store keeps them.

use async_trait::async_trait;

use crate::accounts::{self, PasswordHash};
use crate::clock::Timestamp;
use crate::error::StoreError;
use crate::idempotency::RequestMac;
use crate::ids::{SessionId, UserId};
use crate::sessions::{self, Actor, RefreshFamilyHash, RefreshTokenHash, Session};

/// A login to be stored.
#[derive(Debug, Clone)]
pub struct NewSession {
    /// As it is to be stored.
    pub session: Session,
    /// The password that was shown for it, as it stood then; none for a new account.
    pub shown: Option<PasswordHash>,
    /// From where: it is the user's own from now on.
    pub address: RequestMac,
    /// Of its first refresh token.
    pub refresh: RefreshTokenHash,
    /// Of all its refresh tokens.
    pub family: RefreshFamilyHash,
    /// How many the user may have, with this one.
    pub sessions_max: usize,
    /// When the last access token of one that ends for it expires.
    pub tokens_until: Timestamp,
}

/// A refresh token that wants to become the next one.
#[derive(Debug, Clone, Copy)]
pub struct Rotation {
    /// What the device sent.
    pub presented: RefreshTokenHash,
    /// What it gets.
    pub next: RefreshTokenHash,
    /// Of both, and of all before them.
    pub family: RefreshFamilyHash,
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

/// A new password.
#[derive(Debug, Clone)]
pub struct PasswordChange {
    /// Whose, and the session that stays.
    pub actor: Actor,
    /// What is stored, as far as the asker knows.
    pub known: PasswordHash,
    /// What is to be stored.
    pub new: PasswordHash,
    /// The present.
    pub now: Timestamp,
    /// When the last access token of the sessions that end expires.
    pub tokens_until: Timestamp,
}

/// Sessions and revocations.
#[async_trait]
pub trait SessionStore: Send + Sync + 'static {
    /// Stores a new session, of which nobody else's devices are told. Where its user has too many then, those that were
    /// used longest ago end, as by [`Self::end_session`]; gives which.
    ///
    /// # Errors
    /// [`accounts::Error::BadCredentials`] where the password was changed since it was shown.
    async fn insert_session(&self, new: NewSession) -> Result<Vec<SessionId>, accounts::Error>;

    /// Whether the user has logged in from there before, within the last [`KNOWN_ADDRESSES_MAX`] addresses.
    ///
    /// [`KNOWN_ADDRESSES_MAX`]: crate::limits::KNOWN_ADDRESSES_MAX
    async fn is_known_address(&self, user: UserId, address: RequestMac) -> Result<bool, StoreError>;

    /// The user's sessions that have neither ended nor expired by `now`, last used first: as many as a user may have.
    async fn list_sessions(&self, user: UserId, now: Timestamp) -> Result<Vec<Session>, StoreError>;

    /// Puts the next refresh token in the place of the presented one.
    ///
    /// # Errors
    /// [`sessions::Error::RefreshTokenInvalid`] for an unknown one, [`sessions::Error::RefreshTokenExpired`],
    /// [`sessions::Error::Ended`]; [`sessions::Error::Reused`] for one that was rotated outside of the grace: then the
    /// session ends in the same commit, as by [`Self::end_session`].
    async fn rotate_refresh_token(&self, rotation: Rotation) -> Result<Session, sessions::Error>;

    /// Ends a session of the actor's user, with a revocation and an event in the user's stream. Twice is once. False
    /// where the user has none of this id.
    ///
    /// # Errors
    /// [`sessions::Error::Ended`] where the actor's own has ended, and it is another one that is to end.
    async fn end_session(
        &self,
        actor: Actor,
        session: SessionId,
        now: Timestamp,
        tokens_until: Timestamp,
    ) -> Result<bool, sessions::Error>;

    /// Ends all sessions of the actor's user that have not ended, also what has expired: so a refresh that comes after
    /// it finds its session ended, whatever its clock said. As by [`Self::end_session`]; gives which.
    ///
    /// # Errors
    /// [`sessions::Error::Ended`] where the actor's own has ended already: whoever asks with it is out, and ends
    /// nobody.
    async fn end_all_sessions(
        &self,
        actor: Actor,
        now: Timestamp,
        tokens_until: Timestamp,
    ) -> Result<Vec<SessionId>, sessions::Error>;

    /// Puts a new password in the place of the known one, and ends the user's sessions but the actor's, as by
    /// [`Self::end_all_sessions`], in the same commit; gives which.
    ///
    /// # Errors
    /// [`accounts::Error::WrongPassword`] where the stored one is not the known one any more,
    /// [`accounts::Error::SessionEnded`].
    async fn change_password(&self, change: PasswordChange) -> Result<Vec<SessionId>, accounts::Error>;

    /// Revocations that still matter at `now`.
    async fn list_revocations(&self, now: Timestamp) -> Result<Vec<Revocation>, StoreError>;
}
