//! Remove: the actor's own, and nobody else's.

use crate::ids::MessageId;
use crate::ports::store::RemoveReaction;
use crate::services::Services;
use crate::sessions::Actor;

use super::check::check_emoji;
use super::{Error, Reaction};

impl Services {
    /// Takes the actor's emoji from a message; gives everything that is on it. Twice is once.
    ///
    /// # Errors
    /// [`Error::Invalid`] for what is no emoji; as of any change of a message.
    pub async fn remove_reaction(
        &self,
        actor: &Actor,
        message: MessageId,
        emoji: &str,
    ) -> Result<Vec<Reaction>, Error> {
        let emoji = check_emoji(emoji, &self.limits).map_err(|error| Error::Invalid(vec![error]))?;
        let remove = RemoveReaction { actor: *actor, message, emoji, now: self.clock.now() };
        self.store.remove_reaction(remove).await
    }
}
