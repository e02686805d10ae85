//! REST: the routes. Each handler decodes, calls one service function, encodes.
//!
//! To add an endpoint: its handler beside its noun, named by method and thing (`post_message`), and its line in
//! `operations!`, from which both the router and the `OpenAPI` document are made; and its rate limit, in `rates.rs`.

mod auth;
mod conversations;
mod docs;
mod health;
mod home;
mod jwks;
mod messages;
mod operations;
mod participants;
mod reactions;
mod receipts;
mod server_info;
mod sessions;
mod sync;
mod users;

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{MatchedPath, Request};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::Response;
use axum::routing::{delete, get, patch, post, put};
use axum::{Extension, Router};
use http::Method;
use http::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};
use tidings_core::error::Code;
use tidings_core::services::Services;
use tower_http::cors::{AllowOrigin, CorsLayer};

use crate::answer::REPLAYED;
use crate::extract::IDEMPOTENCY_KEY;
use crate::gateway::{Origins, REQUEST_ID, Web};
use crate::operations::Operated;
use crate::problem::Refused;
use crate::rates;

/// How long a browser may remember what a page of another origin may do: as long as any does.
const PREFLIGHT_AGE: Duration = Duration::from_secs(7_200);

/// By what browsers reach the server.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scheme(pub &'static str);

/// Who may ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    Anybody,
    /// Who is logged in.
    Users,
    /// The machine itself, and who is named in the configuration.
    Operators,
}

/// One operation, as the document has it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Operation {
    pub method: &'static str,
    pub path: &'static str,
    pub access: Access,
    pub summary: &'static str,
    /// Parameters behind the path, none of which has to be there.
    pub query: &'static [&'static str],
    /// The schema of the body that it takes.
    pub takes: Option<&'static str>,
    /// What success is.
    pub status: u16,
    /// The schema of the body that it gives then.
    pub gives: Option<&'static str>,
}

/// Makes the router and the list of its operations of the same lines, so that neither has what the other lacks.
macro_rules! operations {
    ($($method:ident $path:literal $handler:path, $access:ident, $summary:literal, $query:expr
        $(, $takes:ident)? => $status:literal $($gives:ident)?;)*) => {
        /// Every operation, in the order of the document.
        pub(crate) const OPERATIONS: &[Operation] = &[$(Operation {
            method: stringify!($method),
            path: $path,
            access: Access::$access,
            summary: $summary,
            query: &$query,
            takes: named(&[$(stringify!($takes))?]),
            status: $status,
            gives: named(&[$(stringify!($gives))?]),
        },)*];

        fn routes() -> Router<Arc<Services>> {
            Router::new()$(.route($path, $method($handler)))*
        }
    };
}

