//! `sync`: a page of catch-up by token, or of one stream, on a live socket.

use tidings_core::error::Code;
use tidings_core::ids::{Pos, StreamId};
use tidings_core::services::Services;
use tidings_core::sessions::Actor;
use tidings_core::sync::Error;
use tidings_protocol::socket::SyncAck;
use tidings_protocol::sync::{SyncRequest, SyncResponse};
use tidings_socketio::Event;

use crate::convert;
use crate::decode::{DecodeError, decode_json};
use crate::json::to_json;
use crate::problem::Refused;

use super::ack::refused_ack;

pub(super) async fn on_sync(services: &Services, actor: &Actor, event: &Event) -> String {
    let request =
        match decode_json::<SyncRequest>(event.first_json().unwrap_or("{}").as_bytes(), &services.limits) {
            Ok(request) => request,
            Err(error) => return refused_ack(&error.into()),
        };
    match answer(services, actor, request).await {
        Ok(page) => to_json(&SyncAck { ok: true, page }),
        Err(refused) => refused_ack(&refused),
    }
}

async fn answer(services: &Services, actor: &Actor, request: SyncRequest) -> Result<SyncResponse, Refused> {
    let limit = request.limit.map(|limit| usize::try_from(limit).unwrap_or(usize::MAX));
    match (request.stream, request.since, request.after) {
        (None, since, None) => {
            Ok(convert::sync::sync_page(&services.sync(actor, since.as_deref(), limit).await?))
        }
        (Some(stream), None, Some(after)) => {
            let stream: StreamId = stream.parse().map_err(|_| Error::NotFound)?;
            Ok(convert::sync::stream_gap(&services.sync_stream(actor, stream, Pos(after), limit).await?))
        }
        _ => {
            let detail = "since alone, or stream together with after";
            Err(DecodeError::of_field("/since", Code::Invalid, detail).into())
        }
    }
}
