//! `messages:read`, `messages:delivered`.

use tidings_core::ids::Seq;
use tidings_core::receipts::ReceiptKind;
use tidings_core::services::Services;
use tidings_core::sessions::Actor;
use tidings_protocol::socket::MarkEvent;
use tidings_socketio::Event;

use crate::convert::ids::read_id;
use crate::convert::receipts::{delivered_ack, read_ack};
use crate::json::to_json;
use crate::problem::Refused;

use super::decode_event;

/// Marks as read; the ack comes when it is durable.
pub(super) async fn on_messages_read(
    services: &Services,
    actor: &Actor,
    event: &Event,
) -> Result<String, Refused> {
    let MarkEvent { conversation_id, seq } = decode_event(event, &services.limits)?;
    let marked = services.mark(actor, read_id(&conversation_id), ReceiptKind::Read, Seq(seq)).await?;
    Ok(to_json(&read_ack(&marked)))
}

/// Marks as received; the ack comes when it is durable.
pub(super) async fn on_messages_delivered(
    services: &Services,
    actor: &Actor,
    event: &Event,
) -> Result<String, Refused> {
    let MarkEvent { conversation_id, seq } = decode_event(event, &services.limits)?;
    let marked = services.mark(actor, read_id(&conversation_id), ReceiptKind::Delivered, Seq(seq)).await?;
    Ok(to_json(&delivered_ack(&marked)))
}
