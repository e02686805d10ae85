//! `message:send`, `message:edit`, `message:delete`.

use tidings_core::fail_points::{FailPoint, reached};
use tidings_core::messages::Message;
use tidings_core::services::Services;
use tidings_core::sessions::Actor;
use tidings_protocol::messages::{EditMessageRequest, SendMessageRequest};
use tidings_protocol::socket::{DeleteMessageEvent, EditMessageEvent, MessageAck, SendMessageEvent};
use tidings_socketio::Event;

use crate::convert;
use crate::convert::ids::read_id;
use crate::json::to_json;
use crate::problem::Refused;

use super::decode_event;

/// Sends a message; the ack comes when it is durable.
pub(super) async fn on_message_send(
    services: &Services,
    actor: &Actor,
    event: &Event,
) -> Result<String, Refused> {
    let event: SendMessageEvent = decode_event(event, &services.limits)?;
    let (conversation, request): (String, SendMessageRequest) = event.into();
    let command = convert::messages::send_message(read_id(&conversation), request)?;
    reached(FailPoint::SocketDecoded);
    let sent = services.send_message(actor, command).await?;
    let ack = message_ack(&sent.message);
    reached(FailPoint::AckEncoded);
    Ok(ack)
}

/// Edits one; the ack comes when it is durable.
pub(super) async fn on_message_edit(
    services: &Services,
    actor: &Actor,
    event: &Event,
) -> Result<String, Refused> {
    let EditMessageEvent { message_id, content, version } = decode_event(event, &services.limits)?;
    let request = EditMessageRequest { content, version };
    let command = convert::messages::edit_message(read_id(&message_id), request);
    Ok(message_ack(&services.edit_message(actor, command).await?))
}

/// Deletes one; the ack comes when it is durable.
pub(super) async fn on_message_delete(
    services: &Services,
    actor: &Actor,
    event: &Event,
) -> Result<String, Refused> {
    let DeleteMessageEvent { message_id } = decode_event(event, &services.limits)?;
    Ok(message_ack(&services.delete_message(actor, read_id(&message_id)).await?))
}

fn message_ack(message: &Message) -> String {
    to_json(&MessageAck { ok: true, message: convert::messages::message(message) })
}
