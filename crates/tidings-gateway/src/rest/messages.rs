//! `/api/conversations/:id/messages`, `/api/messages/:id` and its edits.

use std::sync::Arc;

use axum::extract::State;
use axum::response::IntoResponse;
use tidings_core::error::Code;
use tidings_core::fail_points::{FailPoint, reached};
use tidings_core::ids::{ConversationId, MessageId, Seq};
use tidings_core::messages::HistoryAnchor;
use tidings_core::services::Services;
use tidings_protocol::messages::{EditMessageRequest, SendMessageRequest};

use crate::answer::{Json, made};
use crate::convert;
use crate::decode::DecodeError;
use crate::extract::{Authenticated, JsonBody, KeyHeader, NoBody, NoQuery, PathId, RawQuery};
use crate::problem::Refused;
use crate::query::Query;

pub(super) async fn post_message(
    State(services): State<Arc<Services>>,
    Authenticated(actor): Authenticated,
    PathId(conversation): PathId<ConversationId>,
    _: NoQuery,
    KeyHeader(key): KeyHeader,
    JsonBody(request): JsonBody<SendMessageRequest>,
) -> Result<impl IntoResponse, Refused> {
    let command = convert::messages::send_message(conversation, request)?;
    if key.is_some() && command.client_message_id.is_none() {
        // Taken in silence it would look safe to retry and not be.
        let detail = "a message is retried by its clientMessageId, not by an Idempotency-Key";
        return Err(DecodeError::of_field("/clientMessageId", Code::MissingField, detail).into());
    }
    reached(FailPoint::RestDecoded);
    let sent = services.send_message(&actor, command).await?;
    let answer = made(sent.replayed, convert::messages::message(&sent.message));
    reached(FailPoint::RestEncoded);
    Ok(answer)
}

pub(super) async fn get_messages(
    State(services): State<Arc<Services>>,
    Authenticated(actor): Authenticated,
    PathId(conversation): PathId<ConversationId>,
    query: RawQuery,
) -> Result<impl IntoResponse, Refused> {
    let mut query = query.read(&["before", "after", "around", "limit"], &["anchor", "cursor"]);
    let (anchor, limit) = (anchor(&mut query), query.limit());
    query.finish()?;
    let page = services.get_history(&actor, conversation, anchor, limit).await?;
    Ok(Json(convert::messages::history_page(&page)))
}

fn anchor(query: &mut Query) -> HistoryAnchor {
    let mut anchors = Vec::new();
    anchors.extend(query.number("before").map(|seq| ("before", HistoryAnchor::Before(Seq(seq)))));
    anchors.extend(query.number("after").map(|seq| ("after", HistoryAnchor::After(Seq(seq)))));
    anchors.extend(query.number("around").map(|seq| ("around", HistoryAnchor::Around(Seq(seq)))));
    match anchors[..] {
        [] => HistoryAnchor::Latest,
        [(_, anchor)] => anchor,
        [.., (name, anchor)] => {
            query.refuse(name, Code::Invalid, "only one of before, after and around");
            anchor
        }
    }
}

pub(super) async fn get_message(
    State(services): State<Arc<Services>>,
    Authenticated(actor): Authenticated,
    PathId(id): PathId<MessageId>,
    _: NoQuery,
) -> Result<impl IntoResponse, Refused> {
    let message = services.get_message(&actor, id).await?;
    Ok(Json(convert::messages::message(&message)))
}

pub(super) async fn patch_message(
    State(services): State<Arc<Services>>,
    Authenticated(actor): Authenticated,
    PathId(id): PathId<MessageId>,
    _: NoQuery,
    JsonBody(request): JsonBody<EditMessageRequest>,
) -> Result<impl IntoResponse, Refused> {
    let edited = services.edit_message(&actor, convert::messages::edit_message(id, request)).await?;
    Ok(Json(convert::messages::message(&edited)))
}

pub(super) async fn delete_message(
    State(services): State<Arc<Services>>,
    Authenticated(actor): Authenticated,
    PathId(id): PathId<MessageId>,
    _: NoQuery,
    _: NoBody,
) -> Result<impl IntoResponse, Refused> {
    let left = services.delete_message(&actor, id).await?;
    Ok(Json(convert::messages::message(&left)))
}

pub(super) async fn get_edits(
    State(services): State<Arc<Services>>,
    Authenticated(actor): Authenticated,
    PathId(id): PathId<MessageId>,
    _: NoQuery,
) -> Result<impl IntoResponse, Refused> {
    let versions = services.list_message_versions(&actor, id).await?;
    Ok(Json(convert::messages::version_list(&versions)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_at_most_one_anchor() {
        let read = |text| Query::read(Some(text), &["before", "after", "around"], &[]);
        assert_eq!(anchor(&mut read("")), HistoryAnchor::Latest);
        assert_eq!(anchor(&mut read("around=7")), HistoryAnchor::Around(Seq(7)));
        let mut both = read("before=1&after=2");
        anchor(&mut both);
        let error = both.finish().unwrap_err();
        assert_eq!((error.code, error.fields[0].pointer.as_str()), (Code::Invalid, "/after"));
    }
}
