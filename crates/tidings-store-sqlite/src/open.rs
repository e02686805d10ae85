//! Opening a data directory: lock, rewrite the log, checkpoint, migrate, count heads again, then answer.

mod rewrite;

use std::collections::HashMap;
use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use tidings_core::clock::{Clock, Timestamp};
use tidings_core::ids::{IdSource, LogId, SessionId};
use tidings_core::ports::event_log::EventLog;

use crate::SqliteStore;
use crate::heads::Overlay;
use crate::heads::rebuild::{self, Rebuilt};
use crate::lock::DataDirLock;
use crate::read::{self, Readers};
use crate::state::Memory;
use crate::stats::Counters;
use crate::writer::{OnFatal, Parts, Upkeep, Writer};
use crate::{meta, migrations, sessions};

/// The database's name in the data directory.
const DATABASE: &str = "tidings.db";
/// The name that SQLite gives its write-ahead log.
const LOG: &str = "tidings.db-wal";
/// And that of the log's index.
const LOG_INDEX: &str = "tidings.db-shm";

/// The writer's page cache. SQLite walks through its whole table at every commit after a page was split, and what it
/// lacks is in the system's cache: with 64 MiB a send at random over 20,000 conversations cost a fifth more.
const WRITER_CACHE_KIB: i64 = 8 * 1024;

/// How a store is opened.
#[derive(Clone)]
pub struct Options {
    /// The directory that this process will own; it is made where it does not exist.
    pub data_dir: PathBuf,
    /// The name of a registered SQLite VFS; tests bring a disk that fails.
    pub vfs: Option<String>,
    /// Connections for what people read. At least one is opened; delivery has one more of its own.
    pub readers: usize,
    /// Told of a failure after which nothing may be acknowledged, before those who wait for it; the server ends its
    /// process here. Called by the writer's worker.
    pub on_fatal: OnFatal,
    /// What the writer does beside writing.
    pub upkeep: Upkeep,
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
    #[error("{} cannot be read and written: {error}", .path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// SQLite found no way to keep a log there.
    #[error("the file system of the data directory cannot hold a write-ahead log: use a local disk")]
    NoWriteAheadLog,
    /// The system gave no thread.
    #[error("no thread could be started: {0}")]
    Thread(io::Error),
    /// No room on the disk: opening writes a little before it can answer.
    #[error("the disk is full: make room, then start again; what was acknowledged is there")]
    Full,
    /// The database.
    #[error("the database cannot be opened: {0}")]
    Sql(rusqlite::Error),
}

impl OpenError {
    /// What the system says of a file, with its path.
    pub(crate) fn at(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |error| match error.kind() {
            io::ErrorKind::StorageFull => Self::Full,
            _ => Self::Io { path: path.to_owned(), error },
        }
    }
}

impl From<rusqlite::Error> for OpenError {
    fn from(error: rusqlite::Error) -> Self {
        if error.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull) {
            Self::Full
        } else {
            Self::Sql(error)
        }
    }
}

impl SqliteStore {
    /// Opens a data directory, or makes a new data set there. Blocks until everything that was committed before can be
    /// read; what it then commits goes to `log`.
    ///
    /// # Errors
    /// [`OpenError`] says what to do.
    pub fn open(options: Options, log: Arc<dyn EventLog>) -> Result<Self, OpenError> {
        let (database, log_file) = (options.data_dir.join(DATABASE), options.data_dir.join(LOG));
        make_data_dir(&options.data_dir).map_err(OpenError::at(&options.data_dir))?;
        warn_if_open_to_others(&options.data_dir);
        let lock = DataDirLock::take(&options.data_dir)?;
        let now = options.clock.now();
        for file in [&database, &log_file, &options.data_dir.join(LOG_INDEX)] {
            check_writable(file)?;
        }
        rewrite::rewrite_log(&log_file).map_err(OpenError::at(&log_file))?;
        let conn = connect(&options)?;
        prepare_writer(&conn)?;
        migrations::migrate(&conn, now)?;
        if let Some(target) = meta::get(&conn, "moved_to")? {
            return Err(OpenError::MovedTo(target));
        }
        let identity = meta::identity(&conn, &*options.ids, now)?;
        let Rebuilt { log: last, flushed, dirty } = rebuild::rebuild(&conn)?;
        let floor = LogId(meta::number(&conn, "events_floor_log")?);
        let overlay = Arc::new(Overlay::new(last, dirty));
        let ended = ended_sessions(&conn, now)?;
        let counters = Arc::new(Counters::default());
        let readers = Arc::new(Readers::new(
            connect_readers(&options, options.readers.max(1))?,
            connect_readers(&options, 1)?,
            Arc::clone(&overlay),
            Arc::clone(&counters),
        ));
        let parts = Parts {
            conn,
            database: Arc::new(File::open(&database).map_err(OpenError::at(&database))?),
            backfill: connect_beside(&options)?,
            memory: Memory::new(Arc::clone(&overlay), last, ended),
            flushed,
            readers: Arc::clone(&readers),
            log,
            counters: Arc::clone(&counters),
            on_fatal: options.on_fatal,
            upkeep: options.upkeep,
        };
        Ok(Self {
            writer: Writer::spawn(parts)?,
            readers,
            overlay,
            counters,
            identity,
            floor,
            lock: Mutex::new(Some(lock)),
        })
    }
}

