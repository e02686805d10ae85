//! Changing one's own account.

use crate::ports::store;
use crate::services::Services;
use crate::sessions::Actor;

use super::check::check_update;
use super::{Error, SettingsChange, User};

/// What somebody wants to be different; nothing where it stays.
#[derive(Debug, Clone, Default)]
pub struct UpdateUser {
    /// What people see.
    pub display_name: Option<String>,
    /// Given name; empty takes it away.
    pub first_name: Option<String>,
    /// Family name; empty takes it away.
    pub last_name: Option<String>,
    /// Where a picture is; empty takes it away.
    pub avatar_url: Option<String>,
    /// What others see of them.
    pub settings: SettingsChange,
}

impl Services {
    /// Changes the actor's own account; gives it as it is then. What is so already is nothing.
    ///
    /// # Errors
    /// [`Error::Invalid`] with every field at once, [`Error::SessionEnded`].
    pub async fn update_user(&self, actor: &Actor, command: UpdateUser) -> Result<User, Error> {
        let change = check_update(command, &self.limits).map_err(Error::Invalid)?;
        let update = store::UpdateUser { actor: *actor, change, now: self.clock.now() };
        self.store.update_user(update).await
    }
}
