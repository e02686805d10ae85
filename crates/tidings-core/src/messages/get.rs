//! One message by its id.

use crate::ids::MessageId;
use crate::services::Services;
use crate::sessions::Actor;

use super::{Error, Message};

impl Services {
    /// A message that the actor may read.
    ///
    /// # Errors
    /// [`Error::NotFound`] for one that does not exist and for one that is not the actor's to read, alike.
    pub async fn get_message(&self, actor: &Actor, id: MessageId) -> Result<Message, Error> {
        self.store.find_message(actor.user, id).await?.ok_or(Error::NotFound)
    }
}
