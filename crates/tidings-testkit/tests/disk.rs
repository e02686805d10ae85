//! The faulty disk under plain SQLite: it works when left alone, each fault is the one that was asked for, and crash
//! images show a missing sync.

#[path = "disk/restart.rs"]
mod restart;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode, OpenFlags, Result, ffi};
use tempfile::TempDir;
use tidings_testkit::disk::FaultyDisk;

const SEEDS: u64 = 300;

/// A disk, a directory, and a database in it with a table of numbered rows, all of it synced.
struct Bench {
    disk: FaultyDisk,
    dir: TempDir,
}

impl Bench {
    fn new() -> Self {
        let bench = Self { disk: FaultyDisk::new(), dir: tempfile::tempdir().expect("a directory") };
        let db = bench.connect("FULL");
        db.execute_batch("CREATE TABLE message (number INTEGER PRIMARY KEY, body BLOB NOT NULL)")
            .expect("a table");
        // As the last connection closes, it checkpoints.
        drop(db);
        bench.disk.reset_counts();
        bench
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("bench.db")
    }

    fn connect(&self, synchronous: &str) -> Connection {
        let db = Connection::open_with_flags_and_vfs(self.path(), OpenFlags::default(), self.disk.vfs_name())
            .expect("opens");
        db.execute_batch(&format!("PRAGMA journal_mode = WAL; PRAGMA synchronous = {synchronous};"))
            .expect("WAL");
        db
    }

    /// The rows that the image for `seed` holds, or the error that reading it gives.
    fn rows_after_crash(&self, seed: u64) -> Result<BTreeSet<i64>> {
        let image = self.dir.path().join("image");
        self.disk.crash_image(&image, seed).expect("writes the image");
        let db = Connection::open(image.join("bench.db"))?;
        // The image is thrown away, so nothing needs to reach the real disk.
        db.execute_batch("PRAGMA synchronous = OFF")?;
        let verdict: String = db.query_row("PRAGMA integrity_check", [], |row| row.get(0))?;
        assert_eq!(verdict, "ok", "seed {seed}");
        rows(&db)
    }
}

fn insert(db: &Connection, number: i64) -> Result<()> {
    // Some rows take a page, some several.
    let body = vec![number as u8; 200 + (number as usize % 7) * 1_500];
    db.prepare_cached("INSERT INTO message VALUES (?1, ?2)")?.execute((number, body)).map(|_| ())
}

fn rows(db: &Connection) -> Result<BTreeSet<i64>> {
    db.prepare("SELECT number FROM message WHERE length(body) > 0")?
        .query_map([], |row| row.get(0))?
        .collect()
}

fn extended_code(result: Result<()>) -> i32 {
    result.expect_err("this fails").sqlite_error().expect("SQLite says so").extended_code
}

fn files(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files: Vec<_> = std::fs::read_dir(dir)
        .expect("a directory")
        .map(|entry| entry.expect("an entry").path())
        .map(|path| (path.file_name().expect("a name").into(), std::fs::read(&path).expect("a file")))
        .collect();
    files.sort();
    files
}

