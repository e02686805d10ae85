//! Messages, as a store keeps them.

use async_trait::async_trait;

use crate::clock::Timestamp;
use crate::error::StoreError;
use crate::idempotency::RequestMac;
use crate::ids::{ClientMessageId, ConversationId, MessageId, UserId};
use crate::messages::{self, HistoryAnchor, HistoryPage, Message, MessageKind, MessageVersion, Sent};
use crate::sessions::Actor;

/// A message to be stored.
#[derive(Debug, Clone)]
pub struct AppendMessage {
    /// Who sends.
    pub actor: Actor,
    /// Where to.
    pub conversation: ConversationId,
    /// Under which key it may be retried.
    pub client_id: ClientMessageId,
    /// Tells a retry from another message under the same key.
    pub request_mac: RequestMac,
    /// What kind.
    pub kind: MessageKind,
    /// The text.
    pub content: String,
    /// The sender's own JSON object, compact.
    pub metadata: Option<String>,
    /// The present.
    pub now: Timestamp,
}

/// Another text for a message.
#[derive(Debug, Clone)]
pub struct EditMessage {
    /// Who edits.
    pub actor: Actor,
    /// Which.
    pub message: MessageId,
    /// The text.
    pub content: String,
    /// Whether anything of it is visible.
    pub is_visible: bool,
    /// The version that was seen.
    pub version: Option<u32>,
    /// How many versions are kept.
    pub versions_max: usize,
    /// The present.
    pub now: Timestamp,
}

/// A message to be deleted.
#[derive(Debug, Clone, Copy)]
pub struct DeleteMessage {
    /// Who deletes.
    pub actor: Actor,
    /// Which.
    pub message: MessageId,
    /// The present.
    pub now: Timestamp,
}

/// Messages.
#[async_trait]
pub trait MessageStore: Send + Sync + 'static {
    /// Stores a message at the next `pos` and `seq`, moves the sender's own marks with it, and writes one stream only.
    /// A retry by `(client_id, conversation, sender)` gets the original, also after its sender was removed. The place
    /// in the store's queue is taken before this first waits.
    ///
    /// # Errors
    /// [`messages::Error::NotFound`] to strangers, `NotParticipant`, `Forbidden`, `ClientMessageIdReused`,
    /// `SessionEnded`.
    async fn append_message(&self, append: AppendMessage) -> Result<Sent, messages::Error>;

    /// Puts a text in the place of the one before, which is kept as a version; gives the message as the actor sees it.
    /// The text that stands is not written again where the version that was named is the present one, or the one before
    /// it: that is a retry. The place in the store's queue is taken before this first waits.
    ///
    /// # Errors
    /// [`messages::Error::NotFound`] for one that is not the actor's to read, `NotParticipant`, `NotAuthor`,
    /// `VersionStale`, `Deleted`, `SessionEnded`; `Invalid` where nothing visible would be left of a text, and where no
    /// version more is kept.
    async fn edit_message(&self, edit: EditMessage) -> Result<Message, messages::Error>;

    /// Takes the text, the metadata and the versions of a message away, for good, and everything that was put on it
    /// from sight; its place and numbers stay. Gives what is left. Twice is once.
    ///
    /// # Errors
    /// [`messages::Error::NotFound`] for one that is not the actor's to read, `NotParticipant`, `NotAllowedToDelete`,
    /// `SessionEnded`.
    async fn delete_message(&self, delete: DeleteMessage) -> Result<Message, messages::Error>;

    /// Everything that a message which the viewer may read has said, first to last; of a deleted one nothing.
    async fn list_message_versions(
        &self,
        viewer: UserId,
        id: MessageId,
    ) -> Result<Option<Vec<MessageVersion>>, StoreError>;

    /// A page of what the viewer may read: the union of the viewer's intervals.
    ///
    /// # Errors
    /// [`messages::Error::NotFound`] to strangers.
    async fn list_messages(
        &self,
        viewer: UserId,
        conversation: ConversationId,
        anchor: HistoryAnchor,
        limit: usize,
    ) -> Result<HistoryPage, messages::Error>;

    /// A message that the viewer may read.
    async fn find_message(&self, viewer: UserId, id: MessageId) -> Result<Option<Message>, StoreError>;
}
