//! Bringing the write-ahead log back into the database, so that it may begin again.
//!
//! From three quarters of its size on a second connection copies it (`backfill.rs`). When little is left the writer
//! does the rest between two batches, for which it stands still: only it finds the moment at which the log may begin
//! again. Where the second connection cannot keep up, the writer waits for it at the full size.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::ThreadId;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tidings_core::fail_points::{FailPoint, reached};

use super::backfill::Backfill;
use super::trouble::{Trouble, is_full};
use crate::stats::{Counters, add};

/// How long a checkpoint waits for readers of an old snapshot; then it is tried again later.
const BUSY_WAIT: Duration = Duration::from_millis(50);
/// What the writer copies without a further pass before it: this part of the log at the most. Each page may be a write
/// of its own to the disk, and everybody who sends waits for them.
const REST: u64 = 64;
/// After so many passes the writer copies what is left, however much: where a pass takes longer than those who send
/// need to write as much anew, or a reader holds an old snapshot, a further one leaves no less.
const PASSES_MAX: u32 = 2;

/// How far the log has grown and has been copied, and from where on it is too much.
pub(super) struct Checkpoints {
    backfill: Backfill,
    pages: Arc<AtomicU64>,
    pages_max: u64,
    /// Pages of the log that are in the database.
    copied: u64,
    passes: u32,
    /// From here on the log is copied.
    from: u64,
    /// Above this the writer goes on only when there is room again.
    above: u64,
}

impl Checkpoints {
    /// Watches the commits of the writer's connection.
    pub(super) fn watch(
        conn: &mut Connection,
        backfill: Backfill,
        counters: Arc<Counters>,
        wal_bytes_max: u64,
    ) -> rusqlite::Result<Self> {
        let page_bytes: u64 = conn.query_row("PRAGMA page_size", [], |row| row.get::<_, u32>(0))?.into();
        conn.busy_timeout(BUSY_WAIT)?;
        let pages = Arc::new(AtomicU64::new(0));
        let watched = Arc::clone(&pages);
        conn.wal_hook(Some(move |_: &mut rusqlite::hooks::Wal, now: std::ffi::c_int| {
            let now = u64::try_from(now).unwrap_or(0);
            let before = watched.swap(now, Ordering::Relaxed);
            // Less than before: the log began again.
            let written = if now >= before { now - before } else { now };
            add(&counters.wal_pages, usize::try_from(written).unwrap_or(0));
            Ok(())
        }))?;
        let pages_max = wal_bytes_max / page_bytes.max(1);
        Ok(Self { backfill, pages, pages_max, copied: 0, passes: 0, from: from(pages_max), above: pages_max })
    }

    pub(super) fn thread(&self) -> ThreadId {
        self.backfill.thread()
    }

    /// Does what the log needs between two batches, and nearly always nothing.
    pub(super) fn tend(&mut self, conn: &Connection, counters: &Counters) -> Result<(), Trouble> {
        let pages = self.pages.load(Ordering::Relaxed);
        let is_late = pages > self.above;
        if self.backfill.is_running() {
            // SQLite lets nobody else make a checkpoint meanwhile.
            let copied = if is_late { self.backfill.wait() } else { self.backfill.poll() };
            // Not yet, or never: then the store cannot go on.
            let Some(copied) = copied else { return Ok(()) };
            self.copied = copied;
        }
        if pages < self.copied {
            // All of it was in the database, so the log began again by itself.
            (self.copied, self.passes) = (0, 0);
        }
        if pages <= self.from {
            return Ok(());
        }
        if is_late || self.passes == PASSES_MAX || pages - self.copied <= self.pages_max / REST {
            return self.checkpoint(conn, counters);
        }
        self.passes += 1;
        self.backfill.begin();
        Ok(())
    }

    /// Waits for the pass that is under way.
    pub(super) fn end(self) {
        self.backfill.end();
    }

    /// One checkpoint, in which the writer stands still.
    fn checkpoint(&mut self, conn: &Connection, counters: &Counters) -> Result<(), Trouble> {
        reached(FailPoint::Checkpointing);
        let begun = Instant::now();
        let ran = restart(conn);
        reached(FailPoint::Checkpointed);
        let busy = !matches!(ran, Ok(true));
        counters.checkpoint(begun.elapsed(), busy);
        let pages = self.pages.load(Ordering::Relaxed);
        self.passes = 0;
        // A reader holds an old snapshot, or there is no room: the log has to grow some more before the next try.
        let later = pages + self.pages_max / 4;
        (self.from, self.above) = if busy { (later, later) } else { (from(self.pages_max), self.pages_max) };
        match ran {
            Ok(true) => {
                self.copied = 0;
                self.pages.store(0, Ordering::Relaxed);
                Ok(())
            }
            Ok(false) => Ok(()),
            Err(error) if is_full(&error) => {
                tracing::warn!("no room on the disk for a checkpoint; the write-ahead log goes on growing");
                Ok(())
            }
            Err(error) => Err(Trouble::Fatal(format!("a checkpoint failed: {error}"))),
        }
    }
}

/// Where the copying begins: the later, the more often a page is written before it is copied; and the log must not be
/// full before a pass is over.
fn from(pages_max: u64) -> u64 {
    pages_max / 4 * 3
}

fn restart(conn: &Connection) -> rusqlite::Result<bool> {
    let busy: i64 = conn.query_row("PRAGMA wal_checkpoint(RESTART)", [], |row| row.get(0))?;
    Ok(busy == 0)
}

/// The last checkpoint, at the end: the database is then one file.
pub(super) fn truncate(conn: &Connection) -> rusqlite::Result<()> {
    conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
}