#[test]
fn left_alone_it_is_a_disk() {
    let bench = Bench::new();
    let writer = bench.connect("FULL");
    let reader = bench.connect("FULL");
    insert(&writer, 1).unwrap();
    assert_eq!(rows(&reader).unwrap(), [1].into());
    insert(&reader, 2).unwrap();
    assert_eq!(rows(&writer).unwrap(), [1, 2].into());
    writer.execute_batch("BEGIN IMMEDIATE").unwrap();
    let refused = reader.busy_timeout(Duration::ZERO).and_then(|()| insert(&reader, 3)).unwrap_err();
    assert_eq!(refused.sqlite_error_code(), Some(ErrorCode::DatabaseBusy), "locks are passed on");
    drop((writer, reader));

    let reopened = bench.connect("FULL");
    reopened.execute_batch("PRAGMA mmap_size = 1000000; VACUUM; PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    assert_eq!(rows(&reopened).unwrap(), [1, 2].into());
    let plain = Connection::open(bench.path()).unwrap();
    assert_eq!(rows(&plain).unwrap(), [1, 2].into(), "the files are ordinary files");
}

#[test]
fn two_disks_do_not_know_each_other() {
    let (one, other) = (Bench::new(), Bench::new());
    one.disk.fail_syncs_always();
    assert_ne!(one.disk.vfs_name(), other.disk.vfs_name());
    insert(&one.connect("FULL"), 1).unwrap_err();
    insert(&other.connect("FULL"), 1).unwrap();
}

#[test]
fn a_connection_outlives_the_disk() {
    let bench = Bench::new();
    let db = bench.connect("FULL");
    let Bench { disk, dir } = bench;
    let name = disk.vfs_name();
    drop(disk);
    insert(&db, 1).unwrap();
    drop(db);
    Connection::open_with_flags_and_vfs(dir.path().join("bench.db"), OpenFlags::default(), name).unwrap_err();
}

#[test]
fn full_synchronous_is_one_wal_sync_a_commit_and_off_is_none() {
    let bench = Bench::new();
    let db = bench.connect("FULL");
    insert(&db, 1).unwrap();
    assert_eq!(bench.disk.counts().wal.syncs, 2, "a new WAL has its header synced too");

    bench.disk.reset_counts();
    (2..12).for_each(|number| insert(&db, number).unwrap());
    let counts = bench.disk.counts();
    assert_eq!((counts.wal.syncs, counts.database.syncs, bench.disk.syncs()), (10, 0, 10));
    assert_eq!(counts.wal.writes, 2 * counts.wal.pages, "each page has a header");
    assert_eq!(counts.wal.bytes, (4_096 + 24) * counts.wal.pages);
    assert_eq!(counts.database.writes, 0, "pages wait for the checkpoint");

    bench.disk.reset_counts();
    db.execute_batch("PRAGMA wal_checkpoint").unwrap();
    let counts = bench.disk.counts();
    assert_eq!((counts.wal.syncs, counts.database.syncs), (1, 1));
    assert_eq!(counts.database.bytes, 4_096 * counts.database.pages);

    db.execute_batch("PRAGMA synchronous = OFF").unwrap();
    bench.disk.reset_counts();
    (12..22).for_each(|number| insert(&db, number).unwrap());
    assert_eq!(bench.disk.syncs(), 0);
    assert!(bench.disk.counts().wal.pages >= 10);
}

#[test]
fn a_slow_sync_delays_the_commit() {
    let bench = Bench::new();
    let db = bench.connect("FULL");
    insert(&db, 1).unwrap();
    let delay = Duration::from_millis(150);
    bench.disk.slow_sync(delay);
    let start = Instant::now();
    insert(&db, 2).unwrap();
    assert!(start.elapsed() >= delay);
    bench.disk.slow_sync(Duration::ZERO);
    let start = Instant::now();
    insert(&db, 3).unwrap();
    assert!(start.elapsed() < delay);
}

#[test]
fn a_failing_sync_fails_the_commit() {
    let bench = Bench::new();
    let db = bench.connect("FULL");
    insert(&db, 1).unwrap();

    bench.disk.fail_syncs(1);
    db.execute_batch("BEGIN").unwrap();
    insert(&db, 2).unwrap();
    assert_eq!(extended_code(db.execute_batch("COMMIT")), ffi::SQLITE_IOERR_FSYNC);
    assert_eq!(rows(&db).unwrap(), [1].into(), "rolled back");

    insert(&db, 3).unwrap();
    bench.disk.fail_syncs_always();
    assert_eq!(extended_code(insert(&db, 4)), ffi::SQLITE_IOERR_FSYNC);
    assert_eq!(extended_code(insert(&db, 5)), ffi::SQLITE_IOERR_FSYNC);
    bench.disk.fail_syncs(0);
    insert(&db, 6).unwrap();
    assert_eq!(rows(&db).unwrap(), [1, 3, 6].into());
    for seed in 0..SEEDS {
        assert_eq!(bench.rows_after_crash(seed).unwrap(), [1, 3, 6].into(), "seed {seed}");
    }
}

#[test]
fn a_failed_sync_is_told_once_to_everybody_who_has_the_file_open() {
    let bench = Bench::new();
    let (one, other) = (bench.connect("FULL"), bench.connect("FULL"));
    insert(&one, 1).unwrap();
    insert(&other, 2).unwrap();
    bench.disk.fail_syncs(1);
    assert_eq!(extended_code(insert(&one, 3)), ffi::SQLITE_IOERR_FSYNC);
    insert(&one, 4).unwrap();
    let later = bench.connect("FULL");
    insert(&later, 5).unwrap();
    assert_eq!(
        extended_code(insert(&other, 6)),
        ffi::SQLITE_IOERR_FSYNC,
        "it is told, though its own is synced"
    );
    insert(&other, 7).unwrap();
    assert_eq!(rows(&later).unwrap(), [1, 2, 4, 5, 7].into());
}

#[test]
fn a_full_disk_refuses_until_there_is_space() {
    let bench = Bench::new();
    let db = bench.connect("FULL");
    insert(&db, 1).unwrap();

    bench.disk.full(true);
    assert_eq!(extended_code(insert(&db, 2)), ffi::SQLITE_FULL);
    assert_eq!(rows(&db).unwrap(), [1].into(), "reading goes on");
    bench.disk.full(false);
    insert(&db, 3).unwrap();

    bench.disk.free_bytes(Some(40_000));
    let written: i64 = (4..100).find(|number| insert(&db, *number).is_err()).expect("the disk fills up");
    assert!((5..15).contains(&written), "40 kB are some rows, not {written}");
    assert_eq!(extended_code(insert(&db, written)), ffi::SQLITE_FULL);
    bench.disk.free_bytes(None);
    db.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    insert(&db, written).unwrap();

    let wal_bytes = std::fs::metadata(bench.path().with_extension("db-wal")).unwrap().len();
    bench.disk.free_bytes(Some(0));
    db.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap_err();
    bench.disk.free_bytes(Some(100_000));
    db.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    bench.disk.full(true);
    assert_eq!(extended_code(insert(&db, written + 1)), ffi::SQLITE_FULL);
    assert!(wal_bytes > 0);

    bench.disk.full(false);
    insert(&db, written + 1).unwrap();
    let expected: BTreeSet<i64> = [1].into_iter().chain(3..=written + 1).collect();
    assert_eq!(rows(&db).unwrap(), expected);
    assert_eq!(bench.rows_after_crash(0).unwrap(), expected);
}

/// Inserts a row per seed, with frequent checkpoints and a transaction left open now and then, and hands `judge` what
/// a power cut leaves after each.
fn crash_after_each_commit(
    synchronous: &str,
    mut judge: impl FnMut(u64, &BTreeSet<i64>, Result<BTreeSet<i64>>),
) {
    let bench = Bench::new();
    let db = bench.connect(synchronous);
    db.execute_batch("PRAGMA wal_autocheckpoint = 25; PRAGMA cache_size = 5;").expect("SQLite agrees");
    let mut committed = BTreeSet::new();
    for seed in 0..SEEDS {
        let number = seed as i64;
        insert(&db, number).expect("SQLite agrees");
        committed.insert(number);
        let unfinished = seed % 3 == 0;
        if unfinished {
            // Larger than the page cache: it spills into the WAL before it would commit.
            db.execute_batch("BEGIN").expect("SQLite agrees");
            (0..20).for_each(|other| insert(&db, 1_000_000 + other).expect("SQLite agrees"));
        }
        judge(seed, &committed, bench.rows_after_crash(seed));
        if unfinished {
            db.execute_batch("ROLLBACK").expect("SQLite agrees");
        }
    }
}

#[test]
fn with_full_synchronous_a_power_cut_loses_nothing() {
    crash_after_each_commit("FULL", |seed, committed, rows| {
        assert_eq!(&rows.expect("opens"), committed, "seed {seed}");
    });
}

#[test]
fn with_normal_synchronous_a_power_cut_loses_the_newest_only() {
    let mut short = 0;
    crash_after_each_commit("NORMAL", |seed, committed, rows| {
        let rows = rows.expect("opens");
        let newest: BTreeSet<_> = committed.iter().copied().take(rows.len()).collect();
        assert_eq!(rows, newest, "seed {seed}");
        short += u64::from(&rows != committed);
    });
    assert!((1..SEEDS).contains(&short), "{short} of {SEEDS} images lost rows");
}

#[test]
fn with_synchronous_off_the_harness_goes_red() {
    let bench = Bench::new();
    let db = bench.connect("OFF");
    let committed: BTreeSet<i64> = (0..20).collect();
    committed.iter().for_each(|number| insert(&db, *number).unwrap());
    let mut survivors = BTreeSet::new();
    for seed in 0..SEEDS {
        survivors
            .insert(bench.rows_after_crash(seed).map_or(0, |rows| rows.intersection(&committed).count()));
    }
    assert!(survivors.contains(&0), "all may be lost");
    assert!(survivors.contains(&20), "nothing may be lost");
    assert!(survivors.iter().any(|count| (1..20).contains(count)), "some may be lost: {survivors:?}");
}

#[test]
fn a_power_cut_at_any_instant_loses_nothing_acknowledged() {
    let bench = Bench::new();
    let acknowledged = AtomicI64::new(0);
    // Long enough that most images fall into a commit or a checkpoint.
    bench.disk.slow_sync(Duration::from_millis(1));
    thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let db = bench.connect("FULL");
            db.execute_batch("PRAGMA wal_autocheckpoint = 10").unwrap();
            for number in 1..=400 {
                insert(&db, number).unwrap();
                acknowledged.store(number, Ordering::SeqCst);
            }
        });
        for seed in (0..).take_while(|_| !writer.is_finished()) {
            let at_least = acknowledged.load(Ordering::SeqCst);
            let rows = bench.rows_after_crash(seed).unwrap();
            let last = rows.last().copied().unwrap_or(0);
            assert!(last >= at_least, "seed {seed}: {at_least} was acknowledged, {last} is there");
            assert_eq!(rows, (1..=last).collect(), "seed {seed}");
        }
    });
}

