//! A disk that is slow, full, failing, or forgets what was not synced, under a real SQLite.
//!
//! A [`FaultyDisk`] is a SQLite VFS over the ordinary `unix` one. Files are real files and everything works as it
//! does without it, until the test turns one of the knobs. A test opens its store on it by name:
//!
//! ```
//! # use rusqlite::{Connection, OpenFlags};
//! # use tidings_testkit::disk::FaultyDisk;
//! # let dir = tempfile::tempdir()?;
//! let disk = FaultyDisk::new();
//! let db = Connection::open_with_flags_and_vfs(dir.path().join("a.db"), OpenFlags::default(), disk.vfs_name())?;
//! db.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE t (x);")?;
//! disk.fail_syncs(1);
//! assert!(db.execute("INSERT INTO t VALUES (1)", []).is_err());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! What a power cut leaves behind comes from a shadow of each file (`shadow.rs`): the content as of its last sync and
//! the changes since. [`FaultyDisk::crash_image`] lets a seeded part of those changes reach the disk and writes the
//! result elsewhere; the files in use are not touched, so one run yields as many images as a test wants.
//!
//! [`FaultyDisk::halt_in`] stops the world at an operation, so that the instant of a power cut is the test's choice and
//! not the clock's; after [`FaultyDisk::go_on`] it was not the power but only the process that ended.
//!
//! One more fault is one more field of `State` (`control.rs`), its knob on [`FaultyDisk`], and its effect in the one
//! method of `Control` that it bends; `vfs.rs` only translates and should not need to change.

mod control;
mod dice;
mod shadow;
mod vfs;

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use self::control::Control;
use self::vfs::Registration;

pub use self::control::{FileKind, Halt, Operation};
pub use self::dice::Dice;

/// A handle on one faulty disk; clones are the same disk, and two disks know nothing of each other.
///
/// Keep a handle for as long as connections are opened on the disk: with the last one the name is gone. Connections
/// that are open by then go on working.
#[derive(Clone, Debug)]
pub struct FaultyDisk {
    control: &'static Control,
    registration: Arc<Registration>,
}

/// What SQLite did to the files of one kind. Calls that were made to fail count too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FileCounts {
    /// Calls of `xSync`.
    pub syncs: u64,
    /// Calls of `xWrite`; a frame of the WAL takes two, its header and its page.
    pub writes: u64,
    /// Those of the writes that carried a page.
    pub pages: u64,
    /// Bytes in all writes.
    pub bytes: u64,
}

/// [`FileCounts`] by kind of file. Temporary files are passed through, neither counted nor faulty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// The database file.
    pub database: FileCounts,
    /// The write-ahead log.
    pub wal: FileCounts,
    /// Rollback journals; SQLite uses one while it switches a new database to WAL.
    pub journal: FileCounts,
}

