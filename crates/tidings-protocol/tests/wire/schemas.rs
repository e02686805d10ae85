//! Every schema, as the OpenAPI document will have it.

use tidings_protocol::{accounts, conversations, events, messages, problem, server, sessions, socket, sync};
use utoipa::OpenApi;

#[derive(OpenApi)]
#[openapi(components(schemas(
    accounts::User,
    accounts::Me,
    accounts::UserSettings,
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
    conversations::Participant,
    conversations::ConversationList,
    conversations::ParticipantList,
    conversations::AddedParticipants,
    conversations::AddParticipantsRequest,
    conversations::CreateConversationRequest,
    messages::Message,
    messages::ReplyTo,
    messages::Reaction,
    messages::SendMessageRequest,
    messages::HistoryPage,
    events::Frame<events::EventBody>,
    events::EventBody,
    events::ParticipantChange,
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
    socket::MessageAck,
    socket::SyncAck,
    socket::RefusedAck,
    problem::Problem,
    problem::FieldProblem,
    server::ServerInfo,
    server::Health,
    server::Jwks,
)))]
struct Document;

/// The components of the document, as JSON.
pub fn all() -> String {
    serde_json::to_string_pretty(&Document::openapi().components).expect("schemas are JSON")
}
