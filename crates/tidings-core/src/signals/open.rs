//! Opening a conversation on a screen: from then on its signals come.

use std::sync::Arc;

use crate::conversations::{Error, MembershipState};
use crate::ids::{ConversationId, UserId};
use crate::limits::PRESENCE_NAMED_MAX;
use crate::presence::{Loaded, Presence, Seen};

use super::Signals;

/// How it is at this moment: what comes later comes as signals.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// Everybody who is in, where they are few enough to be named.
    pub presence: Vec<Presence>,
    /// How many of those who are in are here.
    pub online: usize,
    /// Who is writing, the one who asks aside.
    pub typing: Vec<UserId>,
}

/// That a connection of one of its people looks at a conversation: until this is dropped. Not to be dropped while the
/// screens are locked.
pub struct Watch {
    signals: Arc<Signals>,
    conversation: ConversationId,
    user: UserId,
}

impl Signals {
    /// Begins to watch the conversation for one of its people. The caller's screens have it on their list already, so
    /// that a removal in this moment is seen there.
    ///
    /// # Errors
    /// [`Error::NotFound`] to strangers, [`Error::NotParticipant`].
    pub async fn open(self: &Arc<Self>, user: UserId, conversation: ConversationId) -> Result<Watch, Error> {
        self.check_participant(user, conversation).await?;
        let is_known = self.presence.lock().begin(conversation);
        let watch = Watch { signals: Arc::clone(self), conversation, user };
        if !is_known {
            let turn = usize::from(conversation.as_bytes()[15]) % self.asking.len();
            let _asking = self.asking[turn].lock().await;
            if self.presence.lock().knows(conversation) {
                return Ok(watch);
            }
            let people = self.store.list_present(conversation).await?;
            // Many are counted before anything is locked.
            let loaded = if people.len() > PRESENCE_NAMED_MAX {
                Loaded::Many(self.eyes().count(&people))
            } else {
                Loaded::Few(people)
            };
            self.presence.lock().load(&self.eyes(), conversation, loaded);
        }
        Ok(watch)
    }

    /// Whether the user is in the conversation now.
    ///
    /// # Errors
    /// As of [`Self::open`].
    pub async fn check_participant(&self, user: UserId, conversation: ConversationId) -> Result<(), Error> {
        let membership = self.store.find_membership(user, conversation).await?;
        match membership.map(|membership| membership.state) {
            None => Err(Error::NotFound),
            Some(MembershipState::Active) => Ok(()),
            Some(_) => Err(Error::NotParticipant),
        }
    }

    /// How it is now, for one who has it open.
    pub fn see(&self, user: UserId, conversation: ConversationId) -> Opened {
        let Seen { presence, online } = self.presence.lock().seen(conversation);
        Opened { presence, online, typing: self.typing.list(conversation, user) }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let Self { signals, conversation, user } = self;
        // Who writes on another device goes on.
        if !signals.screens.shows(*conversation, *user) {
            signals.stop_typing(*conversation, *user);
        }
        signals.presence.lock().close(*conversation, signals.clock.now());
    }
}
