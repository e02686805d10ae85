//! What the hub counts about itself.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counters since the node was started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    /// Events that were encoded for those who are live: each once, however many there are, and not where nobody is.
    pub frames_encoded: u64,
    /// Frames that were given to connections.
    pub frames_given: u64,
    /// Connections that fell behind and were brought up to date from the log, each time counted.
    pub fell_behind: u64,
    /// Signals that were given to connections.
    pub signals_given: u64,
    /// Signals that passed connections by, which read slowly or were being caught up.
    pub signals_dropped: u64,
}

/// Where the counting happens. Relaxed: they are for people to look at.
#[derive(Debug, Default)]
pub(super) struct Counters {
    frames_encoded: AtomicU64,
    frames_given: AtomicU64,
    fell_behind: AtomicU64,
    signals_given: AtomicU64,
    signals_dropped: AtomicU64,
}

impl Counters {
    /// One event has gone to as many connections.
    pub fn emitted(&self, connections: u64) {
        if connections > 0 {
            self.frames_given.fetch_add(connections, Ordering::Relaxed);
        }
    }

    pub fn fell_behind(&self) {
        self.fell_behind.fetch_add(1, Ordering::Relaxed);
    }

    pub fn signalled(&self, is_given: bool) {
        let counter = if is_given { &self.signals_given } else { &self.signals_dropped };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub fn encoded(&self) {
        self.frames_encoded.fetch_add(1, Ordering::Relaxed);
    }

    pub fn stats(&self) -> Stats {
        Stats {
            frames_encoded: self.frames_encoded.load(Ordering::Relaxed),
            frames_given: self.frames_given.load(Ordering::Relaxed),
            fell_behind: self.fell_behind.load(Ordering::Relaxed),
            signals_given: self.signals_given.load(Ordering::Relaxed),
            signals_dropped: self.signals_dropped.load(Ordering::Relaxed),
        }
    }
}
