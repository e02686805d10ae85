//! `message:send`.

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

use super::ack::{ack, refused_ack};

/// Sends a message; the ack comes when it is durable.
pub(super) async fn on_message_send(services: &Services, actor: &Actor, event: &Event) -> String {
    let decoded =
        decode_json::<SendMessageEvent>(event.first_json().unwrap_or("null").as_bytes(), &services.limits);
    let command = decoded.and_then(|event| {
        let (conversation, request): (String, SendMessageRequest) = event.into();
        convert::messages::send_message(read_id(&conversation), request)
    });
    let command = match command {
        Ok(command) => command,
        Err(error) => return refused_ack(&Refused::from(error)),
    };
    let sent = services.send_message(actor, command).await;
    ack(sent, |sent| to_json(&MessageAck { ok: true, message: convert::messages::message(&sent.message) }))
}
