//! `/api/conversations/:id/read`, `delivered`, `unread`, and `/api/unread`.

use std::sync::Arc;

use axum::extract::State;
use axum::response::IntoResponse;
use tidings_core::ids::{ConversationId, Seq};
use tidings_core::receipts::ReceiptKind;
use tidings_core::services::Services;
use tidings_protocol::receipts::MarkRequest;

use crate::answer::Json;
use crate::convert::receipts::{delivered_mark, read_mark, unread_list};
use crate::extract::{Authenticated, JsonBody, NoQuery, PathId};
use crate::problem::Refused;

pub(super) async fn post_read(
    State(services): State<Arc<Services>>,
    Authenticated(actor): Authenticated,
    PathId(conversation): PathId<ConversationId>,
    _: NoQuery,
    JsonBody(request): JsonBody<MarkRequest>,
) -> Result<impl IntoResponse, Refused> {
    let standing = services.mark(&actor, conversation, ReceiptKind::Read, Seq(request.seq)).await?;
    Ok(Json(read_mark(&standing)))
}

pub(super) async fn post_delivered(
    State(services): State<Arc<Services>>,
    Authenticated(actor): Authenticated,
    PathId(conversation): PathId<ConversationId>,
    _: NoQuery,
    JsonBody(request): JsonBody<MarkRequest>,
) -> Result<impl IntoResponse, Refused> {
    let standing = services.mark(&actor, conversation, ReceiptKind::Delivered, Seq(request.seq)).await?;
    Ok(Json(delivered_mark(&standing)))
}

pub(super) async fn post_unread(
    State(services): State<Arc<Services>>,
    Authenticated(actor): Authenticated,
    PathId(conversation): PathId<ConversationId>,
    _: NoQuery,
    JsonBody(request): JsonBody<MarkRequest>,
) -> Result<impl IntoResponse, Refused> {
    let standing = services.mark_unread(&actor, conversation, Seq(request.seq)).await?;
    Ok(Json(read_mark(&standing)))
}

pub(super) async fn get_unread(
    State(services): State<Arc<Services>>,
    Authenticated(actor): Authenticated,
    _: NoQuery,
) -> Result<impl IntoResponse, Refused> {
    Ok(Json(unread_list(&services.list_unread(&actor).await?)))
}
