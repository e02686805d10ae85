//! The events of one stream after a position: how a device fills a gap.

use std::sync::Arc;

use crate::events::Event;
use crate::ids::{Pos, StreamId};
use crate::ports::store::ReadStreamError;
use crate::services::Services;
use crate::sessions::Actor;

use super::Error;

/// The events that fill a gap.
#[derive(Debug, Clone)]
pub struct StreamGap {
    /// By `pos`.
    pub events: Vec<Arc<Event>>,
    /// There are more: ask again after the last one's `pos`.
    pub has_more: bool,
}

impl Services {
    /// What the actor may see of a stream after a position. It does not move the device's token. Sizes as
    /// in [`Services::sync`].
    ///
    /// # Errors
    /// [`Error::NotFound`] for a stream that is not the actor's, [`Error::Invalid`] for a limit out of range.
    pub async fn sync_stream(
        &self,
        actor: &Actor,
        stream: StreamId,
        after: Pos,
        limit: Option<usize>,
        bytes_max: usize,
    ) -> Result<StreamGap, Error> {
        let page_max = self.check_page_max(limit, bytes_max)?;
        let page =
            self.store.list_stream(actor.user, stream, after, page_max).await.map_err(
                |error| match error {
                    ReadStreamError::NotFound => Error::NotFound,
                    ReadStreamError::Store(error) => Error::Store(error),
                },
            )?;
        Ok(StreamGap { events: page.events.into_iter().map(Arc::new).collect(), has_more: page.has_more })
    }
}