/// Makes a directory for data, with every level above it that is missing, for this user alone.
///
/// A directory's own name is durable only once its parent has been synced: else a power cut takes the whole of it,
/// and everything in it that was acknowledged. So whoever makes the data directory makes it by this.
///
/// # Errors
/// The file system's.
pub fn make_data_dir(path: &Path) -> io::Result<()> {
    make_levels(path, |parent| File::open(parent)?.sync_all())
}

fn make_levels(path: &Path, mut sync: impl FnMut(&Path) -> io::Result<()>) -> io::Result<()> {
    let mut missing: Vec<&Path> =
        path.ancestors().take_while(|level| !level.as_os_str().is_empty() && !level.is_dir()).collect();
    while let Some(level) = missing.pop() {
        match DirBuilder::new().mode(0o700).create(level) {
            // Somebody else was faster, and may not have synced it yet.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && level.is_dir() => {}
            made => made?,
        }
        let parent = level.parent().filter(|parent| !parent.as_os_str().is_empty());
        sync(parent.unwrap_or(Path::new(".")))?;
    }
    Ok(())
}

/// A directory that somebody else has made may let others list it; what is in it is made for its owner alone.
fn warn_if_open_to_others(data_dir: &Path) {
    if fs::metadata(data_dir).is_ok_and(|found| found.permissions().mode() & 0o077 != 0) {
        tracing::warn!(path = %data_dir.display(), "the data directory is open to other users of this machine: chmod 700");
    }
}

/// SQLite opens what it may only read all the same: the server would come up and refuse every write, and leave a log
/// behind that nobody may write either.
fn check_writable(file: &Path) -> Result<(), OpenError> {
    match File::options().read(true).write(true).open(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(OpenError::at(file)(error)),
        _ => Ok(()),
    }
}

fn connect(options: &Options) -> rusqlite::Result<Connection> {
    let path = options.data_dir.join(DATABASE);
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = match &options.vfs {
        Some(vfs) => Connection::open_with_flags_and_vfs(path, flags, vfs.as_str())?,
        None => Connection::open_with_flags(path, flags)?,
    };
    // Else a cached statement whose plan might depend on its parameters is planned anew each time it is used.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(conn)
}

fn prepare_writer(conn: &Connection) -> Result<(), OpenError> {
    let mode: String = conn.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    if mode != "wal" {
        return Err(OpenError::NoWriteAheadLog);
    }
    conn.execute_batch(
        "PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0; PRAGMA foreign_keys = OFF;
         PRAGMA temp_store = MEMORY;",
    )?;
    conn.pragma_update(None, "cache_size", -WRITER_CACHE_KIB)?;
    conn.set_prepared_statement_cache_capacity(128);
    // After a crash SQLite shows rows that were written and never synced. Before anybody may see one it is made true:
    // this syncs the log, which has been made dirty for it, and only then writes to the database.
    let busy: i64 = conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
    if busy == 0 { Ok(()) } else { Err(OpenError::CheckpointBusy) }
}

/// The connection that copies the log beside the writer's.
fn connect_beside(options: &Options) -> rusqlite::Result<Connection> {
    let conn = connect(options)?;
    conn.execute_batch("PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0;")?;
    Ok(conn)
}

fn connect_readers(options: &Options, count: usize) -> rusqlite::Result<Vec<Connection>> {
    (0..count)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn made(path: &Path) -> Vec<PathBuf> {
        let mut synced = Vec::new();
        make_levels(path, |parent| {
            synced.push(parent.to_owned());
            Ok(())
        })
        .unwrap();
        synced
    }

    #[test]
    fn every_new_level_is_private_and_durable() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        assert_eq!(made(&root.join("var/lib/tidings")), [root, &root.join("var"), &root.join("var/lib")]);
        for level in ["var", "var/lib", "var/lib/tidings"] {
            let mode = fs::metadata(root.join(level)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o700, "{level}");
        }
        assert_eq!(made(&root.join("var/lib/other")), [root.join("var/lib")]);
        assert_eq!(made(&root.join("var/lib/other/")), [] as [PathBuf; 0], "it is there");
        make_data_dir(&root.join("by/itself")).unwrap();
    }

    #[test]
    fn a_file_in_the_way_is_told() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("file"), "").unwrap();
        assert!(make_data_dir(&root.path().join("file")).is_err());
        assert!(make_data_dir(&root.path().join("file/below")).is_err());
    }

    #[test]
    fn a_cached_statement_is_planned_once_whatever_it_is_asked() {
        let dir = tempfile::tempdir().unwrap();
        let options = crate::tests::desk::options(dir.path());
        let log = tidings_core::memory::InProcessLog::new();
        SqliteStore::open(options.clone(), log).unwrap().close();
        let conn = connect(&options).unwrap();
        let mut planned = 0;
        for n in 0..3_u8 {
            let mut statement = conn.prepare_cached(crate::messages::SENDER).unwrap();
            assert!(!statement.exists(([n; 16], [n; 16])).unwrap());
            planned = statement.get_status(rusqlite::StatementStatus::RePrepare);
        }
        assert_eq!(planned, 0, "after the first time");
    }
}
