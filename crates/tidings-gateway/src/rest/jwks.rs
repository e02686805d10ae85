//! `/.well-known/jwks.json`: the public keys that access tokens are signed with.

use std::sync::Arc;

use axum::extract::State;
use axum::response::IntoResponse;
use http::header::CACHE_CONTROL;
use tidings_core::services::Services;
use tidings_protocol::server::Jwks;

use crate::answer::Json;

pub(super) async fn get_jwks(State(services): State<Arc<Services>>) -> impl IntoResponse {
    // Keys are added before they are used, so that five minutes are not too long.
    ([(CACHE_CONTROL, "public, max-age=300")], Json(Jwks { keys: services.access.public_keys() }))
}
