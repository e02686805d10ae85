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
//! One more fault is one more field of `State`, its knob on [`FaultyDisk`], and its effect in the one method of
//! `Control` that it bends; `vfs.rs` only translates and should not need to change.

mod shadow;
mod vfs;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use rusqlite::ffi;

use self::shadow::{Dice, Shadow};
use self::vfs::{Code, RealFile, Registration};

/// The smallest SQLite page; shorter writes are headers.
const PAGE_BYTES_MIN: usize = 512;

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
        self.control.lock().sync_delay = delay;
    }

    /// The next `count` syncs fail with `SQLITE_IOERR_FSYNC`; zero heals the disk.
    ///
    /// As on Linux, the kernel then holds the data for clean: connections go on reading it, and a later sync succeeds
    /// without having written it. A power cut before that later sync may still find it on the disk, one after it
    /// does not. So a restart on the same disk is not safe either: it checkpoints what it reads, over a WAL that lacks
    /// it, and a power cut before the WAL's next sync can leave a corrupt database.
    pub fn fail_syncs(&self, count: u64) {
        self.control.lock().sync_failures_left = count;
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

/// Which of the files that a power cut concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FileKind {
    Database,
    Wal,
    Journal,
}

/// What the handle and the VFS share. Its methods are the operations of SQLite on a file, bent by the knobs.
///
/// One lock over all files, held while the real operation runs: an image is of one instant.
#[derive(Debug, Default)]
struct Control(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    counts: Counts,
    sync_delay: Duration,
    sync_failures_left: u64,
    full: bool,
    free_bytes: Option<u64>,
    real_sync: bool,
    files: BTreeMap<PathBuf, Shadow>,
}

impl Control {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `open` opens the real file.
    fn open(&self, path: &Path, open: impl FnOnce() -> Result<RealFile, Code>) -> Result<(), Code> {
        let mut state = self.lock();
        let existed = path.exists();
        let real = open()?;
        let file = state.files.entry(path.to_owned()).or_default();
        if file.handles == 0 {
            // Read through SQLite's own descriptor: closing another one would drop this process's locks on the file.
            file.meet(existed.then(|| real.read_to_end()).transpose()?);
        }
        file.handles += 1;
        Ok(())
    }

    fn close(&self, path: &Path) {
        self.lock().file(path).handles -= 1;
    }

    fn write(
        &self,
        path: &Path,
        kind: FileKind,
        real: RealFile,
        offset: u64,
        data: &[u8],
    ) -> Result<(), Code> {
        let mut state = self.lock();
        let counts = state.counts.of(kind);
        counts.writes += 1;
        counts.pages += u64::from(data.len() >= PAGE_BYTES_MIN);
        counts.bytes += data.len() as u64;

        let length_before = state.file(path).length;
        let growth = (offset + data.len() as u64).saturating_sub(length_before);
        let free = if state.full { 0 } else { state.free_bytes.unwrap_or(u64::MAX) };
        // A full disk takes the part that fits, as the real call does.
        let missing = usize::try_from(growth.saturating_sub(free)).unwrap_or(usize::MAX);
        let fitting = &data[..data.len().saturating_sub(missing)];
        if !fitting.is_empty() {
            real.write(offset, fitting)?;
            let file = state.file(path);
            file.write(offset, fitting);
            let grown = file.length - length_before;
            state.free_bytes = state.free_bytes.map(|free| free.saturating_sub(grown));
        }
        if missing > 0 { Err(ffi::SQLITE_FULL) } else { Ok(()) }
    }

    fn truncate(&self, path: &Path, real: RealFile, length: u64) -> Result<(), Code> {
        let mut state = self.lock();
        real.truncate(length)?;
        let file = state.file(path);
        let freed = file.length.saturating_sub(length);
        file.truncate(length);
        state.give_back(freed);
        Ok(())
    }

    /// `directory`: this sync makes creations and deletions beside the file durable too.
    fn sync(
        &self,
        path: &Path,
        kind: FileKind,
        real: RealFile,
        flags: Code,
        directory: bool,
    ) -> Result<(), Code> {
        let (delay, real_sync, mark) = {
            let mut state = self.lock();
            state.counts.of(kind).syncs += 1;
            // What another connection writes from here on is not promised to be synced.
            let mark = state.file(path).mark();
            (state.sync_delay, state.real_sync, mark)
        };
        if !delay.is_zero() {
            thread::sleep(delay);
        }
        if real_sync {
            real.sync(flags)?;
        }
        let mut state = self.lock();
        if state.sync_failures_left > 0 {
            // `u64::MAX` is "always"; counting it down takes longer than any test.
            state.sync_failures_left -= 1;
            state.file(path).sync_failed(mark);
            return Err(ffi::SQLITE_IOERR_FSYNC);
        }
        state.file(path).sync(mark);
        if directory {
            state.sync_directory_of(path);
        }
        Ok(())
    }

    /// `delete` deletes the real file.
    fn delete(
        &self,
        path: &Path,
        sync_directory: bool,
        delete: impl FnOnce() -> Result<(), Code>,
    ) -> Result<(), Code> {
        let mut state = self.lock();
        delete()?;
        if let Some(file) = state.files.get_mut(path) {
            let freed = file.length;
            file.delete();
            state.give_back(freed);
        }
        if sync_directory {
            state.sync_directory_of(path);
        }
        Ok(())
    }

    fn crash(&self, seed: u64) -> Vec<(PathBuf, Option<Vec<u8>>)> {
        let mut dice = Dice::new(seed);
        self.lock().files.iter().map(|(path, file)| (path.clone(), file.crash(&mut dice))).collect()
    }

    /// Forgets the contents, unless a connection still writes to them.
    fn retire(&self) {
        let mut state = self.lock();
        if state.files.values().all(|file| file.handles == 0) {
            state.files.clear();
        }
    }
}

impl State {
    fn file(&mut self, path: &Path) -> &mut Shadow {
        self.files.get_mut(path).expect("a file has a shadow from its first open on")
    }

    fn give_back(&mut self, freed: u64) {
        self.free_bytes = self.free_bytes.map(|free| free.saturating_add(freed));
    }

    fn sync_directory_of(&mut self, path: &Path) {
        let beside = self.files.iter_mut().filter(|(other, _)| other.parent() == path.parent());
        beside.for_each(|(_, file)| file.sync_name());
    }
}

impl Counts {
    fn of(&mut self, kind: FileKind) -> &mut FileCounts {
        match kind {
            FileKind::Database => &mut self.database,
            FileKind::Wal => &mut self.wal,
            FileKind::Journal => &mut self.journal,
        }
    }
}
