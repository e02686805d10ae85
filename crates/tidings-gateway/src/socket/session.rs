//! `session:renew`.

use tidings_core::services::Services;
use tidings_core::sessions::Error;
use tidings_protocol::socket::{RenewSessionAck, RenewSessionEvent};
use tidings_socketio::{Connection, Event};

use crate::hub::{Hub, Member};
use crate::json::to_json;
use crate::problem::Refused;

use super::decode_event;

/// Keeps the socket over the life of the token that it was opened with.
pub(super) fn on_session_renew(
    services: &Services,
    hub: &Hub,
    connection: &Connection<Member>,
    event: &Event,
) -> Result<String, Refused> {
    let event: RenewSessionEvent = decode_event(event, &services.limits)?;
    let renewed = services.renew(&connection.state().actor(), &event.token.0)?;
    let expires_at = hub.prolong(connection, renewed.expires_at).ok_or(Error::TokenExpired)?;
    Ok(to_json(&RenewSessionAck { ok: true, expires_at: expires_at.rfc3339() }))
}
