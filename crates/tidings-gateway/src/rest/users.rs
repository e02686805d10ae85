//! `/api/users`.

use std::sync::Arc;

use axum::extract::State;
use axum::response::IntoResponse;
use tidings_core::error::Code;
use tidings_core::ids::UserId;
use tidings_core::services::Services;
use tidings_protocol::accounts::UpdateMeRequest;

use crate::answer::Json;
use crate::convert;
use crate::extract::{Authenticated, JsonBody, NoQuery, PathId, RawQuery};
use crate::problem::Refused;

pub(super) async fn get_me(
    State(services): State<Arc<Services>>,
    Authenticated(actor): Authenticated,
    _: NoQuery,
) -> Result<impl IntoResponse, Refused> {
    let user = services.get_user(&actor, actor.user).await?;
    Ok(Json(convert::accounts::me(&user)))
}

pub(super) async fn patch_me(
    State(services): State<Arc<Services>>,
    Authenticated(actor): Authenticated,
    _: NoQuery,
    JsonBody(request): JsonBody<UpdateMeRequest>,
) -> Result<impl IntoResponse, Refused> {
    let user = services.update_user(&actor, convert::accounts::update_me(request)).await?;
    Ok(Json(convert::accounts::me(&user)))
}

pub(super) async fn get_users(
    State(services): State<Arc<Services>>,
    Authenticated(actor): Authenticated,
    query: RawQuery,
) -> Result<impl IntoResponse, Refused> {
    let mut query = query.read(&["q", "limit"], &[]);
    let text = query.search("q", services.limits.query_chars_max);
    if text.is_none() {
        query.refuse("q", Code::MissingField, "is needed: the beginning of a name");
    }
    let (text, limit) = (text.unwrap_or_default(), query.limit());
    query.finish()?;
    let users = services.search_users(&actor, &text, limit).await?;
    Ok(Json(convert::accounts::user_list(&users)))
}

pub(super) async fn get_user(
    State(services): State<Arc<Services>>,
    Authenticated(actor): Authenticated,
    PathId(id): PathId<UserId>,
    _: NoQuery,
) -> Result<impl IntoResponse, Refused> {
    let user = services.get_user(&actor, id).await?;
    Ok(Json(convert::accounts::user(&user)))
}
