//! Edit: another text in the place of the one before, which stays readable as a version.

use crate::clock::Timestamp;
use crate::ids::MessageId;
use crate::ports::store;
use crate::services::Services;
use crate::sessions::Actor;
use crate::visible::is_visible;

use super::check::check_length;
use super::{Error, Message};

/// Another text for a message.
#[derive(Debug, Clone)]
pub struct EditMessage {
    /// Which.
    pub message: MessageId,
    /// What it is to say.
    pub content: String,
    /// The version that the author has seen; without one whatever stands is edited.
    pub version: Option<u32>,
}

/// What a message said at one time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageVersion {
    /// 1 when it was sent, one more with each edit.
    pub version: u32,
    /// Its text.
    pub content: String,
    /// When it was written, for display.
    pub written_at: Timestamp,
}

impl Services {
    /// Edits a message. What it says already is not written again, so that an edit whose answer was lost may be
    /// repeated.
    ///
    /// Up to its place in the store's queue it never waits, so that the edits of one connection keep their order.
    ///
    /// # Errors
    /// [`Error::Invalid`]; [`Error::NotFound`] for one that is not the actor's to read, [`Error::NotAuthor`],
    /// [`Error::VersionStale`], [`Error::Deleted`], [`Error::NotParticipant`], [`Error::SessionEnded`].
    pub async fn edit_message(&self, actor: &Actor, command: EditMessage) -> Result<Message, Error> {
        let EditMessage { message, content, version } = command;
        check_length(&content, &self.limits).map_err(|error| Error::Invalid(vec![error]))?;
        let edit = store::EditMessage {
            actor: *actor,
            message,
            is_visible: is_visible(&content),
            content,
            version,
            versions_max: self.limits.message_versions_max,
            now: self.clock.now(),
        };
        self.store.edit_message(edit).await
    }

    /// Everything that a message has said, first to last, the present text at the end: at most `message_versions_max`.
    /// Of a deleted one nothing.
    ///
    /// # Errors
    /// [`Error::NotFound`] for one that is not the actor's to read.
    pub async fn list_message_versions(
        &self,
        actor: &Actor,
        id: MessageId,
    ) -> Result<Vec<MessageVersion>, Error> {
        self.store.list_message_versions(actor.user, id).await?.ok_or(Error::NotFound)
    }
}
