//! `/api/messages/:id/reactions`.

use std::sync::Arc;

use axum::extract::State;
use axum::response::IntoResponse;
use tidings_core::ids::MessageId;
use tidings_core::reactions::Reaction;
use tidings_core::services::Services;
use tidings_protocol::messages::{ReactionList, ReactionRequest};

use crate::answer::Json;
use crate::convert;
use crate::extract::{Authenticated, JsonBody, NoBody, NoQuery, PathEmoji, PathId};
use crate::problem::Refused;

pub(super) async fn post_reaction(
    State(services): State<Arc<Services>>,
    Authenticated(actor): Authenticated,
    PathId(message): PathId<MessageId>,
    _: NoQuery,
    JsonBody(request): JsonBody<ReactionRequest>,
) -> Result<impl IntoResponse, Refused> {
    Ok(answer(&services.add_reaction(&actor, message, &request.emoji).await?))
}

pub(super) async fn delete_reaction(
    State(services): State<Arc<Services>>,
    Authenticated(actor): Authenticated,
    PathId(message): PathId<MessageId>,
    PathEmoji(emoji): PathEmoji,
    _: NoQuery,
    _: NoBody,
) -> Result<impl IntoResponse, Refused> {
    Ok(answer(&services.remove_reaction(&actor, message, &emoji).await?))
}

fn answer(reactions: &[Reaction]) -> Json<ReactionList> {
    Json(ReactionList { reactions: convert::reactions::list(reactions) })
}
