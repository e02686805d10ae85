//! Read, delivered, and back: "mark unread".

use std::sync::Arc;

use crate::conversations::Error;
use crate::ids::{ConversationId, Seq};
use crate::ports::store::MarkUnread;
use crate::services::Services;
use crate::sessions::Actor;

use super::{ReceiptKind, Standing};

impl Services {
    /// Marks everything up to a message as read, or as received, by the actor: what was is never taken back. Durable
    /// when it answers. What comes within half a second in one conversation is written together.
    ///
    /// # Errors
    /// [`Error::NotFound`] to strangers, [`Error::NotParticipant`], [`Error::SessionEnded`]; [`Error::Invalid`] for a
    /// message that does not exist yet.
    pub async fn mark(
        &self,
        actor: &Actor,
        conversation: ConversationId,
        kind: ReceiptKind,
        seq: Seq,
    ) -> Result<Standing, Error> {
        Arc::clone(&self.receipts).mark(*actor, conversation, kind, seq).await
    }

    /// Makes a message and all after it unread again, for the actor alone: others go on seeing how far they had read.
    /// Marks that came before are written first.
    ///
    /// # Errors
    /// As of [`Self::mark`].
    pub async fn mark_unread(
        &self,
        actor: &Actor,
        conversation: ConversationId,
        seq: Seq,
    ) -> Result<Standing, Error> {
        // A read that came before would otherwise be written after it, and undo it.
        self.receipts.write_those_of(conversation, actor.user).await?;
        let mark = MarkUnread { actor: *actor, conversation, seq, now: self.clock.now() };
        self.store.mark_unread(mark).await
    }
}