#[test]
fn an_image_is_determined_by_its_seed() {
    let bench = Bench::new();
    let db = bench.connect("OFF");
    (0..20).for_each(|number| insert(&db, number).unwrap());
    let image = |name: &str, seed| {
        let dir = bench.dir.path().join(name);
        bench.disk.crash_image(&dir, seed).unwrap();
        files(&dir)
    };
    assert_eq!(image("a", 7), image("b", 7));
    assert!((0..20).any(|seed| image("a", seed) != image("b", 7)));
}

#[test]
fn a_clean_close_leaves_nothing_to_lose() {
    let bench = Bench::new();
    insert(&bench.connect("FULL"), 1).unwrap();
    for seed in 0..SEEDS {
        assert_eq!(bench.rows_after_crash(seed).unwrap(), [1].into(), "seed {seed}");
    }
}

#[test]
fn a_database_replaced_by_hand_counts_as_synced() {
    let bench = Bench::new();
    insert(&bench.connect("FULL"), 1).unwrap();
    let restored = bench.dir.path().join("restored.db");
    bench.connect("FULL").execute("VACUUM INTO ?1", [restored.to_str()]).unwrap();
    insert(&Connection::open(&restored).unwrap(), 2).unwrap();
    std::fs::rename(restored, bench.path()).unwrap();
    let db = bench.connect("FULL");
    for seed in 0..SEEDS {
        assert_eq!(bench.rows_after_crash(seed).unwrap(), [1, 2].into(), "seed {seed}");
    }
    drop(db);
}
