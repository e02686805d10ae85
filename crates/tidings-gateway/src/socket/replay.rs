//! The replay: what the device has missed, page by page, and then live.

use std::sync::Arc;

use tidings_core::services::Services;
use tidings_core::sync::SyncPage;
use tidings_protocol::socket::{Ready, ReplayedPage, Reset};
use tidings_socketio::Connection;

use crate::convert::sync::skipped_stream;
use crate::hub::{Member, encode_replayed};
use crate::json::to_json;
use crate::problem::Refused;

/// A replay goes on when no more than this part of the queue waits for the client. The queue holds four of the largest
/// frames (the configuration sees to it): this, one more frame, and half of it for what was held back meanwhile.
const QUEUE_SHARE: usize = 4;

/// Replays what the connection has missed since its token, then lets it live. The connection is registered already.
pub(super) async fn replay(services: Arc<Services>, connection: Connection<Member>) {
    let actor = connection.state().actor;
    let queued_bytes_max = services.limits.connection_queue_bytes_max / QUEUE_SHARE;
    let mut since = connection.state().since.clone();
    // A device may bring the token of a page of its last connection, and what that catch-up ends with may lie long before
    // this connection was registered. Only one that begins here goes through to what comes live.
    let mut begins_here = false;
    loop {
        let page =
            match services.sync(&actor, since.as_deref(), None, services.limits.sync_page_bytes_max).await {
                Ok(page) => page,
                Err(error) => {
                    let refused = Refused::from(error);
                    tracing::warn!(user = %actor.user, code = refused.code.as_str(), "a replay failed");
                    // The transport only: a stock client comes back by itself and resumes by the same token.
                    connection.close("replay_failed");
                    return;
                }
            };
        begins_here |= !page.is_continued;
        let has_more = page.has_more || !begins_here;
        if let Some(reason) = page.reset {
            let reset = Reset { reason: reason.as_str().to_owned(), next: page.next.to_string() };
            let _ = connection.emit("reset", &to_json(&reset));
        } else if since.is_some() {
            send_page(&connection, &page, has_more, queued_bytes_max).await;
        }
        since = Some(page.next.to_string());
        if !has_more {
            let ready = Ready {
                user_id: actor.user.to_string(),
                session_id: actor.session.to_string(),
                connection_id: connection.id().to_string(),
                next: page.next.to_string(),
                server_time: services.clock.now().rfc3339(),
            };
            connection.drained(queued_bytes_max).await;
            connection.state().go_live(&connection, page.through, &to_json(&ready));
            return;
        }
    }
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
    let _ = connection.emit("sync:page", &to_json(&replayed));
}
