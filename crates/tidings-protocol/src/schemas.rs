//! Every schema, as the OpenAPI document has it.

use crate::{
    accounts, conversations, events, messages, problem, receipts, server, sessions, signals, socket, sync,
};
use serde_json::{Map, Value};
use utoipa::OpenApi;

#[derive(OpenApi)]
#[openapi(components(schemas(
    accounts::User,
    accounts::UserList,
    accounts::Me,
    accounts::UserSettings,
    accounts::UpdateMeRequest,
    accounts::UpdateSettings,
    accounts::RegisterRequest,
    accounts::PasswordRequest,
    sessions::Session,
    sessions::SessionList,
    sessions::Tokens,
    sessions::SignedIn,
    sessions::LoginRequest,
    sessions::RefreshRequest,
    conversations::SharedConversation,
    conversations::Conversation,
    conversations::ConversationSettings,
    conversations::MyParticipation,
    conversations::Preferences,
    conversations::PreferencesRequest,
    conversations::Participant,
    conversations::ConversationList,
    conversations::ParticipantList,
    conversations::AddedParticipants,
    conversations::AddParticipantsRequest,
    conversations::UpdateParticipantRequest,
    conversations::CreateConversationRequest,
    messages::Message,
    messages::ReplyTo,
    messages::Reaction,
    messages::SendMessageRequest,
    messages::EditMessageRequest,
    messages::MessageVersion,
    messages::MessageVersionList,
    messages::ReactionRequest,
    messages::ReactionList,
    messages::HistoryPage,
    receipts::MarkRequest,
    receipts::ReadMark,
    receipts::DeliveredMark,
    receipts::UnreadList,
    receipts::UnreadConversation,
    receipts::Receipt,
    receipts::MarksMoved,
    events::Frame<events::EventBody>,
    events::EventBody,
    events::MessageDeleted,
    events::ReactionChange,
    events::ReactionsChanged,
    events::StreamAdvanced,
    events::ParticipantChange,
    events::PreferencesUpdated,
    events::SessionEnded,
    sync::SyncResponse,
    sync::SyncEvent,
    sync::SkippedStream,
    sync::SyncRequest,
    socket::ConnectAuth,
    socket::RenewSessionEvent,
    socket::RenewSessionAck,
    socket::Denied,
    socket::Ready,
    socket::Reset,
    socket::ReplayedPage,
    socket::SendMessageEvent,
    socket::EditMessageEvent,
    socket::DeleteMessageEvent,
    socket::ReactionEvent,
    socket::ReactionsAck,
    socket::MarkEvent,
    socket::ReadAck,
    socket::DeliveredAck,
    signals::Typing,
    signals::Presence,
    signals::PresenceCounted,
    signals::ConversationEvent,
    signals::PresenceSetEvent,
    signals::OpenAck,
    signals::DoneAck,
    socket::MessageAck,
    socket::SyncAck,
    socket::RefusedAck,
    problem::Problem,
    problem::FieldProblem,
    server::ServerInfo,
    server::Health,
    server::DetailedHealth,
    server::StoreHealth,
    server::DiskHealth,
    server::DeliveryHealth,
    server::Jwks,
)))]
struct Document;

/// The schemas by name, as JSON.
#[must_use]
pub fn schemas() -> Map<String, Value> {
    let components = serde_json::to_value(Document::openapi().components).unwrap_or_default();
    let Some(Value::Object(schemas)) = components.get("schemas") else { return Map::new() };
    let mut schemas = schemas.clone();
    for (name, schema) in &mut schemas {
        // By this clients tell one ack from the other; that of a catch-up is put together of two.
        for place in ["/properties/ok", "/allOf/1/properties/ok"] {
            if let Some(ok) = schema.pointer_mut(place) {
                ok["const"] = (name != "RefusedAck").into();
            }
        }
    }
    schemas.values_mut().for_each(any_of);
    schemas
}

/// Events of several names have one shape: `oneOf`, as is written for an untagged enum, would then match none of them.
fn any_of(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            if let Some(alternatives) = object.remove("oneOf") {
                object.insert("anyOf".to_owned(), alternatives);
            }
            object.values_mut().for_each(any_of);
        }
        Value::Array(values) => values.iter_mut().for_each(any_of),
        _ => {}
    }
}
