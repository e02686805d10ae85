//! Everything that somebody has not read.

use crate::error::StoreError;
use crate::ids::ConversationId;
use crate::limits::UNREAD_CONVERSATIONS_MAX;
use crate::services::Services;
use crate::sessions::Actor;

/// What is unread, over all conversations that one is in.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UnreadList {
    /// In all of them together.
    pub unread: u64,
    /// Those that have something unread, the latest message first.
    pub conversations: Vec<UnreadConversation>,
}

/// What is unread in one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnreadConversation {
    /// Which.
    pub conversation: ConversationId,
    /// Messages.
    pub unread: u64,
}

impl Services {
    /// What the actor has not read; of more conversations than [`UNREAD_CONVERSATIONS_MAX`] those with the latest
    /// messages, and the number over all.
    ///
    /// # Errors
    /// The store's.
    pub async fn list_unread(&self, actor: &Actor) -> Result<UnreadList, StoreError> {
        self.store.list_unread(actor.user, UNREAD_CONVERSATIONS_MAX).await
    }
}
