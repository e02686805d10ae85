//! Signals: what people see of one another at this moment. They are never stored, have no position, are the first to be
//! dropped, and are over by themselves. They go to who has the conversation open, and to nobody else.
//!
//! [`Signals`] keeps who is typing and who is here, as far as somebody looks. The connections tell it who comes and
//! goes, delivery who is in a conversation, and the clock what is over.

mod open;

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::accounts::User;
use crate::clock::{Clock, Timestamp};
use crate::error::StoreError;
use crate::events::{Event, EventBody};
use crate::ids::{ConversationId, StreamId, UserId};
use crate::limits::{LAST_SEEN_WAITING_MAX, LAST_SEEN_WRITTEN_MAX};
use crate::ports::screens::Screens;
use crate::ports::store::Store;
use crate::presence::{Board, Eyes, Hidden, Presence, Present, Status};
use crate::typing::Typing;

pub use open::{Opened, Watch};

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

/// Conversations of which the store is asked at a time who is in.
const ASKED_AT_ONCE: usize = 64;

/// The signals of one node.
pub struct Signals {
    store: Arc<dyn Store>,
    screens: Arc<dyn Screens>,
    clock: Arc<dyn Clock>,
    typing: Typing,
    hidden: Hidden,
    presence: Mutex<Board>,
    /// Held while the store is asked who is in a conversation, by the last byte of its id: one asks for all.
    asking: Vec<tokio::sync::Mutex<()>>,
    /// Who has gone and when, to be written.
    gone: Mutex<VecDeque<(UserId, Timestamp)>>,
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
        let (typing, presence, gone) = (Typing::default(), Mutex::default(), Mutex::default());
        let asking = (0..ASKED_AT_ONCE).map(|_| tokio::sync::Mutex::default()).collect();
        Ok(Arc::new(Self { store, screens, clock, typing, hidden, presence, asking, gone }))
    }

    /// Somebody who has the conversation open begins to write, or goes on.
    pub fn start_typing(&self, conversation: ConversationId, user: UserId) {
        if !self.hidden.typing(user) {
            self.typing.start(&*self.screens, conversation, user, &*self.clock);
            // They may have been taken out since somebody looked.
            if !self.screens.shows(conversation, user) {
                self.stop_typing(conversation, user);
            }
        }
    }

    /// They have stopped.
    pub fn stop_typing(&self, conversation: ConversationId, user: UserId) {
        self.typing.stop(&*self.screens, conversation, user, &*self.clock);
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
                let User { id: user, last_seen_at, .. } = participant.user;
                self.presence.lock().joined(&self.eyes(), id, Present { user, last_seen_at });
            }
            (EventBody::ParticipantLeft { user, .. }, StreamId::Conversation(id)) => {
                self.screens.close_for(id, user.id);
                self.stop_typing(id, user.id);
                self.presence.lock().left(id, user.id);
            }
            (EventBody::UserUpdated(user), _) => {
                self.hidden.set(user.id, user.settings);
                self.presence.lock().touch(user.id);
            }
            _ => {}
        }
    }

    /// What time has changed: called about twice a second. Tells what is news, once.
    pub fn tick(&self) {
        self.typing.expire(&*self.screens, &*self.clock);
        let news = self.presence.lock().take_news(&self.eyes());
        for (signal, conversations) in &news.signals {
            let except = match signal {
                Signal::PresenceChanged(presence) => Some(presence.user),
                _ => None,
            };
            self.screens.signal(signal, conversations, except);
        }
        self.screens.tell_missed();
        let mut gone = self.gone.lock();
        gone.extend(news.gone);
        let too_many = gone.len().saturating_sub(LAST_SEEN_WAITING_MAX);
        gone.drain(..too_many);
    }

    /// Counts who is here in one large conversation whose turn it is. Gives how many people were looked at.
    pub async fn count_next(&self) -> usize {
        let next = self.presence.lock().next_large(self.clock.now());
        let Some(conversation) = next else { return 0 };
        let people = match self.store.list_present(conversation).await {
            Ok(people) => people,
            Err(error) => {
                tracing::warn!(%error, "who is here is not counted");
                return 0;
            }
        };
        let online = self.eyes().count(&people);
        if self.presence.lock().counted(conversation, online) {
            let signal = Signal::PresenceCounted { conversation, online };
            self.screens.signal(&signal, &[conversation], None);
        }
        people.len()
    }

    /// Writes down when some of those who have gone were last seen; what fails is tried again the next time. Gives how
    /// many were written.
    pub async fn write_last_seen(&self) -> usize {
        let now = self.clock.now();
        let some: Vec<_> = self.gone.lock().iter().take(LAST_SEEN_WRITTEN_MAX).copied().collect();
        if some.is_empty() {
            return 0;
        }
        let count = some.len();
        if let Err(error) = self.store.set_last_seen(some.clone(), now).await {
            tracing::warn!(%error, people = count, "when they were last seen is not written yet");
            return 0;
        }
        // More may have come behind them meanwhile, and of these the first may have been let go.
        let mut gone = self.gone.lock();
        let let_go = gone.front().and_then(|first| some.iter().position(|one| one == first));
        gone.drain(..let_go.map_or(0, |let_go| count - let_go));
        count
    }

    /// Writes all of it, also of those who might still come back: the node stops.
    pub async fn settle(&self) {
        let gone = self.presence.lock().take_gone();
        self.gone.lock().extend(gone);
        while self.write_last_seen().await > 0 {}
    }

    /// Conversations that somebody has open.
    #[must_use]
    pub fn watched(&self) -> usize {
        self.presence.lock().watched()
    }

    fn eyes(&self) -> Eyes<'_> {
        Eyes { screens: &*self.screens, hidden: &self.hidden, now: self.clock.now() }
    }
}
