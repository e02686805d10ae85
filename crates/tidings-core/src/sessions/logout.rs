//! Logging out, and the check that every request and connect goes through.

use crate::services::Services;

use super::{Actor, Error};

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

    /// The actor by another access token of the same session.
    ///
    /// # Errors
    /// As [`Self::authenticate`], and [`Error::OtherSession`].
    pub fn renew(&self, actor: &Actor, access_token: &str) -> Result<Actor, Error> {
        let renewed = self.authenticate(access_token)?;
        let is_same = (renewed.user, renewed.session, renewed.app) == (actor.user, actor.session, actor.app);
        if is_same { Ok(renewed) } else { Err(Error::OtherSession) }
    }

    /// Ends the actor's session: its tokens are refused from now on, its connections close. Twice is once.
    ///
    /// # Errors
    /// The store's.
    pub async fn logout(&self, actor: &Actor) -> Result<(), Error> {
        match self.end_session(actor, actor.session).await {
            // It expired long ago, and is gone.
            Err(Error::NotFound) => Ok(()),
            result => result,
        }
    }
}
