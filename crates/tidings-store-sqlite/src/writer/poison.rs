//! The end of all acknowledging: after a failed sync nobody knows what the disk has.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::OnFatal;

/// Set once, by whichever thread finds that the store cannot go on.
pub(super) struct Poison {
    is_set: AtomicBool,
    on_fatal: OnFatal,
}

impl Poison {
    pub(super) fn new(on_fatal: OnFatal) -> Arc<Self> {
        Arc::new(Self { is_set: AtomicBool::new(false), on_fatal })
    }

    pub(super) fn is_set(&self) -> bool {
        self.is_set.load(Ordering::Acquire)
    }

    /// From here on nothing is acknowledged. The server is told the first time.
    pub(super) fn set(&self, error: &str) {
        if !self.is_set.swap(true, Ordering::AcqRel) {
            tracing::error!(error, "the store cannot go on: nothing may be acknowledged any more");
            (self.on_fatal)(error);
        }
    }
}

/// A thread that panics leaves its work undone and nobody told: that is as fatal as a failed sync.
pub(super) struct FatalIfPanicking(pub Arc<Poison>);

impl Drop for FatalIfPanicking {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.set("a thread of the store panicked");
        }
    }
}
