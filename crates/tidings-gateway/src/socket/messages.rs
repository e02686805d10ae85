//! `message:send`.

use tidings_core::fail_points::{FailPoint, reached};
use tidings_core::services::Services;
use tidings_core::sessions::Actor;
use tidings_protocol::messages::SendMessageRequest;
use tidings_protocol::socket::{MessageAck, SendMessageEvent};
use tidings_socketio::Event;

use crate::convert;
use crate::convert::ids::read_id;
use crate::decode::decode_json;
use crate::json::to_json;
use crate::problem::Refused;

/// Sends a message; the ack comes when it is durable.
pub(super) async fn on_message_send(
    services: &Services,
    actor: &Actor,
    event: &Event,
) -> Result<String, Refused> {
    let body = event.first_json().unwrap_or("null").as_bytes();
    let event: SendMessageEvent = decode_json(body, &services.limits)?;
    let (conversation, request): (String, SendMessageRequest) = event.into();
    let command = convert::messages::send_message(read_id(&conversation), request)?;
    reached(FailPoint::SocketDecoded);
    let sent = services.send_message(actor, command).await?;
    let ack = to_json(&MessageAck { ok: true, message: convert::messages::message(&sent.message) });
    reached(FailPoint::AckEncoded);
    Ok(ack)
}
