//! What somebody has chosen for a conversation, for themselves alone.

use crate::clock::Timestamp;
use crate::ids::ConversationId;
use crate::ports::store;
use crate::services::Services;
use crate::sessions::Actor;

use super::Error;

/// As it is for one participant. Clients act on it; the server orders lists by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Preferences {
    /// Quiet until then.
    pub muted_until: Option<Timestamp>,
    /// Kept at the top of lists.
    pub pinned: bool,
    /// Out of the way.
    pub archived: bool,
    /// What notifies.
    pub notify: Notify,
}

/// What notifies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Notify {
    /// Every message.
    #[default]
    All,
    /// Messages that name the person.
    Mentions,
    /// Nothing.
    Nothing,
}

impl Notify {
    /// The stable name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Mentions => "mentions",
            Self::Nothing => "none",
        }
    }

    /// The reverse of [`Self::as_str`].
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::All, Self::Mentions, Self::Nothing].into_iter().find(|notify| notify.as_str() == text)
    }
}

/// What is to be different; nothing where it stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PreferencesChange {
    /// Quiet until then, or not at all.
    pub muted_until: Option<Option<Timestamp>>,
    /// Kept at the top of lists.
    pub pinned: Option<bool>,
    /// Out of the way.
    pub archived: Option<bool>,
    /// What notifies.
    pub notify: Option<Notify>,
}

impl Preferences {
    /// With what is to be different.
    #[must_use]
    pub fn changed(self, change: PreferencesChange) -> Self {
        Self {
            muted_until: change.muted_until.unwrap_or(self.muted_until),
            pinned: change.pinned.unwrap_or(self.pinned),
            archived: change.archived.unwrap_or(self.archived),
            notify: change.notify.unwrap_or(self.notify),
        }
    }
}

impl Services {
    /// Changes what the actor has chosen for a conversation that they are in; their other devices are told. Gives it as
    /// it is then. What is so already is nothing.
    ///
    /// # Errors
    /// [`Error::NotFound`] to strangers, [`Error::NotParticipant`], [`Error::SessionEnded`].
    pub async fn update_preferences(
        &self,
        actor: &Actor,
        conversation: ConversationId,
        change: PreferencesChange,
    ) -> Result<Preferences, Error> {
        let update = store::UpdatePreferences { actor: *actor, conversation, change, now: self.clock.now() };
        self.store.update_preferences(update).await
    }
}
