//! The C side: a VFS whose files are a header of ours with the real `unix` file behind it.
//!
//! Nothing is decided here. Operations on the database, its WAL and its journal go to [`Control`] with the real file
//! in hand; all others are passed on.

#![expect(unsafe_code, reason = "a SQLite VFS is a table of C callbacks")]

use std::ffi::{CStr, CString, OsStr, c_char, c_int, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::ptr::{self, NonNull};
use std::slice;
use std::sync::atomic::{AtomicPtr, Ordering};

use rusqlite::ffi;

use super::control::{Control, FileKind};

/// A SQLite result code that is not `SQLITE_OK`.
pub(super) type Code = c_int;

fn code(result: Result<(), Code>) -> c_int {
    result.err().unwrap_or(ffi::SQLITE_OK)
}

fn check(code: c_int) -> Result<(), Code> {
    if code == ffi::SQLITE_OK { Ok(()) } else { Err(code) }
}

/// The VFS's entry in SQLite's list, for as long as this lives.
#[derive(Debug)]
pub(super) struct Registration {
    vfs: AtomicPtr<ffi::sqlite3_vfs>,
    name: &'static str,
    control: &'static Control,
}

/// What a VFS of ours carries in `pAppData`.
struct AppData {
    unix: NonNull<ffi::sqlite3_vfs>,
    control: &'static Control,
}

impl Registration {
    pub(super) fn new(name: &str, control: &'static Control) -> Self {
        let c_name: &'static CStr =
            Box::leak(CString::new(name).expect("the name has no NUL").into_boxed_c_str());
        // SAFETY: SQLite initialises itself here if need be; the name is a C string. A VFS that is found stays valid,
        // "unix" is never unregistered.
        let unix = unsafe { ffi::sqlite3_vfs_find(c"unix".as_ptr()) };
        let unix = NonNull::new(unix).expect("SQLite on Unix has the unix VFS");
        // SAFETY: as above; nobody writes to it but SQLite, to `pNext`, when the list changes. We overwrite that.
        let mut vfs = unsafe { ptr::read(unix.as_ptr()) };
        // The other methods are the ones of "unix" as they stand: none of them looks at the VFS it is called on.
        vfs.szOsFile += c_int::try_from(size_of::<FileHeader>()).expect("a header is small");
        vfs.pNext = ptr::null_mut();
        vfs.zName = c_name.as_ptr();
        vfs.pAppData = ptr::from_mut(Box::leak(Box::new(AppData { unix, control }))).cast();
        vfs.xOpen = Some(open);
        vfs.xDelete = Some(delete);
        // Leaked: connections keep the pointer, and may outlive the registration.
        let vfs = Box::into_raw(Box::new(vfs));
        // SAFETY: the VFS and all it points to live for ever.
        let registered = unsafe { ffi::sqlite3_vfs_register(vfs, 0) };
        assert_eq!(registered, ffi::SQLITE_OK, "SQLite takes any VFS");
        Self { vfs: AtomicPtr::new(vfs), name: c_name.to_str().expect("it was made from a str"), control }
    }

    pub(super) fn name(&self) -> &'static str {
        self.name
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        // SAFETY: it was registered in `new`. Open connections have their own pointer to it, which stays valid.
        unsafe { ffi::sqlite3_vfs_unregister(self.vfs.load(Ordering::Relaxed)) };
        self.control.retire();
    }
}

/// What SQLite takes for the file. The real one follows at once: SQLite allocates `szOsFile` bytes, aligned to 8.
#[repr(C, align(8))]
struct FileHeader {
    /// First, since this is what SQLite sees.
    sqlite: ffi::sqlite3_file,
    /// From `Box::into_raw`; null: a temporary file, passed through.
    tracked: *mut Tracked,
}

/// A file that [`Control`] knows.
pub(super) struct Tracked {
    control: &'static Control,
    pub(super) path: PathBuf,
    pub(super) kind: FileKind,
    /// `unix` syncs the directory at the first sync of a handle on a WAL or journal that it was asked to create.
    pub(super) sync_directory: bool,
    /// Failed syncs of the file that this handle knows of.
    pub(super) told: u64,
}

/// An open file of the `unix` VFS. To hold one promises that it stays open meanwhile.
#[derive(Clone, Copy)]
pub(super) struct RealFile(NonNull<ffi::sqlite3_file>);

/// Calls a method of the real file.
macro_rules! real {
    ($file:expr, $method:ident $(, $argument:expr)*) => {{
        let file = $file.0.as_ptr();
        let method = (*(*file).pMethods).$method.expect("a unix file has every method of version 3");
        method(file $(, $argument)*)
    }};
}

impl RealFile {
    /// # Safety
    ///
    /// `file` came from [`open`] and is not closed.
    unsafe fn behind(file: *mut ffi::sqlite3_file) -> Self {
        // SAFETY: `szOsFile` is the sum of both.
        Self(unsafe { NonNull::new_unchecked(file.cast::<FileHeader>().add(1).cast()) })
    }

