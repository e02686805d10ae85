//! Reactions, as a store keeps them.

use async_trait::async_trait;

use crate::clock::Timestamp;
use crate::ids::MessageId;
use crate::reactions::{self, Reaction};
use crate::sessions::Actor;

/// An emoji to be put on a message.
#[derive(Debug, Clone)]
pub struct AddReaction {
    /// Who puts it there.
    pub actor: Actor,
    /// On which.
    pub message: MessageId,
    /// In its full form.
    pub emoji: String,
    /// How many different ones a message may have.
    pub emoji_max: usize,
    /// How many of them may be the actor's.
    pub user_emoji_max: usize,
    /// The present.
    pub now: Timestamp,
}

/// An emoji to be taken from a message.
#[derive(Debug, Clone)]
pub struct RemoveReaction {
    /// Whose it is.
    pub actor: Actor,
    /// From which.
    pub message: MessageId,
    /// In its full form.
    pub emoji: String,
    /// The present.
    pub now: Timestamp,
}

/// Reactions. What is on a message is given with [`Reaction::mine`] of the actor, the emoji that came first being
/// first.
#[async_trait]
pub trait ReactionStore: Send + Sync + 'static {
    /// Puts the actor's emoji on a message. Twice is once.
    ///
    /// # Errors
    /// [`messages::Error::NotFound`](crate::messages::Error::NotFound) for a message that is not the actor's to read,
    /// `NotParticipant`, `Deleted`, `SessionEnded`; [`reactions::Error::Invalid`] for one too many.
    async fn add_reaction(&self, add: AddReaction) -> Result<Vec<Reaction>, reactions::Error>;

    /// Takes the actor's emoji away. Twice is once.
    ///
    /// # Errors
    /// As of adding one.
    async fn remove_reaction(&self, remove: RemoveReaction) -> Result<Vec<Reaction>, reactions::Error>;
}
