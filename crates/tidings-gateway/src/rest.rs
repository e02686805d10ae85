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

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{delete, get, patch, post, put};
use futures_util::FutureExt as _;
use http::Method;
use http::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};
use tidings_core::error::Code;
use tidings_core::services::Services;
use tower_http::cors::{AllowOrigin, CorsLayer};

use crate::answer::REPLAYED;
use crate::extract::IDEMPOTENCY_KEY;
use crate::gateway::{Origins, REQUEST_ID};
use crate::problem::Refused;
use crate::rates;

/// How long a browser may remember what a page of another origin may do: as long as any does.
const PREFLIGHT_AGE: Duration = Duration::from_secs(7_200);

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
    /// Parameters behind the path and in headers.
    pub parameters: &'static [Parameter],
    /// The schema of the body that it takes.
    pub takes: Option<&'static str>,
    /// What success is: first what a request is answered with that has done something, then what one is that has found
    /// it done.
    pub statuses: &'static [u16],
    /// The body that it gives then.
    pub gives: Gives,
}

/// A parameter that is not in the path.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Parameter {
    pub name: &'static str,
    pub sort: Sort,
    pub is_needed: bool,
}

/// What a parameter is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sort {
    Text,
    /// A whole number, 0 or more.
    Number,
    Flag,
    OneOf(&'static [&'static str]),
    /// In a header of its name, not behind the path.
    Header,
}

