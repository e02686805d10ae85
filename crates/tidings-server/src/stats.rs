//! What a running node counts about itself.

/// Counters of every part, since the node was started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stats {
    /// Commits, reads, checkpoints.
    pub store: tidings_store_sqlite::Stats,
    /// Events and whom they were offered to.
    pub delivery: tidings_core::delivery::Stats,
    /// Frames.
    pub hub: tidings_gateway::hub::Stats,
    /// Conversations that are open on some screen.
    pub watched: usize,
}
