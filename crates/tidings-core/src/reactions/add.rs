//! Add: an emoji more on a message, or one more who has it there.

use crate::ids::MessageId;
use crate::ports::store::AddReaction;
use crate::services::Services;
use crate::sessions::Actor;

use super::check::check_emoji;
use super::{Error, Reaction};

impl Services {
    /// Puts an emoji on a message; gives everything that is on it. Twice is once.
    ///
    /// # Errors
    /// [`Error::Invalid`] for what is no emoji, and for one more than the message or the user may have on it; as of any
    /// change of a message.
    pub async fn add_reaction(
        &self,
        actor: &Actor,
        message: MessageId,
        emoji: &str,
    ) -> Result<Vec<Reaction>, Error> {
        let emoji = check_emoji(emoji, &self.limits).map_err(|error| Error::Invalid(vec![error]))?;
        let add = AddReaction {
            actor: *actor,
            message,
            emoji,
            emoji_max: self.limits.message_emoji_max,
            user_emoji_max: self.limits.user_emoji_max,
            now: self.clock.now(),
        };
        self.store.add_reaction(add).await
    }
}
