//! Logging out, and the check that every request and connect goes through.

use crate::services::Services;

use super::{Actor, Error, revoked_until};

impl Services {
    /// Who sends this access token: a cached signature check and a look into the map of revocations, no query.
    ///
    /// # Errors
    /// [`Error::TokenInvalid`], [`Error::TokenExpired`], [`Error::Ended`].
    pub fn authenticate(&self, access_token: &str) -> Result<Actor, Error> {
        let actor = self.access.verify(access_token, self.clock.now())?;
        if self.revocations.is_revoked(actor.session) { Err(Error::Ended) } else { Ok(actor) }
    }

    /// Whether one who was let in may still act: what a long-lived connection asks before each thing it does.
    ///
    /// # Errors
    /// [`Error::TokenExpired`], [`Error::Ended`].
    pub fn check_session(&self, actor: &Actor) -> Result<(), Error> {
        if self.revocations.is_revoked(actor.session) {
            return Err(Error::Ended);
        }
        if self.clock.now() >= actor.expires_at { Err(Error::TokenExpired) } else { Ok(()) }
    }

    /// Ends the actor's session: its tokens are refused from now on, its connections close. Twice is once.
    ///
    /// # Errors
    /// The store's.
    pub async fn logout(&self, actor: &Actor) -> Result<(), Error> {
        let now = self.clock.now();
        let until = revoked_until(now);
        self.store.end_session(actor.user, actor.session, now, until).await?;
        self.revocations.insert(actor.session, until, now);
        Ok(())
    }
}