impl FaultyDisk {
    /// A new disk, without faults, registered with SQLite under a name of its own.
    ///
    /// A few hundred bytes stay allocated for the life of the process, since SQLite may hold pointers to them.
    #[must_use]
    #[expect(
        clippy::new_without_default,
        reason = "it registers something global; that should be seen to happen"
    )]
    pub fn new() -> Self {
        static DISKS: AtomicU64 = AtomicU64::new(0);
        let name = format!("tidings-faulty-disk-{}", DISKS.fetch_add(1, Ordering::Relaxed));
        let control: &'static Control = Box::leak(Box::default());
        Self { control, registration: Arc::new(Registration::new(&name, control)) }
    }

    /// The name to open connections with, as in `Connection::open_with_flags_and_vfs(path, flags, name)`.
    #[must_use]
    pub fn vfs_name(&self) -> &'static str {
        self.registration.name()
    }

    /// What SQLite did since the start or the last [`reset_counts`](Self::reset_counts).
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.control.lock().counts
    }

    /// Syncs of the database file and the WAL together.
    #[must_use]
    pub fn syncs(&self) -> u64 {
        let counts = self.counts();
        counts.database.syncs + counts.wal.syncs
    }

    /// Starts counting from zero.
    pub fn reset_counts(&self) {
        self.control.lock().counts = Counts::default();
    }

    /// Every sync first sleeps for this long; zero, the default, not at all.
    pub fn slow_sync(&self, delay: Duration) {
        for kind in [FileKind::Database, FileKind::Wal, FileKind::Journal] {
            self.slow_sync_of(kind, delay);
        }
    }

    /// The same of one kind of file.
    pub fn slow_sync_of(&self, kind: FileKind, delay: Duration) {
        self.control.lock().sync_delays.insert(kind, delay);
    }

    /// The next `count` syncs fail with `SQLITE_IOERR_FSYNC`; zero heals the disk.
    ///
    /// As on Linux, the kernel then holds the data for clean: connections go on reading it, and a later sync succeeds
    /// without having written it. Each other handle on the file is told once, by its next sync. A power cut before that
    /// later sync may still find it on the disk, one after it does not. So a restart on the same disk is not safe by
    /// itself: it checkpoints what it reads, over a WAL that lacks it, and a power cut before the WAL's next sync can
    /// leave a corrupt database. Who writes the same bytes once more makes them dirty again, and the next sync takes
    /// them.
    pub fn fail_syncs(&self, count: u64) {
        self.fail_syncs_in(0, count, None);
    }

    /// The same after as many more syncs that do not fail; with a kind, only syncs of such files count and fail.
    pub fn fail_syncs_in(&self, after: u64, count: u64, of: Option<FileKind>) {
        let mut state = self.control.lock();
        (state.syncs_before_failure, state.sync_failures_left, state.sync_failures_of) = (after, count, of);
    }

    /// Whether a sync that was to fail has not come yet.
    #[must_use]
    pub fn will_fail_syncs(&self) -> bool {
        self.control.lock().sync_failures_left > 0
    }

    /// Of which files they were, so far.
    #[must_use]
    pub fn failed_syncs(&self) -> Vec<FileKind> {
        self.control.lock().failed_syncs.clone()
    }

    /// After as many more operations the machine stands still: every write, sync, truncate and delete from then on
    /// fails without any effect, so that [`crash_image`](Self::crash_image) gives what a power cut leaves at that
    /// instant, for as many seeds as a test wants.
    pub fn halt_in(&self, operations: u64) {
        self.control.lock().halt = Some(Halt::In(operations, None));
    }

    /// The same at an operation of this kind, after as many more of them.
    pub fn halt_at(&self, operation: Operation, after: u64) {
        self.control.lock().halt = Some(Halt::In(after, Some(operation)));
    }

    /// Where it stands still, if it does.
    #[must_use]
    pub fn halted_at(&self) -> Option<Operation> {
        match self.control.lock().halt {
            Some(Halt::At(operation)) => Some(operation),
            _ => None,
        }
    }

    /// The machine goes on, with all that the kernel holds and has not written: only the process was killed. Whoever
    /// had the files open must have closed them.
    pub fn go_on(&self) {
        self.control.lock().halt = None;
    }

    /// Every sync fails until [`fail_syncs(0)`](Self::fail_syncs).
    pub fn fail_syncs_always(&self) {
        self.fail_syncs(u64::MAX);
    }

    /// While `true`, no file can grow: the write gets as far as the file reaches and answers `SQLITE_FULL`.
    /// Overwriting goes on working, as it does on a real disk; a WAL that starts over needs no space.
    pub fn full(&self, full: bool) {
        self.control.lock().full = full;
    }

    /// The files may grow by this many bytes in total before the disk is full; what truncating and deleting frees is
    /// added again. `None`, the default, is no limit.
    pub fn free_bytes(&self, free_bytes: Option<u64>) {
        self.control.lock().free_bytes = free_bytes;
    }

    /// Whether a sync also calls the real `fsync`. By default it does not: no test here cuts the real power.
    pub fn real_sync(&self, real_sync: bool) {
        self.control.lock().real_sync = real_sync;
    }

    /// Writes to `dir` the database files as a power cut at this instant could leave them.
    ///
    /// What was synced is there. Of what was not, a random part is: whole writes, or some of their 512-byte sectors,
    /// not necessarily the earlier ones first; likewise truncates and deletes. The same state and `seed` give the
    /// same image. There is no `-shm`, it does not survive a restart. `dir` is created, and files of the same names
    /// in it are replaced, so that one directory serves many seeds.
    ///
    /// # Errors
    ///
    /// When `dir` cannot be written, or when two databases on this disk have the same file name.
    pub fn crash_image(&self, dir: &Path, seed: u64) -> io::Result<()> {
        fs::create_dir_all(dir)?;
        let mut names = Vec::new();
        for (path, content) in self.control.crash(seed) {
            let name = path.file_name().unwrap_or(path.as_os_str()).to_owned();
            let target = dir.join(&name);
            let mut shm = target.clone().into_os_string();
            shm.push("-shm");
            remove_if_present(Path::new(&shm))?;
            match content {
                Some(content) => fs::write(&target, content)?,
                None => remove_if_present(&target)?,
            }
            if names.contains(&name) {
                return Err(io::Error::other(format!("two files on this disk are named {}", name.display())));
            }
            names.push(name);
        }
        Ok(())
    }
}

fn remove_if_present(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
