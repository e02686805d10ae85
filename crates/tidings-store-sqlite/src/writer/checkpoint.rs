//! Bringing the write-ahead log back into the database, while the writer stands still between two batches.
//!
//! A checkpoint from a second connection starves under load: it never finds the moment at which the log may begin
//! again, and the log grows without end. So above a size the writer itself makes room, and says how long it took.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tidings_core::fail_points::{FailPoint, reached};

use super::trouble::{Trouble, is_full};
use crate::stats::{Counters, add};

/// How long a checkpoint waits for readers of an old snapshot; then it is tried again later.
const BUSY_WAIT: Duration = Duration::from_millis(50);

/// How far the log has grown, and from where on it is too much.
pub(super) struct WalSize {
    pages: Arc<AtomicU64>,
    pages_max: u64,
    above: u64,
}

impl WalSize {
    /// Watches the commits of the writer's connection.
    pub(super) fn watch(
        conn: &mut Connection,
        counters: Arc<Counters>,
        wal_bytes_max: u64,
    ) -> rusqlite::Result<Self> {
        let page_bytes: u64 = conn.query_row("PRAGMA page_size", [], |row| row.get::<_, u32>(0))?.into();
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
        Ok(Self { pages, pages_max, above: pages_max })
    }

    pub(super) fn is_due(&self) -> bool {
        self.pages.load(Ordering::Relaxed) > self.above
    }

    /// One checkpoint, in which the writer stands still.
    pub(super) fn checkpoint(&mut self, conn: &Connection, counters: &Counters) -> Result<(), Trouble> {
        reached(FailPoint::Checkpointing);
        let begun = Instant::now();
        let ran = restart(conn);
        reached(FailPoint::Checkpointed);
        let busy = !matches!(ran, Ok(true));
        counters.checkpoint(begun.elapsed(), busy);
        let pages = self.pages.load(Ordering::Relaxed);
        // A reader holds an old snapshot, or there is no room: the log has to grow some more before the next try.
        self.above = if busy { pages + self.pages_max / 4 } else { self.pages_max };
        match ran {
            Ok(true) => {
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

fn restart(conn: &Connection) -> rusqlite::Result<bool> {
    conn.busy_timeout(BUSY_WAIT)?;
    let busy: i64 = conn.query_row("PRAGMA wal_checkpoint(RESTART)", [], |row| row.get(0))?;
    Ok(busy == 0)
}

/// The last checkpoint, at the end: the database is then one file.
pub(super) fn truncate(conn: &Connection) -> rusqlite::Result<()> {
    conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
}
