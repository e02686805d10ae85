//! REST: the routes. Each handler decodes, calls one service function, encodes.
//!
//! To add an endpoint: its handler beside its noun, named by method and thing (`post_message`), and its line below.

mod auth;
mod conversations;
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

use axum::body::Body;
use axum::extract::{MatchedPath, Request};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::Response;
use axum::routing::{delete, get, post, put};
use axum::{Extension, Router};
use tidings_core::error::Code;
use tidings_core::services::Services;

use crate::operations::Operated;
use crate::problem::Refused;
use crate::rates;

/// Every endpoint.
pub(crate) fn router(services: Arc<Services>, operated: Operated) -> Router {
    Router::new()
        .route("/", get(home::get_home))
        .route("/health", get(health::get_health))
        .route("/health/ready", get(health::get_ready))
        .route("/health/detailed", get(operations::get_detailed))
        .route("/metrics", get(operations::get_metrics))
        .route("/.well-known/jwks.json", get(jwks::get_jwks))
        .route("/api/server", get(server_info::get_server))
        .route("/api/auth/register", post(auth::post_register))
        .route("/api/auth/login", post(auth::post_login))
        .route("/api/auth/refresh", post(auth::post_refresh))
        .route("/api/auth/logout", post(auth::post_logout))
        .route("/api/auth/password", post(auth::post_password))
        .route("/api/auth/sessions", get(sessions::get_sessions))
        .route("/api/auth/sessions/all", delete(sessions::delete_all_sessions))
        .route("/api/auth/sessions/{id}", delete(sessions::delete_session))
        .route("/api/users", get(users::get_users))
        .route("/api/users/me", get(users::get_me).patch(users::patch_me))
        .route("/api/users/{id}", get(users::get_user))
        .route(
            "/api/conversations",
            get(conversations::get_conversations).post(conversations::post_conversation),
        )
        .route("/api/conversations/{id}", get(conversations::get_conversation))
        .route(
            "/api/conversations/{id}/participants",
            get(participants::get_participants).post(participants::post_participants),
        )
        .route(
            "/api/conversations/{id}/participants/{userId}",
            delete(participants::delete_participant).patch(participants::patch_participant),
        )
        .route("/api/conversations/{id}/preferences", put(conversations::put_preferences))
        .route("/api/conversations/{id}/leave", post(participants::post_leave))
        .route("/api/conversations/{id}/messages", get(messages::get_messages).post(messages::post_message))
        .route(
            "/api/messages/{id}",
            get(messages::get_message)
                .patch(messages::patch_message)
                .put(messages::patch_message)
                .delete(messages::delete_message),
        )
        .route("/api/conversations/{id}/read", post(receipts::post_read))
        .route("/api/conversations/{id}/delivered", post(receipts::post_delivered))
        .route("/api/conversations/{id}/unread", post(receipts::post_unread))
        .route("/api/unread", get(receipts::get_unread))
        .route("/api/messages/{id}/edits", get(messages::get_edits))
        .route("/api/messages/{id}/reactions", post(reactions::post_reaction))
        .route("/api/messages/{id}/reactions/{emoji}", delete(reactions::delete_reaction))
        .route("/api/sync", get(sync::get_sync))
        .fallback(async || Refused::new(Code::NotFound, "Nothing is served at this path."))
        .method_not_allowed_fallback(async || {
            Refused::new(Code::MethodNotAllowed, "The header Allow names the methods of this path.")
        })
        .route_layer(from_fn_with_state(Arc::clone(&services), rates::limit))
        .route_layer(from_fn(say_route))
        .layer(Extension(operated))
        .with_state(services)
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
