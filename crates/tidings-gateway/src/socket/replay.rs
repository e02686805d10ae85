//! Bringing a connection up to date: what the device has missed, page by page, and then live. At the beginning of a
//! connection, and again whenever its client has read so slowly that live frames were passed over.

use std::sync::Arc;

use tidings_core::ids::LogId;
use tidings_core::services::Services;
use tidings_core::sync::{SyncPage, Token};
use tidings_protocol::socket::{Ready, ReplayedPage, Reset};
use tidings_socketio::Connection;

use crate::convert::sync::skipped_stream;
use crate::hub::{Member, encode_replayed, encode_with_token};
use crate::problem::Refused;

/// A replay goes on when no more than this part of the queue waits for the client. The queue holds four of the largest
/// frames (the configuration sees to it): this, one more frame, and half of it for what was held back meanwhile.
const QUEUE_SHARE: usize = 4;

/// Replays what the connection has missed since the token in its handshake, says `ready`, and lets it live. The
/// connection is registered already.
pub(super) async fn begin(services: Arc<Services>, connection: Connection<Member>) {
    let since = connection.state().since.clone();
    run(&services, &connection, since, true).await;
}

/// The same for a connection that was live and has fallen behind.
pub(super) async fn catch_up(services: Arc<Services>, connection: Connection<Member>, since: Token) {
    run(&services, &connection, Some(since.to_string()), false).await;
}

async fn run(services: &Services, connection: &Connection<Member>, mut since: Option<String>, is_new: bool) {
    let queued_bytes_max = services.limits.connection_queue_bytes_max / QUEUE_SHARE;
    // Around once more where more came meanwhile than may be held back; a client that does not read at all is closed.
    while connection.is_open() {
        connection.drained(queued_bytes_max).await;
        connection.state().hold();
        let Some((next, through)) = replay(services, connection, since, queued_bytes_max).await else {
            return;
        };
        connection.drained(queued_bytes_max).await;
        let say_ready = || {
            if is_new {
                emit(connection, "ready", &ready(services, connection, &next), &next);
            }
        };
        if connection.state().go_live(connection, through, say_ready) {
            return;
        }
        since = Some(next.to_string());
    }
}

/// Replays page by page through a place in the log that was reached after this was called. Gives the token and the place.
async fn replay(
    services: &Services,
    connection: &Connection<Member>,
    mut since: Option<String>,
    queued_bytes_max: usize,
) -> Option<(Token, LogId)> {
    let actor = connection.state().actor;
    // A device may bring the token of a page of its last connection, and what that catch-up ends with may lie long before
    // this connection was registered. Only one that begins here goes through to what comes live.
    let mut begins_here = false;
    // One that is gone needs no page more; this may be a task of its own, which nobody ends.
    while connection.is_open() {
        let page = services.sync(&actor, since.as_deref(), None, services.limits.sync_page_bytes_max).await;
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
            send_page(connection, &page, has_more, queued_bytes_max).await;
        }
        if !has_more {
            return Some((page.next, page.through));
        }
        since = Some(page.next.to_string());
    }
    None
}

async fn send_page(
    connection: &Connection<Member>,
    page: &SyncPage,
    has_more: bool,
    queued_bytes_max: usize,
) {
    for event in &page.events {
        connection.drained(queued_bytes_max).await;
        if connection.send(encode_replayed(event)).is_err() {
            return;
        }
    }
    let replayed = ReplayedPage {
        next: page.next.to_string(),
        has_more,
        skipped: page.skipped.iter().map(skipped_stream).collect(),
    };
    emit(connection, "sync:page", &replayed, &page.next);
}

fn ready(services: &Services, connection: &Connection<Member>, next: &Token) -> Ready {
    let actor = connection.state().actor;
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
