//! Which connections have which conversation open: where signals go.
//!
//! A connection's own list is changed under its lock, and the index of the conversation within it; so both agree, and
//! a connection that has gone opens nothing any more.

use std::collections::{HashMap, HashSet};

use parking_lot::RwLock;
use tidings_core::ids::{ConversationId, UserId};
use tidings_core::ports::screens::Screens;
use tidings_core::presence::Status;
use tidings_core::signals::Signal;
use tidings_socketio::{Connection, SharedFrame};

use crate::convert::signals;
use crate::json::to_json;

use super::{Hub, Member, SHARDS};

/// A connection that has a conversation open.
struct Viewer {
    connection: Connection<Member>,
    /// Whether it may: until that is known nothing is shown.
    is_admitted: bool,
}

/// Viewers by conversation.
pub(super) struct Index {
    shards: Vec<RwLock<HashMap<ConversationId, Vec<Viewer>>>>,
}

/// What opening a conversation on a connection comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Opening {
    /// It is on the list, and waits to be admitted.
    Begun,
    /// It was already.
    Open,
    /// There are as many as may be.
    Full,
    /// The connection has ended.
    Ended,
}

impl Default for Index {
    fn default() -> Self {
        Self { shards: (0..SHARDS).map(|_| RwLock::default()).collect() }
    }
}

impl Index {
    fn shard(&self, conversation: ConversationId) -> &RwLock<HashMap<ConversationId, Vec<Viewer>>> {
        // The last byte of an id is random.
        &self.shards[usize::from(conversation.as_bytes()[15]) % SHARDS]
    }

    fn insert(&self, conversation: ConversationId, connection: &Connection<Member>) {
        let viewer = Viewer { connection: connection.clone(), is_admitted: false };
        self.shard(conversation).write().entry(conversation).or_default().push(viewer);
    }

    /// Gives whether it had been admitted.
    fn remove(&self, conversation: ConversationId, connection: &Connection<Member>) -> bool {
        let mut shard = self.shard(conversation).write();
        let Some(viewers) = shard.get_mut(&conversation) else { return false };
        let Some(index) = viewers.iter().position(|viewer| viewer.connection.id() == connection.id()) else {
            return false;
        };
        let removed = viewers.swap_remove(index);
        if viewers.is_empty() {
            shard.remove(&conversation);
        }
        removed.is_admitted
    }
}

impl Hub {
    /// Puts the conversation on the connection's list, where `max` have room.
    pub(crate) fn open(
        &self,
        connection: &Connection<Member>,
        conversation: ConversationId,
        max: usize,
    ) -> Opening {
        let mut screen = connection.state().screen();
        let opening = screen.open(conversation, max);
        if opening == Opening::Begun {
            self.screens.insert(conversation, connection);
        }
        opening
    }

    /// Lets it see. False where it was closed meanwhile.
    pub(crate) fn admit(&self, connection: &Connection<Member>, conversation: ConversationId) -> bool {
        let _screen = connection.state().screen();
        let mut shard = self.screens.shard(conversation).write();
        let mut viewers = shard.get_mut(&conversation).into_iter().flatten();
        let found = viewers.find(|viewer| viewer.connection.id() == connection.id());
        found.map(|viewer| viewer.is_admitted = true).is_some()
    }

    /// Gives whether it was open.
    pub(crate) fn close(&self, connection: &Connection<Member>, conversation: ConversationId) -> bool {
        let mut screen = connection.state().screen();
        screen.close(conversation) && self.screens.remove(conversation, connection)
    }

    /// The connection has gone. Gives what it had open.
    pub(super) fn close_all(&self, connection: &Connection<Member>) -> Vec<ConversationId> {
        let mut open = connection.state().screen().end();
        open.retain(|conversation| self.screens.remove(*conversation, connection));
        open
    }
}

impl Screens for Hub {
    fn signal(&self, signal: &Signal, conversations: &[ConversationId], except: Option<UserId>) {
        let mut frame = None;
        // One who looks at two of them is told once.
        let mut told = HashSet::new();
        for conversation in conversations {
            let shard = self.screens.shard(*conversation).read();
            for Viewer { connection, is_admitted } in shard.get(conversation).into_iter().flatten() {
                let is_told = conversations.len() > 1 && !told.insert(connection.id());
                if !is_admitted || is_told || Some(connection.state().actor().user) == except {
                    continue;
                }
                let frame: &SharedFrame = frame.get_or_insert_with(|| encode(signal));
                let is_given = connection.state().signal(connection, frame);
                self.counters.signalled(is_given);
            }
        }
    }

    fn status(&self, user: UserId) -> Status {
        let shard = self.shard(user).read();
        let connections = shard.get(&user).map_or(&[][..], |slot| &slot.connections);
        let statuses = connections.iter().map(|connection| connection.state().status());
        statuses.max().unwrap_or(Status::Offline)
    }

    fn close_for(&self, conversation: ConversationId, user: UserId) -> usize {
        let theirs: Vec<_> = {
            let shard = self.screens.shard(conversation).read();
            let connections = shard.get(&conversation).into_iter().flatten().map(|viewer| &viewer.connection);
            connections.filter(|connection| connection.state().actor().user == user).cloned().collect()
        };
        theirs.iter().filter(|connection| self.close(connection, conversation)).count()
    }
}

fn encode(signal: &Signal) -> SharedFrame {
    let signal = signals::signal(signal);
    SharedFrame::event(signal.name(), &to_json(&signal), 0)
}