    pub(super) fn write(self, offset: u64, data: &[u8]) -> Result<(), Code> {
        // SAFETY: the file is open, `data` is that long: SQLite hands over at most `c_int::MAX` bytes.
        check(unsafe { real!(self, xWrite, data.as_ptr().cast(), data.len() as c_int, offset.cast_signed()) })
    }

    pub(super) fn truncate(self, length: u64) -> Result<(), Code> {
        // SAFETY: the file is open.
        check(unsafe { real!(self, xTruncate, length.cast_signed()) })
    }

    pub(super) fn sync(self, flags: c_int) -> Result<(), Code> {
        // SAFETY: the file is open.
        check(unsafe { real!(self, xSync, flags) })
    }

    pub(super) fn read_to_end(self) -> Result<Vec<u8>, Code> {
        let mut length: ffi::sqlite3_int64 = 0;
        // SAFETY: the file is open.
        check(unsafe { real!(self, xFileSize, &raw mut length) })?;
        let mut content = vec![0; usize::try_from(length).expect("test files fit in memory")];
        for (chunk, offset) in content.chunks_mut(1 << 20).zip((0..).step_by(1 << 20)) {
            // SAFETY: the file is open and the chunk is that long.
            check(unsafe { real!(self, xRead, chunk.as_mut_ptr().cast(), chunk.len() as c_int, offset) })?;
        }
        Ok(content)
    }
}

/// # Safety
///
/// `name` is null or a C string.
unsafe fn path_of<'name>(name: *const c_char) -> Option<&'name Path> {
    // SAFETY: the caller's promise.
    (!name.is_null()).then(|| Path::new(OsStr::from_bytes(unsafe { CStr::from_ptr(name) }.to_bytes())))
}

fn kind_of(open_flags: c_int) -> Option<FileKind> {
    let kinds = [
        (ffi::SQLITE_OPEN_MAIN_DB, FileKind::Database),
        (ffi::SQLITE_OPEN_WAL, FileKind::Wal),
        (ffi::SQLITE_OPEN_MAIN_JOURNAL | ffi::SQLITE_OPEN_SUPER_JOURNAL, FileKind::Journal),
    ];
    kinds.into_iter().find(|(flag, _)| open_flags & flag != 0).map(|(_, kind)| kind)
}

// SAFETY, of all callbacks below: SQLite calls a VFS method with a VFS that we registered, hence with our `AppData`,
// and a file method with a file that `open` set up and `close` has not closed; never two calls on one file at once.
// Other pointers are as the SQLite documentation of the method says.

unsafe extern "C" fn open(
    vfs: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    unsafe {
        let app = &*(*vfs).pAppData.cast::<AppData>();
        let header = file.cast::<FileHeader>();
        // Without methods SQLite does not close the file; so it must look until it is open.
        ptr::write(
            header,
            FileHeader { sqlite: ffi::sqlite3_file { pMethods: ptr::null() }, tracked: ptr::null_mut() },
        );
        let real = RealFile::behind(file);
        (*real.0.as_ptr()).pMethods = ptr::null();
        let open_real = || {
            let unix = app.unix.as_ptr();
            check((*unix).xOpen.expect("a VFS opens")(unix, name, real.0.as_ptr(), flags, out_flags))
                .map(|()| real)
        };
        let result = match (path_of(name), kind_of(flags)) {
            (Some(path), Some(kind)) => app.control.open(path, open_real).map(|told| {
                let creates = flags & ffi::SQLITE_OPEN_CREATE != 0;
                let tracked = Tracked {
                    control: app.control,
                    path: path.to_owned(),
                    kind,
                    sync_directory: creates && kind != FileKind::Database,
                    told,
                };
                (*header).tracked = Box::into_raw(Box::new(tracked));
            }),
            _ => open_real().map(|_| ()),
        };
        if result.is_ok() {
            (*header).sqlite.pMethods = &raw const METHODS;
        } else if !(*real.0.as_ptr()).pMethods.is_null() {
            real!(real, xClose);
        }
        code(result)
    }
}

unsafe extern "C" fn delete(vfs: *mut ffi::sqlite3_vfs, name: *const c_char, sync_directory: c_int) -> c_int {
    unsafe {
        let app = &*(*vfs).pAppData.cast::<AppData>();
        let delete_real = || {
            let unix = app.unix.as_ptr();
            // The real sync of the directory is as needless as the ones of files.
            check((*unix).xDelete.expect("a VFS deletes")(unix, name, 0))
        };
        code(match path_of(name) {
            Some(path) => app.control.delete(path, sync_directory != 0, delete_real),
            None => delete_real(),
        })
    }
}

