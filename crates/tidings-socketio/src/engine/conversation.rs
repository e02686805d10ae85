//! What a session is for: the application's side, above packets and below nothing.

use std::sync::Arc;
use std::task::Context;

use tokio::time::Instant;

use super::link::Link;
use super::message::Message;
use crate::close::CloseReason;
use crate::peer::Peer;

/// The application's side of one session. Called by the session's task alone.
pub(crate) trait Conversation: Send + Unpin {
    /// Whether one more message may be taken.
    fn has_room(&self) -> bool;

    /// Takes one message.
    fn on_message(&mut self, message: Message, cx: &mut Context<'_>, now: Instant)
    -> Result<(), CloseReason>;

    /// Lets the application's futures go on.
    fn poll_work(&mut self, cx: &mut Context<'_>, now: Instant) -> Result<(), CloseReason>;

    /// When waiting for the client's next step ends, and what the session then ends with.
    fn deadline(&self) -> Option<(Instant, CloseReason)>;

    /// The session is over: its futures are dropped and it is told, once. What it queues now is still written, if
    /// the reason leaves time for it.
    fn leave(&mut self, reason: CloseReason);
}

/// Begins conversations.
pub(crate) trait Protocol: Send + Sync + 'static {
    /// Of one session.
    type Conversation: Conversation + 'static;

    /// A session has been opened.
    fn begin(&self, link: &Arc<Link>, peer: Peer, now: Instant) -> Self::Conversation;
}
