//! `/api/conversations/:id/participants`, and leaving.

use std::sync::Arc;

use axum::extract::State;
use axum::response::IntoResponse;
use http::StatusCode;
use tidings_core::ids::ConversationId;
use tidings_core::services::Services;
use tidings_protocol::conversations::{AddParticipantsRequest, UpdateParticipantRequest};

use crate::answer::Json;
use crate::extract::{Authenticated, JsonBody, KeyHeader, NoBody, NoQuery, PathId, PathUserId, RawQuery};
use crate::problem::Refused;
use crate::{convert, cursor};

pub(super) async fn get_participants(
    State(services): State<Arc<Services>>,
    Authenticated(actor): Authenticated,
    PathId(conversation): PathId<ConversationId>,
    query: RawQuery,
) -> Result<impl IntoResponse, Refused> {
    let mut query = query.read(&["cursor", "limit"], &[]);
    let (after, limit) = (cursor::from_query(&mut query), query.limit());
    query.finish()?;
    let page = services.list_participants(&actor, conversation, after, limit).await?;
    Ok(Json(convert::conversations::participant_list(&page)))
}

pub(super) async fn post_participants(
    State(services): State<Arc<Services>>,
    Authenticated(actor): Authenticated,
    PathId(conversation): PathId<ConversationId>,
    _: NoQuery,
    KeyHeader(key): KeyHeader,
    JsonBody(request): JsonBody<AddParticipantsRequest>,
) -> Result<impl IntoResponse, Refused> {
    let users = convert::conversations::user_ids(&request.user_ids);
    let participants = services.add_participants(&actor, conversation, users, key).await?;
    Ok(Json(convert::conversations::added_participants(&participants)))
}

pub(super) async fn patch_participant(
    State(services): State<Arc<Services>>,
    Authenticated(actor): Authenticated,
    PathId(conversation): PathId<ConversationId>,
    PathUserId(user): PathUserId,
    _: NoQuery,
    JsonBody(request): JsonBody<UpdateParticipantRequest>,
) -> Result<impl IntoResponse, Refused> {
    let participant = services.update_participant(&actor, conversation, user, &request.role).await?;
    Ok(Json(convert::conversations::participant(&participant)))
}

pub(super) async fn delete_participant(
    State(services): State<Arc<Services>>,
    Authenticated(actor): Authenticated,
    PathId(conversation): PathId<ConversationId>,
    PathUserId(user): PathUserId,
    _: NoQuery,
    _: NoBody,
) -> Result<impl IntoResponse, Refused> {
    services.remove_participant(&actor, conversation, user).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn post_leave(
    State(services): State<Arc<Services>>,
    Authenticated(actor): Authenticated,
    PathId(conversation): PathId<ConversationId>,
    _: NoQuery,
    _: NoBody,
) -> Result<impl IntoResponse, Refused> {
    services.leave_conversation(&actor, conversation).await?;
    Ok(StatusCode::NO_CONTENT)
}
