//! Ending sessions from another one: a device that was lost, or all of them.

use crate::clock::Timestamp;
use crate::ids::SessionId;
use crate::services::Services;

use super::{Actor, Error, revoked_until};

impl Services {
    /// Ends one of the actor's sessions: its tokens are refused from now on, its connections close. Twice is once.
    ///
    /// # Errors
    /// [`Error::NotFound`] for one that is not the actor's, [`Error::Ended`].
    pub async fn end_session(&self, actor: &Actor, session: SessionId) -> Result<(), Error> {
        let now = self.clock.now();
        if !self.store.end_session(*actor, session, now, revoked_until(now)).await? {
            return Err(Error::NotFound);
        }
        self.note_ended([session], now);
        Ok(())
    }

    /// Ends all of the actor's sessions, this one as well.
    ///
    /// # Errors
    /// [`Error::Ended`] where this one has ended before.
    pub async fn end_all_sessions(&self, actor: &Actor) -> Result<(), Error> {
        let now = self.clock.now();
        let ended = self.store.end_all_sessions(*actor, now, revoked_until(now)).await?;
        self.note_ended(ended, now);
        Ok(())
    }

    /// From here on this node refuses the tokens of these sessions, which the store has ended at `now`.
    pub(crate) fn note_ended(&self, sessions: impl IntoIterator<Item = SessionId>, now: Timestamp) {
        for session in sessions {
            self.revocations.insert(session, revoked_until(now), now);
        }
    }
}
