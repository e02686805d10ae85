//! Receipts and what is unread, as a store keeps them.

use async_trait::async_trait;

use crate::clock::Timestamp;
use crate::conversations;
use crate::error::StoreError;
use crate::ids::{ConversationId, Seq, UserId};
use crate::receipts::{Standing, UnreadList};
use crate::sessions::Actor;

/// Marks of several people in one conversation.
#[derive(Debug, Clone)]
pub struct AdvanceMarks {
    /// Where.
    pub conversation: ConversationId,
    /// Each of another user.
    pub marks: Vec<MarkRequest>,
    /// The present.
    pub now: Timestamp,
}

/// How far somebody says to have come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MarkRequest {
    /// Who.
    pub actor: Actor,
    /// Has read up to this message.
    pub read: Option<Seq>,
    /// Has received up to this message.
    pub delivered: Option<Seq>,
}

/// A message, and all after it, to be unread again.
#[derive(Debug, Clone, Copy)]
pub struct MarkUnread {
    /// For whom.
    pub actor: Actor,
    /// Where.
    pub conversation: ConversationId,
    /// The first that is unread.
    pub seq: Seq,
    /// The present.
    pub now: Timestamp,
}

/// Receipts.
#[async_trait]
pub trait ReceiptStore: Send + Sync + 'static {
    /// Moves marks forward, each on its own: the answers stand in the order of the requests, and what is refused stops
    /// nobody else. What others may see becomes events of the conversation with up to
    /// [`RECEIPTS_AN_EVENT`](crate::limits::RECEIPTS_AN_EVENT) receipts each. What they may not, and everything in
    /// groups of more than [`RECEIPTS_PARTICIPANTS_MAX`](crate::limits::RECEIPTS_PARTICIPANTS_MAX), becomes an event of
    /// the reader's own stream. Of one who shows no receipts only what they have read moves, for themselves. What has
    /// been reached before is nothing.
    ///
    /// Refusals: [`conversations::Error::NotFound`] to strangers, `NotParticipant`, `SessionEnded`, `Invalid` for a
    /// message that does not exist.
    async fn advance_marks(
        &self,
        advance: AdvanceMarks,
    ) -> Result<Vec<Result<Standing, conversations::Error>>, StoreError>;

    /// Moves the actor's own mark back to before a message, with an event of their own stream. What others see stays.
    /// Nothing where the message is unread already.
    ///
    /// # Errors
    /// As the refusals of [`Self::advance_marks`]; `Invalid` also for a message that the actor may not read.
    async fn mark_unread(&self, mark: MarkUnread) -> Result<Standing, conversations::Error>;

    /// What the user has not read, over all conversations that they are in, by the formula of
    /// [`conversations::unread`](crate::conversations::unread); at most so many of them, the latest message first.
    async fn list_unread(&self, user: UserId, conversations_max: usize) -> Result<UnreadList, StoreError>;
}
