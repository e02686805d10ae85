//! Opening a conversation on a screen: from then on its signals come.

use crate::conversations::{Error, MembershipState};
use crate::ids::{ConversationId, UserId};
use crate::presence::{Presence, Seen};

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

impl Signals {
    /// Begins to watch the conversation for one of its people. The caller's screens show it already, so that a removal
    /// in this moment closes it there; every success is undone by one [`Self::close`].
    ///
    /// # Errors
    /// [`Error::NotFound`] to strangers, [`Error::NotParticipant`].
    pub async fn open(&self, user: UserId, conversation: ConversationId) -> Result<Opened, Error> {
        let membership = self.store.find_membership(user, conversation).await?;
        match membership.map(|membership| membership.state) {
            None => return Err(Error::NotFound),
            Some(MembershipState::Active) => {}
            Some(_) => return Err(Error::NotParticipant),
        }
        let is_known = self.presence.lock().begin(conversation);
        if !is_known {
            match self.store.list_present(conversation).await {
                Ok(people) => self.presence.lock().load(&self.eyes(), conversation, people),
                Err(error) => {
                    self.presence.lock().close(conversation, 1);
                    return Err(error.into());
                }
            }
        }
        Ok(self.see(user, conversation))
    }

    /// How it is now, for one who has it open.
    pub fn see(&self, user: UserId, conversation: ConversationId) -> Opened {
        let Seen { presence, online } = self.presence.lock().seen(&self.eyes(), conversation);
        Opened { presence, online, typing: self.typing.list(conversation, user) }
    }

    /// A connection of theirs does not show it any more.
    pub fn close(&self, user: UserId, conversation: ConversationId) {
        self.stop_typing(conversation, user);
        self.presence.lock().close(conversation, 1);
    }
}
