//! Copying the write-ahead log into the database from a connection of its own, while the writer goes on.
//!
//! Copying and syncing is nearly all that a checkpoint does. It lets the log begin again only where nothing newer is in
//! it, which under load is never: so the end of it is the writer's, for which little is left to copy
//! (`checkpoint.rs`). Two connections may do so at once since SQLite 3.51.3; the bundled one is newer.

use std::fs::File;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread::{self, JoinHandle, ThreadId};

use rusqlite::Connection;
use rusqlite::config::DbConfig;
use rustix::process::nice;
use tidings_core::fail_points::{FailPoint, reached};

use super::poison::{FatalIfPanicking, Poison};
use super::trouble::is_full;
use crate::stats::{Counters, count};

/// How far behind others it stands for a core: it gets about a tenth of one that all others want too.
const NICE: i32 = 10;

/// A thread that makes one pass over the log when it is told to.
pub(super) struct Backfill {
    orders: SyncSender<()>,
    outcomes: Receiver<u64>,
    thread: JoinHandle<()>,
    is_running: bool,
}

impl Backfill {
    pub(super) fn spawn(
        conn: Connection,
        database: Arc<File>,
        poison: Arc<Poison>,
        counters: Arc<Counters>,
    ) -> std::io::Result<Self> {
        // One pass at a time, so neither channel ever holds more than one.
        let (orders, ordered) = sync_channel(1);
        let (told, outcomes) = sync_channel(1);
        let work = move || {
            let _fatal = FatalIfPanicking(Arc::clone(&poison));
            // Those who send come first. Where they leave it no time the writer waits for it, and then it has all.
            // Elsewhere than on Linux it would be the whole process.
            if cfg!(target_os = "linux") {
                nice(NICE).ok();
            }
            for () in ordered {
                let Some(copied) = pass(&conn, &database, &poison, &counters) else { break };
                if told.send(copied).is_err() {
                    break;
                }
            }
            // Only the writer may take the log away.
            conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).ok();
        };
        let thread = thread::Builder::new().name("backfill".to_owned()).spawn(work)?;
        Ok(Self { orders, outcomes, thread, is_running: false })
    }

    pub(super) fn thread(&self) -> ThreadId {
        self.thread.thread().id()
    }

    pub(super) fn is_running(&self) -> bool {
        self.is_running
    }

    /// Begins a pass, unless one is under way.
    pub(super) fn begin(&mut self) {
        self.is_running = self.is_running || self.orders.try_send(()).is_ok();
    }

    /// How many pages of the log are in the database, once a pass is over.
    pub(super) fn poll(&mut self) -> Option<u64> {
        match self.outcomes.try_recv() {
            Ok(copied) => {
                self.is_running = false;
                Some(copied)
            }
            // It has ended, and has said why.
            Err(TryRecvError::Empty | TryRecvError::Disconnected) => None,
        }
    }

    /// The same, and waits for it; nothing where the store cannot go on.
    pub(super) fn wait(&mut self) -> Option<u64> {
        let copied = self.outcomes.recv().ok()?;
        self.is_running = false;
        Some(copied)
    }

    /// Waits for the pass that is under way, and closes the connection.
    pub(super) fn end(self) {
        let Self { orders, outcomes, thread, .. } = self;
        drop((orders, outcomes));
        thread.join().ok();
    }
}

/// Copies what is in the log now; gives how much of the log is in the database, or nothing where the store cannot go
/// on.
fn pass(conn: &Connection, database: &File, poison: &Poison, counters: &Counters) -> Option<u64> {
    if poison.is_set() {
        return None;
    }
    reached(FailPoint::Backfilling);
    let copied = conn.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| row.get::<_, i64>(2));
    // SQLite syncs the database only where it has copied all of the log: else the writer would have to wait for all of
    // it.
    let synced = database.sync_data();
    reached(FailPoint::Backfilled);
    count(&counters.backfills);
    match copied {
        _ if let Err(error) = synced => {
            poison.set(&format!("the database could not be synced: {error}"));
            None
        }
        Ok(copied) => Some(u64::try_from(copied).unwrap_or(0)),
        // The writer meets the same, and tells of it.
        Err(error) if is_full(&error) => Some(0),
        Err(error) => {
            // Here and not by the writer, which may be waiting for its next request.
            poison.set(&format!("a checkpoint failed: {error}"));
            None
        }
    }
}
