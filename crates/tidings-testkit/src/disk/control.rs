//! The operations of SQLite on a file, bent by the knobs.

use std::collections::BTreeMap;
use std::fs::File;
use std::mem;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, SystemTime};

use rusqlite::ffi;

use super::shadow::Shadow;
use super::vfs::{Code, RealFile, Tracked};
use super::{Counts, Dice, FileCounts};

/// The smallest SQLite page; shorter writes are headers.
const PAGE_BYTES_MIN: usize = 512;
/// The time of change that a file is left with when its last handle is closed. With another one at the next opening,
/// somebody has written to it meanwhile who is not SQLite.
const LEFT_BY_US: SystemTime = SystemTime::UNIX_EPOCH;

/// Which of the files that a power cut concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FileKind {
    /// The database file.
    Database,
    /// The write-ahead log.
    Wal,
    /// A rollback journal.
    Journal,
}

/// What changes a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// `xWrite`.
    Write(FileKind),
    /// `xSync`.
    Sync(FileKind),
    /// `xTruncate`.
    Truncate(FileKind),
    /// `xDelete` of a file that was open once.
    Delete,
}

/// When the machine stands still.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Halt {
    /// After as many more operations, of this kind or of any.
    In(u64, Option<Operation>),
    /// Since this one, which had no effect.
    At(Operation),
}

/// What the handle and the VFS share. Its methods are the operations of SQLite on a file, bent by the knobs.
///
/// One lock over all files, held while the real operation runs: an image is of one instant.
#[derive(Debug, Default)]
pub(super) struct Control(Mutex<State>);

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) counts: Counts,
    pub(super) sync_delays: BTreeMap<FileKind, Duration>,
    pub(super) syncs_before_failure: u64,
    pub(super) sync_failures_left: u64,
    pub(super) sync_failures_of: Option<FileKind>,
    pub(super) failed_syncs: Vec<FileKind>,
    pub(super) full: bool,
    pub(super) free_bytes: Option<u64>,
    pub(super) real_sync: bool,
    pub(super) halt: Option<Halt>,
    files: BTreeMap<PathBuf, Shadow>,
}

impl Control {
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `open` opens the real file. Gives the failed syncs of which the handle need not be told.
    pub(super) fn open(
        &self,
        path: &Path,
        open: impl FnOnce() -> Result<RealFile, Code>,
    ) -> Result<u64, Code> {
        let mut state = self.lock();
        if matches!(state.halt, Some(Halt::At(_))) {
            return Err(ffi::SQLITE_CANTOPEN);
        }
        let existed = path.exists();
        let rewritten = modified(path).is_some_and(|modified| modified != LEFT_BY_US);
        let real = open()?;
        let file = state.files.entry(path.to_owned()).or_default();
        if file.handles == 0 {
            // Read through SQLite's own descriptor: closing another one would drop this process's locks on the file.
            file.meet(existed.then(|| real.read_to_end()).transpose()?, rewritten);
        }
        file.handles += 1;
        Ok(file.failures)
    }

    pub(super) fn close(&self, path: &Path) {
        let mut state = self.lock();
        let file = state.file(path);
        file.handles -= 1;
        if file.handles == 0 {
            leave(path);
        }
    }

