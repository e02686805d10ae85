//! Signals: what people see of one another at this moment. They are never stored, have no position, are the first to be
//! dropped, and are over by themselves. They go to who has the conversation open, and to nobody else.
//!
//! [`Signals`] keeps who is typing and who is here, as far as somebody looks. The connections tell it who comes and
//! goes, delivery who is in a conversation, and the clock what is over.

mod open;

use std::sync::Arc;

use parking_lot::Mutex;

use crate::clock::{Clock, Timestamp};
use crate::error::StoreError;
use crate::events::{Event, EventBody};
use crate::ids::{ConversationId, StreamId, UserId};
use crate::limits::{LAST_SEEN_WRITTEN_MAX, PRESENCE_COUNTED_MAX};
use crate::ports::screens::Screens;
use crate::ports::store::Store;
use crate::presence::{Board, Eyes, Hidden, Presence, Status};
use crate::typing::Typing;

pub use open::Opened;

/// What somebody is shown of others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// They are writing.
    TypingStarted {
        /// Where.
        conversation: ConversationId,
        /// Who.
        user: UserId,
    },
    /// They have stopped.
    TypingStopped {
        /// Where.
        conversation: ConversationId,
        /// Who.
        user: UserId,
    },
    /// Somebody has come, gone, or looked away.
    PresenceChanged(Presence),
    /// How many are here, of a conversation that is too large to name them.
    PresenceCounted {
        /// Where.
        conversation: ConversationId,
        /// Of its people, so many.
        online: usize,
    },
}

/// The signals of one node.
pub struct Signals {
    store: Arc<dyn Store>,
    screens: Arc<dyn Screens>,
    clock: Arc<dyn Clock>,
    typing: Typing,
    hidden: Hidden,
    presence: Mutex<Board>,
}

impl Signals {
    /// Nobody is here yet.
    ///
    /// # Errors
    /// The store's.
    pub async fn new(
        store: Arc<dyn Store>,
        screens: Arc<dyn Screens>,
        clock: Arc<dyn Clock>,
    ) -> Result<Arc<Self>, StoreError> {
        let hidden = Hidden::new(store.list_hidden().await?);
        let (typing, presence) = (Typing::default(), Mutex::default());
        Ok(Arc::new(Self { store, screens, clock, typing, hidden, presence }))
    }

    /// Somebody who has the conversation open begins to write, or goes on.
    pub fn start_typing(&self, conversation: ConversationId, user: UserId) {
        if !self.hidden.typing(user) {
            self.typing.start(&*self.screens, conversation, user, self.clock.now());
        }
    }

    /// They have stopped.
    pub fn stop_typing(&self, conversation: ConversationId, user: UserId) {
        self.typing.stop(&*self.screens, conversation, user);
    }

    /// A connection of theirs is here.
    pub fn arrived(&self, user: UserId) {
        self.presence.lock().arrived(user);
    }

    /// A connection of theirs looks away, or back.
    pub fn looked(&self, user: UserId) {
        self.presence.lock().touch(user);
    }

    /// A connection of theirs is gone; before, it was like this.
    pub fn departed(&self, user: UserId, was: Status) {
        let is_last = self.screens.status(user) == Status::Offline;
        let mut presence = self.presence.lock();
        if is_last {
            presence.departed(user, was, self.clock.now());
        } else {
            presence.touch(user);
        }
    }

    /// What a durable event changes in who may see whom.
    pub fn apply(&self, event: &Event) {
        match (&event.body, event.stream) {
            (EventBody::ParticipantJoined(participant), StreamId::Conversation(id)) => {
                self.presence.lock().joined(&self.eyes(), id, participant.user.id);
            }
            (EventBody::ParticipantLeft { user, .. }, StreamId::Conversation(id)) => {
                let closed = self.screens.close_for(id, user.id);
                self.typing.stop(&*self.screens, id, user.id);
                let mut presence = self.presence.lock();
                presence.left(id, user.id);
                presence.close(id, closed);
            }
            (EventBody::UserUpdated(user), _) => {
                self.hidden.set(user.id, user.settings);
                self.presence.lock().touch(user.id);
            }
            _ => {}
        }
    }

    /// What time has changed: called about twice a second. Tells what is news, once, and writes who was last seen when.
    pub async fn tick(&self) {
        self.typing.expire(&*self.screens, self.clock.now());
        let news = self.presence.lock().take_news(&self.eyes());
        for (signal, conversations) in &news.signals {
            let except = match signal {
                Signal::PresenceChanged(presence) => Some(presence.user),
                _ => None,
            };
            self.screens.signal(signal, conversations, except);
        }
        self.write_last_seen(news.gone).await;
        self.count().await;
    }

    /// Counts who is here in large conversations, one after another, as far as it goes this time.
    async fn count(&self) {
        let mut counted = 0;
        let mut first = None;
        while counted < PRESENCE_COUNTED_MAX {
            let Some(conversation) = self.presence.lock().next_large() else { return };
            if first == Some(conversation) {
                return;
            }
            first = first.or(Some(conversation));
            let people = match self.store.list_present(conversation).await {
                Ok(people) => people,
                Err(error) => return tracing::warn!(%error, "who is here is not counted"),
            };
            counted += people.len();
            let online = self.eyes().count(&people);
            if self.presence.lock().counted(conversation, online) {
                let signal = Signal::PresenceCounted { conversation, online };
                self.screens.signal(&signal, &[conversation], None);
            }
        }
    }

    fn eyes(&self) -> Eyes<'_> {
        Eyes { screens: &*self.screens, hidden: &self.hidden, now: self.clock.now() }
    }

    /// Writes down when everybody who has gone was last seen, also those who might still come back: the node stops.
    pub async fn settle(&self) {
        let gone = self.presence.lock().take_gone();
        self.write_last_seen(gone).await;
    }

    async fn write_last_seen(&self, gone: Vec<(UserId, Timestamp)>) {
        for some in gone.chunks(LAST_SEEN_WRITTEN_MAX) {
            if let Err(error) = self.store.set_last_seen(some.to_vec()).await {
                tracing::warn!(%error, people = some.len(), "when they were last seen is not known");
            }
        }
    }
}
