//! Where signals go: to who has a conversation before their eyes.

use crate::ids::{ConversationId, UserId};
use crate::presence::Status;
use crate::signals::Signal;

/// The connections of this node, and which conversations each has open.
///
/// A signal is the first to be dropped: whoever reads slowly, or is being brought up to date, is passed over, and told
/// later that they have missed some.
pub trait Screens: Send + Sync + 'static {
    /// Gives the signal, once each, to the connections that have one of the conversations open, but not to those of
    /// `except`, who knows it by themselves.
    fn signal(&self, signal: &Signal, conversations: &[ConversationId], except: Option<UserId>);

    /// Whether the user is here, by the liveliest of their connections.
    fn status(&self, user: UserId) -> Status;

    /// Whether a connection of the user has the conversation open.
    fn shows(&self, conversation: ConversationId, user: UserId) -> bool;

    /// The user may not see the conversation any more.
    fn close_for(&self, conversation: ConversationId, user: UserId);

    /// Tells those who have missed signals, and can take one again, that they have.
    fn tell_missed(&self);
}
