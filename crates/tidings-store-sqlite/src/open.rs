//! Opening a data directory: lock, checkpoint, migrate, count heads again, then answer.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use rusqlite::{Connection, OpenFlags};
use tidings_core::clock::{Clock, Timestamp};
use tidings_core::ids::{IdSource, LogId, SessionId};
use tidings_core::ports::event_log::EventLog;

use crate::SqliteStore;
use crate::heads::{Overlay, rebuild};
use crate::lock::DataDirLock;
use crate::read::{self, Readers};
use crate::state::Memory;
use crate::stats::Counters;
use crate::writer::{OnFatal, Parts, Writer};
use crate::{meta, migrations, sessions};

/// The database's name in the data directory.
const DATABASE: &str = "tidings.db";

/// How a store is opened.
#[derive(Clone)]
pub struct Options {
    /// The directory that this process will own; it is made where it does not exist.
    pub data_dir: PathBuf,
    /// The name of a registered SQLite VFS; tests bring a disk that fails.
    pub vfs: Option<String>,
    /// Connections that read. At least one is opened.
    pub readers: usize,
    /// Told of a failure after which nothing may be acknowledged, before those who wait for it; the server ends its
    /// process here. Called by the writer's worker.
    pub on_fatal: OnFatal,
    /// Gives a new data set its epoch and secret.
    pub ids: Arc<dyn IdSource>,
    /// The present.
    pub clock: Arc<dyn Clock>,
}

/// Why a data directory could not be opened, and what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it.
    #[error("{} is in use by another process: stop that one, or give this one a data directory of its own", .data_dir.display())]
    Locked {
        /// The directory.
        data_dir: PathBuf,
    },
    /// A newer program has written it.
    #[error(
        "the data has schema {found}, this program knows {known}: start the newer program, or restore a backup"
    )]
    NewerSchema {
        /// In the data.
        found: i64,
        /// In this program.
        known: i64,
    },
    /// The program's migration is not the one that made this schema.
    #[error(
        "migration {number} ({name}) is not the one that the data was made with: use an unchanged release"
    )]
    ChangedMigration {
        /// Which.
        number: i64,
        /// What it is called.
        name: &'static str,
    },
    /// The data has moved to another store; this is what was left behind.
    #[error("the data has moved to {0}: start the server with that store")]
    MovedTo(String),
    /// Somebody reads the database without the lock.
    #[error(
        "the write-ahead log cannot be brought into the database: close other programs that have it open"
    )]
    CheckpointBusy,
    /// The directory or a file in it.
    #[error("the data directory cannot be used: {0}")]
    Io(#[from] io::Error),
    /// The database.
    #[error("the database cannot be opened: {0}")]
    Sql(#[from] rusqlite::Error),
}

impl SqliteStore {
    /// Opens a data directory, or makes a new data set there. Blocks until everything that was committed before can be
    /// read; what it then commits goes to `log`.
    ///
    /// # Errors
    /// [`OpenError`] says what to do.
    pub fn open(options: Options, log: Arc<dyn EventLog>) -> Result<Self, OpenError> {
        make_dir(&options.data_dir)?;
        let lock = DataDirLock::take(&options.data_dir)?;
        let now = options.clock.now();
        let conn = connect(&options)?;
        prepare_writer(&conn)?;
        migrations::migrate(&conn, now)?;
        if let Some(target) = meta::get(&conn, "moved_to")? {
            return Err(OpenError::MovedTo(target));
        }
        let identity = meta::identity(&conn, &*options.ids, now)?;
        let last = rebuild::rebuild(&conn)?;
        let floor = LogId(meta::number(&conn, "events_floor_log")?);
        let overlay = Arc::new(Overlay::new(last));
        let ended = ended_sessions(&conn, now)?;
        let counters = Arc::new(Counters::default());
        let readers = connect_readers(&options)?;
        let parts = Parts {
            conn,
            memory: Memory::new(Arc::clone(&overlay), last, ended),
            log,
            counters: Arc::clone(&counters),
            on_fatal: options.on_fatal,
        };
        Ok(Self {
            writer: Writer::spawn(parts)?,
            readers: Arc::new(Readers::new(readers, Arc::clone(&overlay))),
            overlay,
            counters,
            identity,
            floor,
            lock: Mutex::new(Some(lock)),
        })
    }
}

/// Makes the directory and syncs its parent, or a power cut takes the whole of it.
fn make_dir(data_dir: &Path) -> io::Result<()> {
    if data_dir.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(data_dir)?;
    match data_dir.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        Some(parent) => File::open(parent)?.sync_all(),
        None => Ok(()),
    }
}

fn connect(options: &Options) -> rusqlite::Result<Connection> {
    let path = options.data_dir.join(DATABASE);
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    match &options.vfs {
        Some(vfs) => Connection::open_with_flags_and_vfs(path, flags, vfs.as_str()),
        None => Connection::open_with_flags(path, flags),
    }
}

fn prepare_writer(conn: &Connection) -> Result<(), OpenError> {
    let mode: String = conn.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    if mode != "wal" {
        return Err(io::Error::other("the file system cannot hold a write-ahead log").into());
    }
    conn.execute_batch(
        "PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0; PRAGMA foreign_keys = OFF;
         PRAGMA temp_store = MEMORY; PRAGMA cache_size = -65536;",
    )?;
    conn.set_prepared_statement_cache_capacity(128);
    // After a crash SQLite shows rows that were written and never synced. Before anybody may see one it is made true.
    let busy: i64 = conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
    if busy == 0 { Ok(()) } else { Err(OpenError::CheckpointBusy) }
}

fn connect_readers(options: &Options) -> rusqlite::Result<Vec<Connection>> {
    (0..options.readers.max(1))
        .map(|_| {
            let conn = connect(options)?;
            read::prepare(&conn)?;
            Ok(conn)
        })
        .collect()
}

fn ended_sessions(conn: &Connection, now: Timestamp) -> rusqlite::Result<HashMap<SessionId, Timestamp>> {
    let live = sessions::list_live_revocations(conn, now)?;
    Ok(live.into_iter().map(|revocation| (revocation.session, revocation.until)).collect())
}
