//! Where somebody is logged in.

use crate::error::StoreError;
use crate::services::Services;

use super::{Actor, Session};

impl Services {
    /// The actor's sessions that have neither ended nor expired, last used first: as many as a user may have.
    ///
    /// # Errors
    /// The store's.
    pub async fn list_sessions(&self, actor: &Actor) -> Result<Vec<Session>, StoreError> {
        self.store.list_sessions(actor.user, self.clock.now()).await
    }
}