/// The body of a success.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gives {
    Nothing,
    /// JSON of this schema.
    Shape(&'static str),
    /// Something of this media type.
    Media(&'static str),
}

const fn parameter(name: &'static str, sort: Sort) -> Parameter {
    Parameter { name, sort, is_needed: false }
}

const LIMIT: Parameter = parameter("limit", Sort::Number);
const CURSOR: Parameter = parameter("cursor", Sort::Text);
const AFTER: Parameter = parameter("after", Sort::Number);
const WORDS: Parameter = parameter("q", Sort::Text);
const KEY: Parameter = parameter("Idempotency-Key", Sort::Header);
const HTML: Gives = Gives::Media("text/html");
const JSON: Gives = Gives::Media("application/json");

/// Makes the router and the list of its operations of the same lines, so that neither has what the other lacks.
macro_rules! operations {
    ($($method:ident $path:literal $handler:path, $access:ident, $summary:literal, $parameters:expr
        $(, $takes:ident)? => [$($status:literal),+] $gives:expr;)*) => {
        /// Every operation, in the order of the document.
        pub(crate) const OPERATIONS: &[Operation] = &[$(Operation {
            method: stringify!($method),
            path: $path,
            access: Access::$access,
            summary: $summary,
            parameters: &$parameters,
            takes: named(&[$(stringify!($takes))?]),
            statuses: &[$($status),+],
            gives: $gives,
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
    get "/" home::get_home, Anybody, "What this is, for people", [] => [200] HTML;
    get "/docs" docs::get_docs, Anybody, "This interface, for people", [] => [200] HTML;
    get "/health" health::get_health, Anybody, "The process answers", [] => [200] Gives::Shape("Health");
    get "/health/ready" health::get_ready, Anybody, "It can serve", [] => [200] Gives::Shape("Health");
    get "/health/detailed" operations::get_detailed, Operators, "Each part by itself", [] => [200] Gives::Shape("DetailedHealth");
    get "/metrics" operations::get_metrics, Operators, "Everything that is counted, for Prometheus", [] => [200] Gives::Media("text/plain");
    get "/.well-known/jwks.json" jwks::get_jwks, Anybody, "The public keys of access tokens", [] => [200] Gives::Shape("Jwks");
    get "/api/server" server_info::get_server, Anybody, "Version and limits", [] => [200] Gives::Shape("ServerInfo");
    get "/api/openapi.json" docs::get_openapi, Anybody, "This document", [] => [200] JSON;
    post "/api/auth/register" auth::post_register, Anybody, "Make an account and log in", [], RegisterRequest => [201] Gives::Shape("SignedIn");
    post "/api/auth/login" auth::post_login, Anybody, "Log in", [], LoginRequest => [200] Gives::Shape("SignedIn");
    post "/api/auth/refresh" auth::post_refresh, Anybody, "New tokens for a refresh token", [], RefreshRequest => [200] Gives::Shape("Tokens");
    post "/api/auth/logout" auth::post_logout, Users, "End this session", [] => [204] Gives::Nothing;
    post "/api/auth/password" auth::post_password, Users, "Change the password; the other sessions end", [], PasswordRequest => [204] Gives::Nothing;
    get "/api/auth/sessions" sessions::get_sessions, Users, "One's own sessions", [] => [200] Gives::Shape("SessionList");
    delete "/api/auth/sessions/all" sessions::delete_all_sessions, Users, "End all sessions", [] => [204] Gives::Nothing;
    delete "/api/auth/sessions/{id}" sessions::delete_session, Users, "End one session", [] => [204] Gives::Nothing;
    get "/api/users" users::get_users, Users, "Find people by the beginnings of their names", [Parameter { is_needed: true, ..WORDS }, LIMIT] => [200] Gives::Shape("UserList");
    get "/api/users/me" users::get_me, Users, "One's own account", [] => [200] Gives::Shape("Me");
    patch "/api/users/me" users::patch_me, Users, "Change one's own account", [], UpdateMeRequest => [200] Gives::Shape("Me");
    get "/api/users/{id}" users::get_user, Users, "Somebody", [] => [200] Gives::Shape("User");
    get "/api/conversations" conversations::get_conversations, Users, "One's conversations, pinned ones first, then by the latest message", [WORDS, parameter("kind", Sort::OneOf(&["direct", "group", "self"])), parameter("archived", Sort::Flag), CURSOR, LIMIT] => [200] Gives::Shape("ConversationList");
    post "/api/conversations" conversations::post_conversation, Users, "Make a conversation, or find it", [KEY], CreateConversationRequest => [201, 200] Gives::Shape("Conversation");
    get "/api/conversations/{id}" conversations::get_conversation, Users, "A conversation", [] => [200] Gives::Shape("Conversation");
    get "/api/conversations/{id}/participants" participants::get_participants, Users, "Who is in it", [CURSOR, LIMIT] => [200] Gives::Shape("ParticipantList");
    post "/api/conversations/{id}/participants" participants::post_participants, Users, "Add people to a group", [KEY], AddParticipantsRequest => [200] Gives::Shape("AddedParticipants");
    delete "/api/conversations/{id}/participants/{userId}" participants::delete_participant, Users, "Take somebody out of a group", [] => [204] Gives::Nothing;
    patch "/api/conversations/{id}/participants/{userId}" participants::patch_participant, Users, "Give somebody a role", [], UpdateParticipantRequest => [200] Gives::Shape("Participant");
    put "/api/conversations/{id}/preferences" conversations::put_preferences, Users, "Pin, archive, mute, for oneself", [], PreferencesRequest => [200] Gives::Shape("Preferences");
    post "/api/conversations/{id}/leave" participants::post_leave, Users, "Leave a group", [] => [204] Gives::Nothing;
    get "/api/conversations/{id}/messages" messages::get_messages, Users, "A page of history", [parameter("before", Sort::Number), AFTER, parameter("around", Sort::Number), LIMIT] => [200] Gives::Shape("HistoryPage");
    post "/api/conversations/{id}/messages" messages::post_message, Users, "Send a message", [], SendMessageRequest => [201, 200] Gives::Shape("Message");
    post "/api/conversations/{id}/read" receipts::post_read, Users, "Mark as read, up to and with a message", [], MarkRequest => [200] Gives::Shape("ReadMark");
    post "/api/conversations/{id}/delivered" receipts::post_delivered, Users, "Mark as received", [], MarkRequest => [200] Gives::Shape("DeliveredMark");
    post "/api/conversations/{id}/unread" receipts::post_unread, Users, "Mark as unread, from a message on", [], MarkRequest => [200] Gives::Shape("ReadMark");
    get "/api/unread" receipts::get_unread, Users, "What is unread, over all conversations", [] => [200] Gives::Shape("UnreadList");
    get "/api/messages/{id}" messages::get_message, Users, "A message", [] => [200] Gives::Shape("Message");
    patch "/api/messages/{id}" messages::patch_message, Users, "Edit a message", [], EditMessageRequest => [200] Gives::Shape("Message");
    put "/api/messages/{id}" messages::patch_message, Users, "The same", [], EditMessageRequest => [200] Gives::Shape("Message");
    delete "/api/messages/{id}" messages::delete_message, Users, "Delete a message", [] => [200] Gives::Shape("Message");
    get "/api/messages/{id}/edits" messages::get_edits, Users, "What it said", [] => [200] Gives::Shape("MessageVersionList");
    post "/api/messages/{id}/reactions" reactions::post_reaction, Users, "Put an emoji on it", [], ReactionRequest => [200] Gives::Shape("ReactionList");
    delete "/api/messages/{id}/reactions/{emoji}" reactions::delete_reaction, Users, "Take an emoji away", [] => [200] Gives::Shape("ReactionList");
    get "/api/sync" sync::get_sync, Users, "What was missed, by token or in one stream", [parameter("since", Sort::Text), parameter("stream", Sort::Text), AFTER, LIMIT] => [200] Gives::Shape("SyncResponse");
}

/// Every endpoint. Requests come with the [`Node`](crate::operations::Node).
pub(crate) fn router(services: Arc<Services>, origins: &Origins) -> Router {
    let router = routes()
        .fallback(async || Refused::new(Code::NotFound, "Nothing is served at this path."))
        .method_not_allowed_fallback(async || {
            Refused::new(Code::MethodNotAllowed, "The header Allow names the methods of this path.")
        })
        // One layer: each further one is two allocations and a call through a table for every request.
        .route_layer(from_fn_with_state(Arc::clone(&services), around))
        .with_state(services);
    match origins {
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

/// What is around every route: its rate limit, its panics, and which one it was, for who counts.
async fn around(State(services): State<Arc<Services>>, request: Request<Body>, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().cloned();
    let mut response = outlive_a_panic(rates::limit(&services, request, next)).await;
    if let Some(route) = route {
        response.extensions_mut().insert(route);
    }
    response
}

/// Other requests go on. The panic itself is in the log by its hook.
async fn outlive_a_panic(answer: impl Future<Output = Response>) -> Response {
    AssertUnwindSafe(answer).catch_unwind().await.unwrap_or_else(|_| {
        Refused::new(Code::Internal, "The server's log has the reason under this requestId.").into_response()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Else it were in neither the document nor the tests that walk it.
    #[test]
    fn every_route_is_one_of_the_list() {
        let source = include_str!("rest.rs").split("#[cfg(test)]").next().unwrap();
        let ways = [".route(", ".route_service(", ".nest(", ".nest_service(", ".merge("];
        assert_eq!(ways.map(|way| source.matches(way).count()), [1, 0, 0, 0, 0]);
    }

    #[tokio::test]
    async fn a_panic_is_answered() {
        let mut response = outlive_a_panic(async { panic!("planted") }).await;
        let refused = response.extensions_mut().remove::<Refused>().expect("a refusal");
        assert_eq!(refused.code, Code::Internal);
    }
}
