//! `/api/auth`.

use std::sync::Arc;

use axum::extract::State;
use axum::response::IntoResponse;
use http::StatusCode;
use tidings_core::services::Services;
use tidings_protocol::accounts::{PasswordRequest, RegisterRequest};
use tidings_protocol::sessions::{LoginRequest, RefreshRequest};

use crate::answer::Json;
use crate::convert;
use crate::extract::{Authenticated, JsonBody, NoBody, NoQuery};
use crate::gateway::Remote;
use crate::problem::Refused;

pub(super) async fn post_register(
    State(services): State<Arc<Services>>,
    _: NoQuery,
    remote: Remote,
    JsonBody(request): JsonBody<RegisterRequest>,
) -> Result<impl IntoResponse, Refused> {
    let signed_in = services.register(convert::accounts::register(request), remote.client).await?;
    Ok((StatusCode::CREATED, Json(convert::sessions::signed_in(&signed_in))))
}

pub(super) async fn post_login(
    State(services): State<Arc<Services>>,
    _: NoQuery,
    remote: Remote,
    JsonBody(request): JsonBody<LoginRequest>,
) -> Result<impl IntoResponse, Refused> {
    let signed_in = services.login(&request.login, request.password.0, request.device, remote.client).await?;
    Ok(Json(convert::sessions::signed_in(&signed_in)))
}

pub(super) async fn post_refresh(
    State(services): State<Arc<Services>>,
    _: NoQuery,
    JsonBody(request): JsonBody<RefreshRequest>,
) -> Result<impl IntoResponse, Refused> {
    let tokens = services.refresh(&request.refresh_token.0).await?;
    Ok(Json(convert::sessions::tokens(&tokens)))
}

pub(super) async fn post_logout(
    State(services): State<Arc<Services>>,
    _: NoQuery,
    Authenticated(actor): Authenticated,
    _: NoBody,
) -> Result<impl IntoResponse, Refused> {
    services.logout(&actor).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn post_password(
    State(services): State<Arc<Services>>,
    _: NoQuery,
    Authenticated(actor): Authenticated,
    JsonBody(request): JsonBody<PasswordRequest>,
) -> Result<impl IntoResponse, Refused> {
    let PasswordRequest { current_password, new_password } = request;
    services.change_password(&actor, current_password.0, new_password.0).await?;
    Ok(StatusCode::NO_CONTENT)
}
