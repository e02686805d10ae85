//! `/api/auth/sessions`.

use std::sync::Arc;

use axum::extract::State;
use axum::response::IntoResponse;
use http::StatusCode;
use tidings_core::ids::SessionId;
use tidings_core::services::Services;

use crate::answer::Json;
use crate::convert;
use crate::extract::{Authenticated, NoBody, NoQuery, PathId};
use crate::problem::Refused;

pub(super) async fn get_sessions(
    State(services): State<Arc<Services>>,
    Authenticated(actor): Authenticated,
    _: NoQuery,
) -> Result<impl IntoResponse, Refused> {
    let sessions = services.list_sessions(&actor).await?;
    Ok(Json(convert::sessions::session_list(&sessions, actor.session)))
}

pub(super) async fn delete_session(
    State(services): State<Arc<Services>>,
    Authenticated(actor): Authenticated,
    PathId(session): PathId<SessionId>,
    _: NoQuery,
    _: NoBody,
) -> Result<impl IntoResponse, Refused> {
    services.end_session(&actor, session).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn delete_all_sessions(
    State(services): State<Arc<Services>>,
    Authenticated(actor): Authenticated,
    _: NoQuery,
    _: NoBody,
) -> Result<impl IntoResponse, Refused> {
    services.end_all_sessions(&actor).await?;
    Ok(StatusCode::NO_CONTENT)
}