    pub(super) fn write(
        &self,
        path: &Path,
        kind: FileKind,
        real: RealFile,
        offset: u64,
        data: &[u8],
    ) -> Result<(), Code> {
        let mut state = self.lock();
        state.step(Operation::Write(kind), ffi::SQLITE_IOERR_WRITE)?;
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

    pub(super) fn truncate(
        &self,
        path: &Path,
        kind: FileKind,
        real: RealFile,
        length: u64,
    ) -> Result<(), Code> {
        let mut state = self.lock();
        state.step(Operation::Truncate(kind), ffi::SQLITE_IOERR_TRUNCATE)?;
        real.truncate(length)?;
        let file = state.file(path);
        let freed = file.length.saturating_sub(length);
        file.truncate(length);
        state.give_back(freed);
        Ok(())
    }

    /// `told`: the failed syncs of the file that this handle knows of.
    pub(super) fn sync(
        &self,
        Tracked { path, kind, sync_directory, told, .. }: &mut Tracked,
        real: RealFile,
        flags: Code,
    ) -> Result<(), Code> {
        let (path, kind) = (path.as_path(), *kind);
        let (delay, real_sync, mark) = {
            let mut state = self.lock();
            state.step(Operation::Sync(kind), ffi::SQLITE_IOERR_FSYNC)?;
            state.counts.of(kind).syncs += 1;
            // What another connection writes from here on is not promised to be synced.
            let mark = state.file(path).mark();
            (state.sync_delays.get(&kind).copied().unwrap_or_default(), state.real_sync, mark)
        };
        if !delay.is_zero() {
            thread::sleep(delay);
        }
        if real_sync {
            real.sync(flags)?;
        }
        let mut state = self.lock();
        if matches!(state.halt, Some(Halt::At(_))) {
            // It stood still while this one was waiting for the disk.
            return Err(ffi::SQLITE_IOERR_FSYNC);
        }
        if state.sync_fails(kind) {
            state.failed_syncs.push(kind);
            let file = state.file(path);
            file.sync_failed(mark);
            *told = file.failures;
            return Err(ffi::SQLITE_IOERR_FSYNC);
        }
        let file = state.file(path);
        file.sync(mark);
        // Each handle that was open then is told once, whoever asked for the sync that failed.
        if mem::replace(told, file.failures) < file.failures {
            return Err(ffi::SQLITE_IOERR_FSYNC);
        }
        if mem::take(sync_directory) {
            state.sync_directory_of(path);
        }
        Ok(())
    }

    /// `delete` deletes the real file.
    pub(super) fn delete(
        &self,
        path: &Path,
        sync_directory: bool,
        delete: impl FnOnce() -> Result<(), Code>,
    ) -> Result<(), Code> {
        let mut state = self.lock();
        if state.files.contains_key(path) {
            state.step(Operation::Delete, ffi::SQLITE_IOERR_DELETE)?;
        }
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

    pub(super) fn crash(&self, seed: u64) -> Vec<(PathBuf, Option<Vec<u8>>)> {
        let mut dice = Dice::new(seed);
        self.lock().files.iter().map(|(path, file)| (path.clone(), file.crash(&mut dice))).collect()
    }

    /// Forgets the contents, unless a connection still writes to them.
    pub(super) fn retire(&self) {
        let mut state = self.lock();
        if state.files.values().all(|file| file.handles == 0) {
            state.files.clear();
        }
    }
}

impl State {
    /// Counts an operation, and refuses it where the machine stands still.
    fn step(&mut self, operation: Operation, refusal: Code) -> Result<(), Code> {
        match &mut self.halt {
            None => return Ok(()),
            Some(Halt::In(_, Some(kind))) if *kind != operation => return Ok(()),
            Some(Halt::In(0, _)) => self.halt = Some(Halt::At(operation)),
            Some(Halt::In(left, _)) => {
                *left -= 1;
                return Ok(());
            }
            Some(Halt::At(_)) => {}
        }
        Err(refusal)
    }

    fn sync_fails(&mut self, kind: FileKind) -> bool {
        if self.sync_failures_left == 0 || self.sync_failures_of.is_some_and(|of| of != kind) {
            return false;
        }
        if self.syncs_before_failure > 0 {
            self.syncs_before_failure -= 1;
            return false;
        }
        // `u64::MAX` is "always"; counting it down takes longer than any test.
        self.sync_failures_left -= 1;
        true
    }

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

fn modified(path: &Path) -> Option<SystemTime> {
    path.metadata().and_then(|metadata| metadata.modified()).ok()
}

/// Nobody has the file open any more, so that nobody loses a lock by this descriptor.
fn leave(path: &Path) {
    // It may have been deleted.
    if let Ok(file) = File::options().write(true).open(path) {
        file.set_modified(LEFT_BY_US).expect("the test's own file");
    }
}
