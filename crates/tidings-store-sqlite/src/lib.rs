//! The embedded store: SQLite in WAL mode, one writer, many readers. It needs nothing but a directory.
//!
//! - Every change goes through one worker (`writer`), which commits up to 512 requests at a time and is the only code
//!   that gives positions (`write`). Who is answered is durable: the commit has been synced.
//! - Every read is one snapshot on one of a few connections (`read`), together with the heads that the writer has not
//!   yet written to their rows (`heads`).
//! - Events are references; whoever reads them joins them to the rows as they are now (`events`).
//!
//! One file per noun, with the same name in every store. To add a verb: its method in the noun's file, which calls
//! `writer.write` with a body that checks, then writes rows, then gives a `Change` with a draft for each place that it
//! took; for a new event also `events`; a new table is a new file in `migrations/`.

mod accounts;
mod catch_up;
mod conversations;
mod events;
mod heads;
mod idempotency;
mod lock;
mod messages;
mod meta;
mod migrations;
mod open;
mod reactions;
mod read;
mod receipts;
mod rows;
mod sessions;
mod state;
mod stats;
mod write;
mod writer;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use parking_lot::Mutex;
use tidings_core::histogram::Counted;
use tidings_core::ids::LogId;

pub use open::{OpenError, Options, make_data_dir};
pub use read::READS_WAITING_MAX;
pub use stats::Stats;
pub use writer::{OnFatal, Upkeep, WRITER_QUEUE_MAX};

use crate::heads::Overlay;
use crate::lock::DataDirLock;
use crate::meta::Identity;
use crate::read::Readers;
use crate::stats::Counters;
use crate::writer::Writer;

/// Truth in one directory. Implements every trait of [`tidings_core::ports::store`].
pub struct SqliteStore {
    writer: Writer,
    readers: Arc<Readers>,
    overlay: Arc<Overlay>,
    counters: Arc<Counters>,
    identity: Identity,
    floor: LogId,
    lock: Mutex<Option<DataDirLock>>,
}

impl SqliteStore {
    /// What the store has counted since it was opened.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.counters.stats(self.overlay.len())
    }

    /// The last event that is committed.
    #[must_use]
    pub fn log_end(&self) -> LogId {
        self.overlay.log()
    }

    /// Requests in each transaction, since the store was opened.
    #[must_use]
    pub fn batch_sizes(&self) -> Counted {
        self.counters.sizes.0.counted()
    }

    /// How long each transaction took, in microseconds.
    #[must_use]
    pub fn commit_latencies(&self) -> Counted {
        self.counters.latencies.0.counted()
    }

    /// Requests that wait for the writer.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.writer.queued()
    }

    /// Answers what is queued, writes what is only in memory, brings the log into the database, which is then one file,
    /// and gives the directory free. Later requests fail. Blocks; twice is once.
    pub fn close(&self) {
        self.writer.close();
        // The worker has done so already, unless it panicked.
        self.readers.close();
        self.lock.lock().take();
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        self.close();
    }
}

impl std::fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SqliteStore").field("epoch", &self.identity.epoch).finish_non_exhaustive()
    }
}
