//! What delivery counts about itself.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counters since the node was started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    /// Events that were delivered, to however many.
    pub events: u64,
    /// Users that events were offered to: each is one look into the tail and one into the outbox.
    pub offers: u64,
    /// Users that were looked up to know who of a large group is on this node.
    pub local_look_ups: u64,
    /// Rosters that were loaded from the store.
    pub rosters_loaded: u64,
    /// Gaps in the log that were repaired from the store.
    pub gaps_repaired: u64,
}

/// Where the counting happens. Relaxed: they are for people to look at.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub events: AtomicU64,
    pub offers: AtomicU64,
    pub local_look_ups: AtomicU64,
    pub rosters_loaded: AtomicU64,
    pub gaps_repaired: AtomicU64,
}

/// Counts `n` more.
pub(super) fn add(counter: &AtomicU64, n: usize) {
    counter.fetch_add(n as u64, Ordering::Relaxed);
}

impl Counters {
    pub fn stats(&self) -> Stats {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Stats {
            events: read(&self.events),
            offers: read(&self.offers),
            local_look_ups: read(&self.local_look_ups),
            rosters_loaded: read(&self.rosters_loaded),
            gaps_repaired: read(&self.gaps_repaired),
        }
    }
}
