//! `/api/sync`.

use std::sync::Arc;

use axum::extract::State;
use axum::response::IntoResponse;
use tidings_core::services::Services;

use crate::answer::Json;
use crate::convert::sync::{self, Wanted};
use crate::extract::{Authenticated, RawQuery};
use crate::problem::Refused;

pub(super) async fn get_sync(
    State(services): State<Arc<Services>>,
    Authenticated(actor): Authenticated,
    query: RawQuery,
) -> Result<impl IntoResponse, Refused> {
    let mut query = query.read(&["since", "stream", "after", "limit"], &[]);
    let (since, stream) = (query.text("since"), query.text("stream"));
    let (after, limit) = (query.number("after"), query.limit());
    query.finish()?;
    let bytes_max = services.limits.sync_page_bytes_max;
    Ok(Json(match sync::wanted(since, stream.as_deref(), after)? {
        Wanted::Since(since) => {
            sync::sync_page(&services.sync(&actor, since.as_deref(), limit, bytes_max).await?)
        }
        Wanted::Stream(stream, after) => {
            sync::stream_gap(&services.sync_stream(&actor, stream, after, limit, bytes_max).await?)
        }
    }))
}
