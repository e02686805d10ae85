//! Bringing a connection up to date: what the device has missed, page by page, and then live. At the beginning of a
//! connection, and again whenever its client has read so slowly that live frames were passed over.

use std::sync::Arc;

use tidings_core::events::Event;
use tidings_core::ids::LogId;
use tidings_core::services::Services;
use tidings_core::sync::{SyncPage, Token};
use tidings_protocol::socket::{Ready, ReplayedPage, Reset};
use tidings_socketio::{Connection, SendError};
use tokio::sync::Semaphore;

use crate::convert::sync::skipped_stream;
use crate::hub::{Member, encode_replayed, encode_with_token};
use crate::problem::Refused;

/// The part of the queue that a replay fills. The queue holds four of the largest frames (the configuration sees to
/// it): this, one more frame, and half of it for what was held back meanwhile.
const QUEUE_SHARE: usize = 4;

/// Events that one connection is given before others have their turn: some hundred microseconds of encoding.
const EVENTS_PER_TURN: usize = 32;
/// Replays whose turn it is, for each core. Each lets other tasks run before its turn ends, and the others wait: so the
/// tasks that deliver live events have few before them in the runtime's queue, also when hundreds catch up at once.
const TURNS_PER_CORE: usize = 2;

/// Brings connections up to date.
pub(super) struct Replays {
    services: Arc<Services>,
    turns: Semaphore,
}

impl Replays {
    pub fn new(services: Arc<Services>) -> Arc<Self> {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Arc::new(Self { services, turns: Semaphore::new(cores * TURNS_PER_CORE) })
    }

    /// Replays what the connection has missed since the token in its handshake, says `ready`, and lets it live. The
    /// connection is registered already.
    pub async fn begin(self: Arc<Self>, connection: Connection<Member>) {
        let since = connection.state().since.clone();
        self.run(&connection, since, true).await;
    }

    /// The same for a connection that was live and has fallen behind.
    pub async fn catch_up(self: Arc<Self>, connection: Connection<Member>, since: Token) {
        self.run(&connection, Some(since.to_string()), false).await;
    }

    async fn run(&self, connection: &Connection<Member>, mut since: Option<String>, is_new: bool) {
        let queued_bytes_max = self.queued_bytes_max();
        // Around once more where more came meanwhile than may be held back; a client that does not read at all is
        // closed.
        while connection.is_open() {
            connection.drained(queued_bytes_max).await;
            connection.state().hold();
            let Some((next, through)) = self.replay(connection, since).await else { return };
            connection.drained(queued_bytes_max).await;
            let say_ready = || {
                if is_new {
                    emit(connection, "ready", &ready(&self.services, connection, &next), &next);
                }
            };
            if connection.state().go_live(connection, through, say_ready) {
                return;
            }
            since = Some(next.to_string());
        }
    }

    /// Replays page by page through a place in the log that was reached after this was called. Gives the token and the
    /// place.
    async fn replay(
        &self,
        connection: &Connection<Member>,
        mut since: Option<String>,
    ) -> Option<(Token, LogId)> {
        let (services, actor) = (&self.services, connection.state().actor());
        // A page waits in memory for its client: no more of it than can be queued at a time.
        let page_bytes_max = services.limits.sync_page_bytes_max.min(self.queued_bytes_max());
        // A device may bring the token of a page of its last connection, and what that catch-up ends with may lie long
        // before this connection was registered. Only one that begins here goes through to what comes live.
        let mut begins_here = false;
        // One that is gone needs no page more; this may be a task of its own, which nobody ends.
        while connection.is_open() {
            // What the tail in memory gives costs as much as encoding some of it; what the store gives is waited for.
            let in_memory = since.as_deref().is_some_and(|since| services.has_whole_gap(&actor, since));
            let turn = if in_memory { Some(self.turns.acquire().await) } else { None };
            let page = services.sync(&actor, since.as_deref(), None, page_bytes_max).await;
            drop(turn);
            let page = match page {
                Ok(page) => page,
                Err(error) => {
                    let refused = Refused::from(error);
                    tracing::warn!(user = %actor.user, code = refused.code.as_str(), "a replay failed");
                    // The transport only: a stock client comes back by itself and resumes by the same token.
                    connection.close("replay_failed");
                    return None;
                }
            };
            begins_here |= !page.is_continued;
            let has_more = page.has_more || !begins_here;
            if let Some(reason) = page.reset {
                let reset = Reset { reason: reason.as_str().to_owned(), next: page.next.to_string() };
                emit(connection, "reset", &reset, &page.next);
            } else if since.is_some() {
                self.send_page(connection, &page, has_more).await;
            }
            if !has_more {
                return Some((page.next, page.through));
            }
            since = Some(page.next.to_string());
        }
        None
    }

    async fn send_page(&self, connection: &Connection<Member>, page: &SyncPage, has_more: bool) {
        let mut events = &page.events[..];
        while !events.is_empty() {
            connection.drained(self.queued_bytes_max()).await;
            let turn = self.turns.acquire().await;
            // One that closes with a full queue is drained by name only: it would go round and round until it is gone.
            if !connection.is_open() {
                return;
            }
            let Ok(sent) = self.send_some(connection, events) else { return };
            tokio::task::yield_now().await;
            drop(turn);
            events = &events[sent..];
        }
        let replayed = ReplayedPage {
            next: page.next.to_string(),
            has_more,
            skipped: page.skipped.iter().map(skipped_stream).collect(),
        };
        emit(connection, "sync:page", &replayed, &page.next);
    }

    /// As many as are a turn's, and as the client has room for. Gives how many.
    fn send_some(&self, connection: &Connection<Member>, events: &[Arc<Event>]) -> Result<usize, SendError> {
        let mut sent = 0;
        for event in events.iter().take(EVENTS_PER_TURN) {
            if connection.queue_bytes() > self.queued_bytes_max() {
                break;
            }
            connection.send(encode_replayed(event))?;
            sent += 1;
        }
        Ok(sent)
    }

    /// A replay goes on when no more than this waits for the client.
    fn queued_bytes_max(&self) -> usize {
        self.services.limits.connection_queue_bytes_max / QUEUE_SHARE
    }
}

fn ready(services: &Services, connection: &Connection<Member>, next: &Token) -> Ready {
    let actor = connection.state().actor();
    Ready {
        user_id: actor.user.to_string(),
        session_id: actor.session.to_string(),
        connection_id: connection.id().to_string(),
        next: next.to_string(),
        server_time: services.clock.now().rfc3339(),
    }
}

/// With the token as the last argument, where Socket.IO's own recovery looks for it. One that has ended needs nothing.
fn emit(connection: &Connection<Member>, name: &str, body: &impl serde::Serialize, next: &Token) {
    let _ = connection.send(encode_with_token(name, body, next, 0));
}
