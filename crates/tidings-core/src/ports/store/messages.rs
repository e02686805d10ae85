//! Messages, as a store keeps them.

use async_trait::async_trait;

use crate::clock::Timestamp;
use crate::error::StoreError;
use crate::idempotency::RequestMac;
use crate::ids::{ClientMessageId, ConversationId, MessageId, UserId};
use crate::messages::{self, HistoryAnchor, HistoryPage, Message, MessageKind, Sent};
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
