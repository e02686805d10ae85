//! The ordered log of everything that was committed, as nodes read it.

use std::sync::Arc;

use async_trait::async_trait;

use crate::events::Event;
use crate::ids::LogId;

/// What a reader of the log gets.
#[derive(Debug, Clone)]
pub enum Tailed {
    /// The next events, in log order, at least one.
    Events(Vec<Arc<Event>>),
    /// The log no longer holds what follows the reader's place: read it from the store, then come back.
    Behind,
}

/// A source of committed events.
///
/// - **Order**: within a stream, log order is `pos` order.
/// - **At least once**: an event may come again; readers take it by `(stream, pos)`.
/// - **No silent hole**: an event that the log cannot give is said (`Behind`), never skipped.
#[async_trait]
pub trait EventLog: Send + Sync + 'static {
    /// Hands over what was just committed, in log order. Called by the one who commits, after the commit; never waits.
    fn publish(&self, events: Vec<Arc<Event>>);

    /// What follows `after`. Waits while there is nothing.
    async fn tail(&self, after: LogId) -> Tailed;
}