/// # Safety
///
/// As for the callbacks.
unsafe fn tracked<'file>(file: *mut ffi::sqlite3_file) -> Option<&'file mut Tracked> {
    unsafe { (*file.cast::<FileHeader>()).tracked.as_mut() }
}

unsafe extern "C" fn close(file: *mut ffi::sqlite3_file) -> c_int {
    unsafe {
        let closed = real!(RealFile::behind(file), xClose);
        let header = file.cast::<FileHeader>();
        if !(*header).tracked.is_null() {
            let tracked = Box::from_raw((*header).tracked);
            tracked.control.close(&tracked.path);
        }
        (*header).sqlite.pMethods = ptr::null();
        closed
    }
}

unsafe extern "C" fn write(
    file: *mut ffi::sqlite3_file,
    data: *const c_void,
    amount: c_int,
    offset: ffi::sqlite3_int64,
) -> c_int {
    unsafe {
        let real = RealFile::behind(file);
        let data = slice::from_raw_parts(data.cast::<u8>(), usize::try_from(amount).unwrap_or(0));
        let offset = offset.cast_unsigned();
        code(match tracked(file) {
            Some(Tracked { control, path, kind, .. }) => control.write(path, *kind, real, offset, data),
            None => real.write(offset, data),
        })
    }
}

unsafe extern "C" fn truncate(file: *mut ffi::sqlite3_file, length: ffi::sqlite3_int64) -> c_int {
    unsafe {
        let real = RealFile::behind(file);
        let length = length.cast_unsigned();
        code(match tracked(file) {
            Some(Tracked { control, path, kind, .. }) => control.truncate(path, *kind, real, length),
            None => real.truncate(length),
        })
    }
}

unsafe extern "C" fn sync(file: *mut ffi::sqlite3_file, flags: c_int) -> c_int {
    unsafe {
        let real = RealFile::behind(file);
        code(match tracked(file) {
            Some(tracked) => tracked.control.sync(tracked, real, flags),
            None => real.sync(flags),
        })
    }
}

unsafe extern "C" fn file_control(
    file: *mut ffi::sqlite3_file,
    operation: c_int,
    argument: *mut c_void,
) -> c_int {
    if operation == ffi::SQLITE_FCNTL_CHUNK_SIZE {
        // Files would grow in chunks, unseen by us.
        return ffi::SQLITE_NOTFOUND;
    }
    unsafe { real!(RealFile::behind(file), xFileControl, operation, argument) }
}

unsafe extern "C" fn fetch(
    _file: *mut ffi::sqlite3_file,
    _offset: ffi::sqlite3_int64,
    _amount: c_int,
    page: *mut *mut c_void,
) -> c_int {
    // Declined: SQLite then reads.
    unsafe { *page = ptr::null_mut() };
    ffi::SQLITE_OK
}

unsafe extern "C" fn unfetch(
    _file: *mut ffi::sqlite3_file,
    _offset: ffi::sqlite3_int64,
    _page: *mut c_void,
) -> c_int {
    ffi::SQLITE_OK
}

/// Callbacks that only pass on.
macro_rules! passed_on {
    ($($name:ident = $method:ident($($argument:ident: $type:ty),*) $(-> $result:ty)?;)*) => {$(
        unsafe extern "C" fn $name(file: *mut ffi::sqlite3_file $(, $argument: $type)*) $(-> $result)? {
            unsafe { real!(RealFile::behind(file), $method $(, $argument)*) }
        }
    )*};
}

passed_on! {
    read = xRead(data: *mut c_void, amount: c_int, offset: ffi::sqlite3_int64) -> c_int;
    file_size = xFileSize(size: *mut ffi::sqlite3_int64) -> c_int;
    lock = xLock(level: c_int) -> c_int;
    unlock = xUnlock(level: c_int) -> c_int;
    check_reserved_lock = xCheckReservedLock(reserved: *mut c_int) -> c_int;
    sector_size = xSectorSize() -> c_int;
    device_characteristics = xDeviceCharacteristics() -> c_int;
    shm_map = xShmMap(region: c_int, size: c_int, extend: c_int, memory: *mut *mut c_void) -> c_int;
    shm_lock = xShmLock(offset: c_int, count: c_int, flags: c_int) -> c_int;
    shm_barrier = xShmBarrier();
    shm_unmap = xShmUnmap(delete: c_int) -> c_int;
}

static METHODS: ffi::sqlite3_io_methods = ffi::sqlite3_io_methods {
    iVersion: 3,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(check_reserved_lock),
    xFileControl: Some(file_control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(device_characteristics),
    xShmMap: Some(shm_map),
    xShmLock: Some(shm_lock),
    xShmBarrier: Some(shm_barrier),
    xShmUnmap: Some(shm_unmap),
    xFetch: Some(fetch),
    xUnfetch: Some(unfetch),
};
