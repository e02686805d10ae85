//! `sync`: a page of catch-up by token, or of one stream, on a live socket.

use tidings_core::services::Services;
use tidings_core::sessions::Actor;
use tidings_protocol::socket::SyncAck;
use tidings_protocol::sync::SyncRequest;
use tidings_socketio::Event;

use crate::convert::sync::{Wanted, stream_gap, sync_page, wanted};
use crate::decode::decode_json;
use crate::json::to_json;
use crate::problem::Refused;

/// An ack is one packet and must fit into the connection's queue beside what waits there already: an eighth of it in
/// memory, because text that is all escapes grows sixfold as JSON.
const QUEUE_SHARE: usize = 8;

pub(super) async fn on_sync(services: &Services, actor: &Actor, event: &Event) -> Result<String, Refused> {
    let body = event.first_json().unwrap_or("{}").as_bytes();
    let request: SyncRequest = decode_json(body, &services.limits)?;
    let limit = request.limit.map(|limit| usize::try_from(limit).unwrap_or(usize::MAX));
    let bytes_max = services.limits.connection_queue_bytes_max / QUEUE_SHARE;
    let page = match wanted(request.since, request.stream.as_deref(), request.after)? {
        Wanted::Since(since) => sync_page(&services.sync(actor, since.as_deref(), limit, bytes_max).await?),
        Wanted::Stream(stream, after) => {
            stream_gap(&services.sync_stream(actor, stream, after, limit, bytes_max).await?)
        }
    };
    Ok(to_json(&SyncAck { ok: true, page }))
}
