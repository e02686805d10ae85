//! `reaction:add`, `reaction:remove`.

use tidings_core::reactions::Reaction;
use tidings_core::services::Services;
use tidings_core::sessions::Actor;
use tidings_protocol::socket::{ReactionEvent, ReactionsAck};
use tidings_socketio::Event;

use crate::convert;
use crate::convert::ids::read_id;
use crate::json::to_json;
use crate::problem::Refused;

use super::decode_event;

/// Puts an emoji on a message.
pub(super) async fn on_reaction_add(
    services: &Services,
    actor: &Actor,
    event: &Event,
) -> Result<String, Refused> {
    let ReactionEvent { message_id, emoji } = decode_event(event, &services.limits)?;
    Ok(ack(&services.add_reaction(actor, read_id(&message_id), &emoji).await?))
}

/// Takes one's own away.
pub(super) async fn on_reaction_remove(
    services: &Services,
    actor: &Actor,
    event: &Event,
) -> Result<String, Refused> {
    let ReactionEvent { message_id, emoji } = decode_event(event, &services.limits)?;
    Ok(ack(&services.remove_reaction(actor, read_id(&message_id), &emoji).await?))
}

fn ack(reactions: &[Reaction]) -> String {
    to_json(&ReactionsAck { ok: true, reactions: convert::reactions::list(reactions) })
}
