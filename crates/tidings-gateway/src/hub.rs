//! The connections of this node, by user: where delivery hands its events to sockets.
//!
//! Connecting costs no query and joins no rooms: whoever an event is for is found by user. An event is encoded once,
//! at the first connection that it has, and the one frame is shared by all.

mod connection;
mod encode;
mod expiry;
mod screens;
mod stats;

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use parking_lot::{Mutex, RwLock};
use tidings_core::clock::{Clock, Timestamp};
use tidings_core::events::Event;
use tidings_core::fail_points::{FailPoint, reached};
use tidings_core::histogram::{Histogram, LATENCY_MS};
use tidings_core::ids::{SessionId, UserId};
use tidings_core::ports::outbox::Outbox;
use tidings_core::sync::Token;
use tidings_socketio::Connection;

pub(crate) use connection::Member;
pub(crate) use encode::{encode_live, encode_replayed, encode_with_token};
pub(crate) use screens::Opening;
pub use stats::Stats;

use crate::operations::{Page, SocketCounters};
use crate::problem::Refused;
use crate::socket::ack::expired_args;
use expiry::Expiries;
use stats::Counters;

/// Users are spread over this many locks, so that connects and deliveries seldom meet.
const SHARDS: usize = 64;

/// The connections of this node.
pub struct Hub {
    shards: Vec<RwLock<HashMap<UserId, Slot>>>,
    expiries: Mutex<Expiries>,
    behind: OnceLock<Box<OnBehind>>,
    screens: screens::Index,
    clock: Arc<dyn Clock>,
    /// From an event to its frame in the last queue, in milliseconds.
    latency: Histogram,
    counters: Counters,
    pub(crate) sockets: SocketCounters,
}

/// Brings a connection up to date that has fallen behind since a token.
type OnBehind = dyn Fn(&Connection<Member>, Token) + Send + Sync;

/// One user's connections, oldest first; places are taken before a connection is in the list.
#[derive(Default)]
struct Slot {
    places: usize,
    connections: Vec<Connection<Member>>,
}

/// A place among a user's connections, given back when it is dropped.
pub(crate) struct Place {
    hub: Arc<Hub>,
    user: UserId,
}

