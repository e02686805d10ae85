//! `/api/server`.

use std::sync::Arc;

use axum::extract::State;
use axum::response::IntoResponse;
use tidings_core::services::Services;
use tidings_protocol::server::ServerInfo;

use crate::answer::Json;
use crate::extract::NoQuery;

/// One more with each release that serves more.
const FEATURE_LEVEL: u32 = 1;

pub(super) async fn get_server(State(services): State<Arc<Services>>, _: NoQuery) -> impl IntoResponse {
    let limits = services.limits.list().into_iter().map(|(name, value)| (name.to_owned(), value as u64));
    Json(ServerInfo {
        name: "tidings".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        feature_level: FEATURE_LEVEL,
        limits: limits.collect(),
    })
}
