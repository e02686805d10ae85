//! Send: check, append, answer. Nothing else in the code base sends a message.

use std::sync::Arc;

use crate::fail_points::{FailPoint, reached};
use crate::ids::{ClientMessageId, ConversationId};
use crate::ports::store::AppendMessage;
use crate::services::Services;
use crate::sessions::Actor;

use super::check::check_send;
use super::{Error, Message};

/// A message to be sent.
#[derive(Debug, Clone)]
pub struct SendMessage {
    /// Where to.
    pub conversation: ConversationId,
    /// Made by the sender's device. Without one the server makes it, and such a send is not safe to retry.
    pub client_message_id: Option<ClientMessageId>,
    /// `text` where it is absent.
    pub kind: Option<String>,
    /// The text.
    pub content: String,
    /// The sender's own JSON object.
    pub metadata: Option<serde_json::Value>,
}

/// A message that is durable.
#[derive(Debug, Clone)]
pub struct Sent {
    /// As it stands.
    pub message: Arc<Message>,
    /// It stood before: this was a retry.
    pub replayed: bool,
}

impl Services {
    /// Sends a message. When this answers, it is durable and stands once at one position.
    ///
    /// Up to its place in the store's queue it never waits, so that the sends of one connection keep their order.
    ///
    /// # Errors
    /// [`Error::Invalid`] before the store is asked. [`Error::NotFound`] to strangers, [`Error::NotParticipant`] to
    /// those who left, [`Error::ClientMessageIdReused`]; after `OutcomeUnknown` send again with the same id.
    pub async fn send_message(&self, actor: &Actor, command: SendMessage) -> Result<Sent, Error> {
        let checked = check_send(&command, &self.limits).map_err(Error::Invalid)?;
        reached(FailPoint::Checked);
        let now = self.clock.now();
        let kind = checked.kind.as_str().as_bytes();
        let metadata = checked.metadata.as_deref().unwrap_or_default().as_bytes();
        let request_mac = self.request_macs.of(&[kind, command.content.as_bytes(), metadata]);
        reached(FailPoint::Hashed);
        let client_id = command.client_message_id.unwrap_or_else(|| ClientMessageId(self.ids.uuid(now)));
        let append = AppendMessage {
            actor: *actor,
            conversation: command.conversation,
            client_id,
            request_mac,
            kind: checked.kind,
            content: command.content,
            metadata: checked.metadata,
            now,
        };
        let sent = self.store.append_message(append).await;
        reached(FailPoint::Returned);
        sent
    }
}
