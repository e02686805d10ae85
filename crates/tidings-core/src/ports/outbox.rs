//! Where delivery hands events to the transports.

use std::sync::Arc;

use crate::events::Event;
use crate::ids::{SessionId, UserId};
use crate::sync::Token;

/// The connections of this node.
///
/// - **Order**: what is emitted first is queued first, on every connection.
/// - **Once**: the event is encoded once, whoever gets it.
/// - **Never waits**: a connection that does not follow is the outbox's own trouble.
pub trait Outbox: Send + Sync + 'static {
    /// Queues the event to every connection of the users. `next` resumes after it.
    fn emit(&self, event: &Arc<Event>, next: &Token, users: &mut dyn Iterator<Item = UserId>);

    /// Tells the session's connections that it has ended, and closes them.
    fn end_session(&self, user: UserId, session: SessionId);
}