const fn named(name: &[&'static str]) -> Option<&'static str> {
    match name {
        [name] => Some(name),
        _ => None,
    }
}

operations! {
    get "/" home::get_home, Anybody, "What this is, for people", [] => 200;
    get "/docs" docs::get_docs, Anybody, "This interface, for people", [] => 200;
    get "/health" health::get_health, Anybody, "The process answers", [] => 200 Health;
    get "/health/ready" health::get_ready, Anybody, "It can serve", [] => 200 Health;
    get "/health/detailed" operations::get_detailed, Operators, "Each part by itself", [] => 200 DetailedHealth;
    get "/metrics" operations::get_metrics, Operators, "Everything that is counted, for Prometheus", [] => 200;
    get "/.well-known/jwks.json" jwks::get_jwks, Anybody, "The public keys of access tokens", [] => 200 Jwks;
    get "/api/server" server_info::get_server, Anybody, "Version and limits", [] => 200 ServerInfo;
    get "/api/openapi.json" docs::get_openapi, Anybody, "This document", [] => 200;
    post "/api/auth/register" auth::post_register, Anybody, "Make an account and log in", [], RegisterRequest => 201 SignedIn;
    post "/api/auth/login" auth::post_login, Anybody, "Log in", [], LoginRequest => 200 SignedIn;
    post "/api/auth/refresh" auth::post_refresh, Anybody, "New tokens for a refresh token", [], RefreshRequest => 200 Tokens;
    post "/api/auth/logout" auth::post_logout, Users, "End this session", [] => 204;
    post "/api/auth/password" auth::post_password, Users, "Change the password; the other sessions end", [], PasswordRequest => 204;
    get "/api/auth/sessions" sessions::get_sessions, Users, "One's own sessions", [] => 200 SessionList;
    delete "/api/auth/sessions/all" sessions::delete_all_sessions, Users, "End all sessions", [] => 204;
    delete "/api/auth/sessions/{id}" sessions::delete_session, Users, "End one session", [] => 204;
    get "/api/users" users::get_users, Users, "Find people by the beginnings of their names", ["q", "limit"] => 200 UserList;
    get "/api/users/me" users::get_me, Users, "One's own account", [] => 200 Me;
    patch "/api/users/me" users::patch_me, Users, "Change one's own account", [], UpdateMeRequest => 200 Me;
    get "/api/users/{id}" users::get_user, Users, "Somebody", [] => 200 User;
    get "/api/conversations" conversations::get_conversations, Users, "One's conversations, pinned ones first, then by the latest message", ["q", "kind", "archived", "cursor", "limit"] => 200 ConversationList;
    post "/api/conversations" conversations::post_conversation, Users, "Make a conversation, or find it", [], CreateConversationRequest => 201 Conversation;
    get "/api/conversations/{id}" conversations::get_conversation, Users, "A conversation", [] => 200 Conversation;
    get "/api/conversations/{id}/participants" participants::get_participants, Users, "Who is in it", ["cursor", "limit"] => 200 ParticipantList;
    post "/api/conversations/{id}/participants" participants::post_participants, Users, "Add people to a group", [], AddParticipantsRequest => 200 AddedParticipants;
    delete "/api/conversations/{id}/participants/{userId}" participants::delete_participant, Users, "Take somebody out of a group", [] => 204;
    patch "/api/conversations/{id}/participants/{userId}" participants::patch_participant, Users, "Give somebody a role", [], UpdateParticipantRequest => 200 Participant;
    put "/api/conversations/{id}/preferences" conversations::put_preferences, Users, "Pin, archive, mute, for oneself", [], PreferencesRequest => 200 Preferences;
    post "/api/conversations/{id}/leave" participants::post_leave, Users, "Leave a group", [] => 204;
    get "/api/conversations/{id}/messages" messages::get_messages, Users, "A page of history", ["before", "after", "around", "limit"] => 200 HistoryPage;
    post "/api/conversations/{id}/messages" messages::post_message, Users, "Send a message", [], SendMessageRequest => 201 Message;
    post "/api/conversations/{id}/read" receipts::post_read, Users, "Mark as read, up to and with a message", [], MarkRequest => 200 ReadMark;
    post "/api/conversations/{id}/delivered" receipts::post_delivered, Users, "Mark as received", [], MarkRequest => 200 DeliveredMark;
    post "/api/conversations/{id}/unread" receipts::post_unread, Users, "Mark as unread, from a message on", [], MarkRequest => 200 ReadMark;
    get "/api/unread" receipts::get_unread, Users, "What is unread, over all conversations", [] => 200 UnreadList;
    get "/api/messages/{id}" messages::get_message, Users, "A message", [] => 200 Message;
    patch "/api/messages/{id}" messages::patch_message, Users, "Edit a message", [], EditMessageRequest => 200 Message;
    put "/api/messages/{id}" messages::patch_message, Users, "The same", [], EditMessageRequest => 200 Message;
    delete "/api/messages/{id}" messages::delete_message, Users, "Delete a message", [] => 200 Message;
    get "/api/messages/{id}/edits" messages::get_edits, Users, "What it said", [] => 200 MessageVersionList;
    post "/api/messages/{id}/reactions" reactions::post_reaction, Users, "Put an emoji on it", [], ReactionRequest => 200 ReactionList;
    delete "/api/messages/{id}/reactions/{emoji}" reactions::delete_reaction, Users, "Take an emoji away", [] => 200 ReactionList;
    get "/api/sync" sync::get_sync, Users, "What was missed, by token or in one stream", ["since", "stream", "after", "limit"] => 200 SyncResponse;
}

/// Every endpoint.
pub(crate) fn router(services: Arc<Services>, operated: Operated, web: &Web) -> Router {
    let router = routes()
        .fallback(async || Refused::new(Code::NotFound, "Nothing is served at this path."))
        .method_not_allowed_fallback(async || {
            Refused::new(Code::MethodNotAllowed, "The header Allow names the methods of this path.")
        })
        .route_layer(from_fn_with_state(Arc::clone(&services), rates::limit))
        .route_layer(from_fn(say_route))
        .layer(Extension(operated))
        .layer(Extension(Scheme(if web.is_tls { "https" } else { "http" })))
        .with_state(services);
    match &web.origins {
        Origins::These(origins) if origins.is_empty() => router,
        Origins::These(origins) => router.layer(sharing(AllowOrigin::list(origins.iter().cloned()))),
        Origins::Any => router.layer(sharing(AllowOrigin::any())),
    }
}

/// Lets pages of these origins ask, and see what they need of the answers.
fn sharing(origins: AllowOrigin) -> CorsLayer {
    let [policy, standing] = rates::HEADERS;
    CorsLayer::new()
        .allow_origin(origins)
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
        .allow_headers([AUTHORIZATION, CONTENT_TYPE, IDEMPOTENCY_KEY])
        .expose_headers([RETRY_AFTER, REQUEST_ID, REPLAYED, policy, standing])
        .max_age(PREFLIGHT_AGE)
}

/// Which route it was, for who counts.
async fn say_route(request: Request<Body>, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().cloned();
    let mut response = next.run(request).await;
    if let Some(route) = route {
        response.extensions_mut().insert(route);
    }
    response
}
