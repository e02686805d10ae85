//! `conversation:open`, `conversation:close`, `typing:start`, `typing:stop`, `presence:set`: what is on a screen, and
//! what is seen there of others.

use tidings_core::error::{Code, FieldError};
use tidings_core::ids::ConversationId;
use tidings_core::services::Services;
use tidings_protocol::signals::{ConversationEvent, DoneAck, PresenceSetEvent};
use tidings_socketio::{Connection, Event};

use crate::convert::ids::read_id;
use crate::convert::signals::opened;
use crate::hub::{Hub, Member, Opening};
use crate::json::to_json;
use crate::problem::Refused;

use super::decode_event;

/// From here on the connection is shown who writes and who is here.
pub(super) async fn on_conversation_open(
    services: &Services,
    hub: &Hub,
    connection: &Connection<Member>,
    event: &Event,
) -> Result<String, Refused> {
    let conversation = read_conversation(services, event)?;
    let (signals, user) = (&services.signals, connection.state().actor().user);
    let max = services.limits.open_conversations_max;
    match hub.open(connection, conversation, max) {
        Opening::Begun(opening) => match signals.open(user, conversation).await {
            Ok(watch) => {
                if !hub.admit(connection, conversation, opening, watch) {
                    // Closed in this moment, by themselves or because they are out.
                    signals.check_participant(user, conversation).await?;
                }
            }
            Err(error) => {
                hub.abandon(connection, conversation, opening);
                return Err(error.into());
            }
        },
        // The one before is not answered yet: this one asks for itself.
        Opening::Waits => {
            let _watch = signals.open(user, conversation).await?;
            return Ok(to_json(&opened(&signals.see(user, conversation))));
        }
        Opening::Open => {}
        Opening::Full => {
            let detail = format!("{max} are open on this connection: close one first");
            return Err(refused(FieldError::new("/conversationId", Code::TooMany, detail)));
        }
        Opening::Ended => return done(),
    }
    Ok(to_json(&opened(&signals.see(user, conversation))))
}

/// It is not shown any more. What is not open is closed already.
pub(super) fn on_conversation_close(
    services: &Services,
    hub: &Hub,
    connection: &Connection<Member>,
    event: &Event,
) -> Result<String, Refused> {
    hub.close(connection, read_conversation(services, event)?);
    done()
}

/// They write, in what they have open.
pub(super) fn on_typing_start(
    services: &Services,
    connection: &Connection<Member>,
    event: &Event,
) -> Result<String, Refused> {
    let conversation = read_open(services, connection, event)?;
    services.signals.start_typing(conversation, connection.state().actor().user);
    done()
}

/// They have stopped.
pub(super) fn on_typing_stop(
    services: &Services,
    connection: &Connection<Member>,
    event: &Event,
) -> Result<String, Refused> {
    let conversation = read_open(services, connection, event)?;
    services.signals.stop_typing(conversation, connection.state().actor().user);
    done()
}

/// Somebody looks at this device, or nobody.
pub(super) fn on_presence_set(
    services: &Services,
    connection: &Connection<Member>,
    event: &Event,
) -> Result<String, Refused> {
    let PresenceSetEvent { status } = decode_event(event, &services.limits)?;
    let is_away = match status.as_str() {
        "online" => false,
        "away" => true,
        _ => return Err(refused(FieldError::new("/status", Code::Invalid, "online or away"))),
    };
    connection.state().set_away(is_away);
    services.signals.looked(connection.state().actor().user);
    done()
}

fn read_conversation(services: &Services, event: &Event) -> Result<ConversationId, Refused> {
    let ConversationEvent { conversation_id } = decode_event(event, &services.limits)?;
    Ok(read_id(&conversation_id))
}

fn read_open(
    services: &Services,
    connection: &Connection<Member>,
    event: &Event,
) -> Result<ConversationId, Refused> {
    let conversation = read_conversation(services, event)?;
    if connection.state().has_open(conversation) {
        return Ok(conversation);
    }
    let detail = "is not open on this connection: send conversation:open first";
    Err(refused(FieldError::new("/conversationId", Code::Invalid, detail)))
}

fn refused(error: FieldError) -> Refused {
    tidings_core::conversations::Error::Invalid(vec![error]).into()
}

fn done() -> Result<String, Refused> {
    Ok(to_json(&DoneAck { ok: true }))
}