impl Hub {
    /// A hub without connections.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Self {
            shards: (0..SHARDS).map(|_| RwLock::default()).collect(),
            expiries: Mutex::default(),
            behind: OnceLock::new(),
            screens: screens::Index::default(),
            clock,
            latency: Histogram::new(LATENCY_MS),
            counters: Counters::default(),
            sockets: SocketCounters::default(),
        })
    }

    /// Who brings connections up to date whose clients read too slowly. Called while an event is handed out: it must
    /// not wait. The first one counts.
    pub(crate) fn on_behind(&self, catch_up: impl Fn(&Connection<Member>, Token) + Send + Sync + 'static) {
        let _ = self.behind.set(Box::new(catch_up));
    }

    /// Takes a place for one more connection of the user; nothing when there are `max` already.
    pub(crate) fn take_place(self: &Arc<Self>, user: UserId, max: usize) -> Option<Place> {
        let mut shard = self.shard(user).write();
        let slot = shard.entry(user).or_default();
        if slot.places >= max {
            return None;
        }
        slot.places += 1;
        Some(Place { hub: Arc::clone(self), user })
    }

    /// From here on what is emitted to the user reaches this connection, which holds it back until it is live.
    pub(crate) fn register(&self, connection: &Connection<Member>) {
        let actor = connection.state().actor();
        if let Some(slot) = self.shard(actor.user).write().get_mut(&actor.user) {
            slot.connections.push(connection.clone());
        }
        self.expiries.lock().insert(actor.expires_at, connection.clone());
    }

    pub(crate) fn unregister(&self, connection: &Connection<Member>) {
        let actor = connection.state().actor();
        if let Some(slot) = self.shard(actor.user).write().get_mut(&actor.user) {
            slot.connections.retain(|other| other.id() != connection.id());
        }
        let mut expiries = self.expiries.lock();
        expiries.remove(connection.state().actor().expires_at, connection.id());
        drop(expiries);
        self.close_all(connection);
    }

    /// The connection has shown another token of its session, which expires at this moment. Gives when it ends
    /// then; nothing where it has ended already.
    pub(crate) fn prolong(
        &self,
        connection: &Connection<Member>,
        expires_at: Timestamp,
    ) -> Option<Timestamp> {
        let mut expiries = self.expiries.lock();
        let before = connection.state().actor().expires_at;
        if !expiries.remove(before, connection.id()) {
            return None;
        }
        // An older token takes nothing away.
        let expires_at = expires_at.max(before);
        connection.state().prolong(expires_at);
        expiries.insert(expires_at, connection.clone());
        Some(expires_at)
    }

    /// Ends the connections whose access token has expired by `now`. Called about once a second.
    pub fn expire(&self, now: Timestamp) {
        let due = self.expiries.lock().take_due(now);
        for connection in due {
            end(&connection, &tidings_core::sessions::Error::TokenExpired.into());
        }
    }

    /// Connections that are registered now.
    #[must_use]
    pub fn connection_count(&self) -> usize {
        let count = |shard: &RwLock<HashMap<UserId, Slot>>| -> usize {
            shard.read().values().map(|slot| slot.connections.len()).sum()
        };
        self.shards.iter().map(count).sum()
    }

    pub(crate) fn write_metrics(&self, page: &mut Page) {
        let stats = self.stats();
        page.value("tidings_events_delivered_total", &[], stats.frames_given);
        page.histogram("tidings_delivery_latency_seconds", &[], &self.latency.counted(), 1_000);
        let (mut websocket, mut polling, mut queued, mut behind) = (0, 0, 0, 0);
        for shard in &self.shards {
            for connection in shard.read().values().flat_map(|slot| &slot.connections) {
                if connection.is_polling() {
                    polling += 1;
                } else {
                    websocket += 1;
                }
                queued += connection.queue_bytes() as u64;
                behind += u64::from(!connection.state().is_live());
            }
        }
        page.value("tidings_connections", &[("transport", "websocket")], websocket);
        page.value("tidings_connections", &[("transport", "polling")], polling);
        page.value("tidings_queue_bytes", &[], queued);
        page.value("tidings_connections_behind", &[], behind);
        page.value("tidings_connections_fell_behind_total", &[], stats.fell_behind);
        page.value("tidings_signals_given_total", &[], stats.signals_given);
        page.value("tidings_signals_dropped_total", &[], stats.signals_dropped);
        self.sockets.write(page);
    }

    /// What the hub has counted since the node was started.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.counters.stats()
    }

    fn shard(&self, user: UserId) -> &RwLock<HashMap<UserId, Slot>> {
        // The last byte of a UUIDv7 is random.
        &self.shards[usize::from(user.as_bytes()[15]) % SHARDS]
    }
}

impl Outbox for Hub {
    fn emit(&self, event: &Arc<Event>, next: &Token, users: &mut dyn Iterator<Item = UserId>) {
        let (mut frame, mut given) = (None, 0);
        for user in users {
            if let Some(slot) = self.shard(user).read().get(&user) {
                for connection in &slot.connections {
                    let frame = frame.get_or_insert_with(|| {
                        self.counters.encoded();
                        let frame = encode_live(event, next);
                        reached(FailPoint::FrameEncoded);
                        frame
                    });
                    given += 1;
                    if let Some(queued_through) = connection.state().deliver(connection, frame, next.through)
                    {
                        self.counters.fell_behind();
                        if let Some(catch_up) = self.behind.get() {
                            catch_up(connection, Token::at(next.epoch, queued_through));
                        }
                    }
                }
            }
        }
        self.counters.emitted(given);
        if given > 0 {
            let took = self.clock.now().0.saturating_sub(event.at.0);
            self.latency.count(u64::try_from(took).unwrap_or_default());
        }
    }

    fn end_session(&self, user: UserId, session: SessionId) {
        let connections = match self.shard(user).read().get(&user) {
            Some(slot) => slot.connections.clone(),
            None => return,
        };
        for connection in
            connections.iter().filter(|connection| connection.state().actor().session == session)
        {
            end(connection, &tidings_core::sessions::Error::Ended.into());
        }
    }
}

/// Says `session:expired` with the reason, and disconnects: the client gets new tokens before it comes back.
pub(crate) fn end(connection: &Connection<Member>, reason: &Refused) {
    // A connection that is closing already needs no reason.
    let _ = connection.emit("session:expired", &expired_args(reason));
    connection.disconnect(reason.code.as_str());
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut shard = self.hub.shard(self.user).write();
        if let Some(slot) = shard.get_mut(&self.user) {
            slot.places -= 1;
            if slot.places == 0 {
                shard.remove(&self.user);
            }
        }
    }
}
