//! Which connections have which conversation open: where signals go.
//!
//! A connection's own list is changed under its lock, and the index of the conversation within it; so both agree, and
//! a connection that has gone opens nothing any more. A watch is dropped when nothing of this is locked.

use std::collections::{HashMap, HashSet};

use parking_lot::{Mutex, RwLock};
use tidings_core::ids::{ConversationId, UserId};
use tidings_core::ports::screens::Screens;
use tidings_core::presence::Status;
use tidings_core::signals::{Signal, Watch};
use tidings_socketio::{Connection, SharedFrame};

use crate::convert::signals;
use crate::json::to_json;

use super::{Hub, Member, SHARDS};

/// A connection that has a conversation open.
struct Viewer {
    connection: Connection<Member>,
    opening: u64,
    /// Nothing is shown until it is known that it may.
    watch: Option<Watch>,
}

/// Viewers by conversation.
pub(super) struct Index {
    shards: Vec<RwLock<HashMap<ConversationId, Vec<Viewer>>>>,
    /// Connections that signals have passed by.
    missed: Mutex<Vec<Connection<Member>>>,
}

/// What opening a conversation on a connection comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Opening {
    /// It is on the list under this number, and waits to be admitted.
    Begun(u64),
    /// It waits already.
    Waits,
    /// It is open.
    Open,
    /// There are as many as may be.
    Full,
    /// The connection has ended.
    Ended,
}

impl Default for Index {
    fn default() -> Self {
        Self { shards: (0..SHARDS).map(|_| RwLock::default()).collect(), missed: Mutex::default() }
    }
}

impl Index {
    fn shard(&self, conversation: ConversationId) -> &RwLock<HashMap<ConversationId, Vec<Viewer>>> {
        // The last byte of an id is random.
        &self.shards[usize::from(conversation.as_bytes()[15]) % SHARDS]
    }

    fn insert(&self, conversation: ConversationId, connection: &Connection<Member>, opening: u64) {
        let viewer = Viewer { connection: connection.clone(), opening, watch: None };
        self.shard(conversation).write().entry(conversation).or_default().push(viewer);
    }

    fn remove(&self, conversation: ConversationId, connection: &Connection<Member>) -> Option<Watch> {
        let mut shard = self.shard(conversation).write();
        let viewers = shard.get_mut(&conversation)?;
        let index = viewers.iter().position(|viewer| viewer.connection.id() == connection.id())?;
        let removed = viewers.swap_remove(index);
        if viewers.is_empty() {
            shard.remove(&conversation);
        }
        removed.watch
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
        if let Opening::Begun(number) = opening {
            self.screens.insert(conversation, connection, number);
        }
        opening
    }

    /// Lets that opening see. False where it was closed meanwhile.
    pub(crate) fn admit(
        &self,
        connection: &Connection<Member>,
        conversation: ConversationId,
        opening: u64,
        watch: Watch,
    ) -> bool {
        let mut screen = connection.state().screen();
        if screen.admit(conversation, opening) {
            let mut shard = self.screens.shard(conversation).write();
            let mut viewers = shard.get_mut(&conversation).into_iter().flatten();
            if let Some(viewer) =
                viewers.find(|viewer| viewer.opening == opening && viewer.connection.id() == connection.id())
            {
                viewer.watch = Some(watch);
                return true;
            }
        }
        drop(screen);
        drop(watch);
        false
    }

    /// It is not on the list any more.
    pub(crate) fn close(&self, connection: &Connection<Member>, conversation: ConversationId) {
        let mut screen = connection.state().screen();
        let watch =
            if screen.close(conversation) { self.screens.remove(conversation, connection) } else { None };
        drop(screen);
        drop(watch);
    }

    /// The same, if it is still that opening.
    pub(crate) fn abandon(
        &self,
        connection: &Connection<Member>,
        conversation: ConversationId,
        opening: u64,
    ) {
        let mut screen = connection.state().screen();
        if screen.is_waiting(conversation, opening) && screen.close(conversation) {
            // It was not admitted: there is no watch.
            self.screens.remove(conversation, connection);
        }
    }

    /// The connection has gone.
    pub(super) fn close_all(&self, connection: &Connection<Member>) {
        let open = connection.state().screen().end();
        let removed = open.into_iter().map(|conversation| self.screens.remove(conversation, connection));
        let watches: Vec<_> = removed.collect();
        drop(watches);
    }

    /// That a signal has passed it by is told later.
    fn note_missed(&self, connection: &Connection<Member>) {
        if connection.state().set_missed(true) {
            self.screens.missed.lock().push(connection.clone());
        }
    }
}

impl Screens for Hub {
    fn signal(&self, signal: &Signal, conversations: &[ConversationId], except: Option<UserId>) {
        let mut frame = None;
        // One who looks at two of them is told once.
        let mut told = HashSet::new();
        for conversation in conversations {
            let shard = self.screens.shard(*conversation).read();
            for Viewer { connection, watch, .. } in shard.get(conversation).into_iter().flatten() {
                let is_told = conversations.len() > 1 && !told.insert(connection.id());
                if watch.is_none() || is_told || Some(connection.state().actor().user) == except {
                    continue;
                }
                let frame: &SharedFrame = frame.get_or_insert_with(|| encode(signal));
                let is_given = connection.state().signal(connection, frame);
                self.counters.signalled(is_given);
                if !is_given {
                    self.note_missed(connection);
                }
            }
        }
    }

    fn status(&self, user: UserId) -> Status {
        let shard = self.shard(user).read();
        let connections = shard.get(&user).map_or(&[][..], |slot| &slot.connections);
        let statuses = connections.iter().map(|connection| connection.state().status());
        statuses.max().unwrap_or(Status::Offline)
    }

    fn shows(&self, conversation: ConversationId, user: UserId) -> bool {
        let shard = self.screens.shard(conversation).read();
        let mut viewers = shard.get(&conversation).into_iter().flatten();
        viewers.any(|viewer| viewer.watch.is_some() && viewer.connection.state().actor().user == user)
    }

    fn close_for(&self, conversation: ConversationId, user: UserId) {
        let theirs: Vec<_> = {
            let shard = self.screens.shard(conversation).read();
            let connections = shard.get(&conversation).into_iter().flatten().map(|viewer| &viewer.connection);
            connections.filter(|connection| connection.state().actor().user == user).cloned().collect()
        };
        theirs.iter().for_each(|connection| self.close(connection, conversation));
    }

    fn tell_missed(&self) {
        let missed = std::mem::take(&mut *self.screens.missed.lock());
        let frame = SharedFrame::event("signals:missed", "{}", 0);
        for connection in missed {
            connection.state().set_missed(false);
            // Who shows nothing any more has missed nothing.
            if connection.state().shows_something() && !connection.state().signal(&connection, &frame) {
                self.note_missed(&connection);
            }
        }
    }
}

fn encode(signal: &Signal) -> SharedFrame {
    let signal = signals::signal(signal);
    SharedFrame::event(signal.name(), &to_json(&signal), 0)
}
