//! `/api/conversations`.

use std::sync::Arc;

use axum::extract::State;
use axum::response::IntoResponse;
use tidings_core::conversations::{ConversationFilter, ConversationKind};
use tidings_core::error::Code;
use tidings_core::ids::ConversationId;
use tidings_core::services::Services;
use tidings_protocol::conversations::{CreateConversationRequest, PreferencesRequest};

use crate::answer::{Json, made};
use crate::extract::{Authenticated, JsonBody, KeyHeader, NoQuery, PathId, RawQuery};
use crate::problem::Refused;
use crate::{convert, cursor};

pub(super) async fn post_conversation(
    State(services): State<Arc<Services>>,
    Authenticated(actor): Authenticated,
    _: NoQuery,
    KeyHeader(key): KeyHeader,
    JsonBody(request): JsonBody<CreateConversationRequest>,
) -> Result<impl IntoResponse, Refused> {
    let command = convert::conversations::create_conversation(request);
    let created = services.create_conversation(&actor, command, key).await?;
    Ok(made(created.found, convert::conversations::conversation(&created.view)))
}

pub(super) async fn get_conversations(
    State(services): State<Arc<Services>>,
    Authenticated(actor): Authenticated,
    query: RawQuery,
) -> Result<impl IntoResponse, Refused> {
    let mut query = query.read(&["q", "kind", "archived", "cursor", "limit"], &[]);
    let kind = query.text("kind").and_then(|text| {
        let kind = ConversationKind::parse(&text);
        if kind.is_none() {
            query.refuse("kind", Code::BadFormat, "direct, group or self");
        }
        kind
    });
    let archived = query.flag("archived");
    let words = query.words("q", services.limits.query_chars_max);
    let (after, limit) = (cursor::from_query(&mut query), query.limit());
    query.finish()?;
    let filter = ConversationFilter { kind, archived, words };
    let page = services.list_conversations(&actor, filter, after, limit).await?;
    Ok(Json(convert::conversations::conversation_list(&page)))
}

pub(super) async fn put_preferences(
    State(services): State<Arc<Services>>,
    Authenticated(actor): Authenticated,
    PathId(id): PathId<ConversationId>,
    _: NoQuery,
    JsonBody(request): JsonBody<PreferencesRequest>,
) -> Result<impl IntoResponse, Refused> {
    let change = convert::conversations::preferences_change(&request)?;
    let preferences = services.update_preferences(&actor, id, change).await?;
    Ok(Json(convert::conversations::preferences(&preferences)))
}

pub(super) async fn get_conversation(
    State(services): State<Arc<Services>>,
    Authenticated(actor): Authenticated,
    PathId(id): PathId<ConversationId>,
    _: NoQuery,
) -> Result<impl IntoResponse, Refused> {
    let view = services.get_conversation(&actor, id).await?;
    Ok(Json(convert::conversations::conversation(&view)))
}
