//! Truth: state, events, and the intentions that change them.
//!
//! Every intention is **atomic** (state, event, idempotency row and counters in one commit), **durable** when it
//! answers, **authorised by itself** (membership, role and session are looked at inside the transaction, so one who was
//! removed a commit earlier cannot write), and **dense** (positions and `seq` are given in the transaction, without
//! holes). Its refusals are data: they never fail a neighbour in the same batch. Applying its events to the state
//! before gives the state after. On [`OutcomeUnknown`](crate::error::StoreError::OutcomeUnknown) it may stand or not,
//! and may be repeated.
//!
//! Reads see everything that was answered before they were asked (read your own writes).
//!
//! To add an intention: a method on its noun's trait, the same file in every store, a test in the contract suite.

mod accounts;
mod conversations;
mod events;
mod messages;
mod reactions;
mod receipts;
mod sessions;

pub use accounts::{AccountStore, UpdateUser, UserChange};
pub use conversations::{
    AddParticipants, ConversationStore, NewConversation, RemoveParticipant, UpdateParticipant,
    UpdatePreferences,
};
pub use events::{
    CatchUp, CatchUpPage, EventStore, Interval, PageMax, ReadStreamError, SkippedStream, StreamPage,
};
pub use messages::{AppendMessage, DeleteMessage, EditMessage, MessageStore};
pub use reactions::{AddReaction, ReactionStore, RemoveReaction};
pub use receipts::{AdvanceMarks, MarkRequest, MarkUnread, ReceiptStore};
pub use sessions::{NewSession, PasswordChange, Revocation, Rotation, SessionStore};

/// Everything a store does.
pub trait Store:
    AccountStore + SessionStore + ConversationStore + MessageStore + ReactionStore + ReceiptStore + EventStore
{
}

impl<T> Store for T where
    T: AccountStore
        + SessionStore
        + ConversationStore
        + MessageStore
        + ReactionStore
        + ReceiptStore
        + EventStore
{
}
