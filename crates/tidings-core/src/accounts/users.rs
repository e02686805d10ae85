//! Look users up.

use crate::ids::UserId;
use crate::services::Services;
use crate::sessions::Actor;

use super::{Error, User};

impl Services {
    /// A user of the actor's app.
    ///
    /// # Errors
    /// [`Error::NotFound`] for another app's users and for nobody alike.
    pub async fn get_user(&self, actor: &Actor, id: UserId) -> Result<User, Error> {
        self.store.find_user(actor.app, id).await?.ok_or(Error::NotFound)
    }
}
