//! Delete: the text goes, the place stays, with who did it and when.

use crate::ids::MessageId;
use crate::ports::store::DeleteMessage;
use crate::services::Services;
use crate::sessions::Actor;

use super::{Error, Message};

impl Services {
    /// Deletes a message for everybody; gives what is left of it. Twice is once.
    ///
    /// # Errors
    /// [`Error::NotFound`] for one that is not the actor's to read, [`Error::NotAllowedToDelete`],
    /// [`Error::NotParticipant`], [`Error::SessionEnded`].
    pub async fn delete_message(&self, actor: &Actor, message: MessageId) -> Result<Message, Error> {
        self.store.delete_message(DeleteMessage { actor: *actor, message, now: self.clock.now() }).await
    }
}
