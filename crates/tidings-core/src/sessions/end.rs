//! Ending sessions from another one: a device that was lost, or all of them.

use crate::services::Services;

use super::{Actor, Error, revoked_until};
use crate::ids::SessionId;

impl Services {
    /// Ends one of the actor's sessions: its tokens are refused from now on, its connections close. Twice is once.
    ///
    /// # Errors
    /// [`Error::NotFound`] for one that is not the actor's.
    pub async fn end_session(&self, actor: &Actor, session: SessionId) -> Result<(), Error> {
        let now = self.clock.now();
        let until = revoked_until(now);
        if !self.store.end_session(actor.user, session, now, until).await? {
            return Err(Error::NotFound);
        }
        self.revocations.insert(session, until, now);
        Ok(())
    }

    /// Ends all of the actor's sessions, this one as well.
    ///
    /// # Errors
    /// The store's.
    pub async fn end_all_sessions(&self, actor: &Actor) -> Result<(), Error> {
        let now = self.clock.now();
        let until = revoked_until(now);
        for session in self.store.end_all_sessions(actor.user, now, until).await? {
            self.revocations.insert(session, until, now);
        }
        Ok(())
    }
}
