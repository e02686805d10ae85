//! A process that ends and begins anew while the machine goes on.

use std::collections::BTreeSet;
use std::path::PathBuf;

use rusqlite::Connection;
use rusqlite::config::DbConfig;
use tidings_testkit::disk::{FileKind, Operation};

use super::{Bench, SEEDS, files, insert, rows};

/// Not a fault of ours but of SQLite on Linux, kept so that nobody trusts a restart alone: the new process reads the
/// unsynced commit from the kernel's cache and checkpoints it, over a WAL that lacks it on the disk. A WAL that was
/// written once more, with the same bytes, is synced by that checkpoint first.
#[test]
fn a_restart_after_a_failed_sync_is_safe_from_a_power_cut_only_with_a_rewritten_log() {
    for (failing, rewritten, is_damaged) in [(false, false, false), (true, false, true), (true, true, false)]
    {
        let bench = Bench::new();
        let db = bench.connect("FULL");
        (0..50).for_each(|number| insert(&db, number).unwrap());
        // The WAL then holds a few pages of the database, whose older versions fit no newer neighbours.
        db.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
        insert(&db, 50).unwrap();
        bench.disk.fail_syncs(u64::from(failing));
        let update = db.execute_batch("UPDATE message SET body = randomblob(5000)");
        assert_eq!(update.is_err(), failing);
        // As if killed: no checkpoint on close.
        db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).unwrap();
        drop(db);

        if rewritten {
            let log = bench.path().with_extension("db-wal");
            std::fs::write(&log, std::fs::read(&log).unwrap()).unwrap();
        }
        let intact = |seed| {
            let image = bench.dir.path().join("image");
            bench.disk.crash_image(&image, seed).unwrap();
            let verdict = Connection::open(image.join("bench.db"))
                .and_then(|db| db.query_row("PRAGMA integrity_check", [], |row| row.get::<_, String>(0)));
            verdict.is_ok_and(|verdict| verdict == "ok")
        };
        let db = bench.connect("FULL");
        let mut damaged = false;
        for halt in (0..200).step_by(7) {
            bench.disk.halt_in(halt);
            let done = db.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").is_ok();
            damaged |= (0..SEEDS / 30).any(|seed| !intact(seed));
            bench.disk.go_on();
            if done {
                break;
            }
        }
        assert_eq!(damaged, is_damaged, "failing: {failing}, rewritten: {rewritten}");
    }
}

#[test]
fn a_halted_disk_changes_no_more() {
    let bench = Bench::new();
    let db = bench.connect("FULL");
    insert(&db, 1).unwrap();
    bench.disk.halt_at(Operation::Sync(FileKind::Wal), 1);
    insert(&db, 2).unwrap();
    assert_eq!(bench.disk.halted_at(), None);
    insert(&db, 3).unwrap_err();
    assert_eq!(bench.disk.halted_at(), Some(Operation::Sync(FileKind::Wal)));
    let before = files(bench.dir.path());
    insert(&db, 4).unwrap_err();
    db.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap_err();
    let durable = |files: Vec<(PathBuf, Vec<u8>)>| {
        files.into_iter().filter(|(path, _)| !path.ends_with("bench.db-shm")).collect::<Vec<_>>()
    };
    assert!(durable(files(bench.dir.path())) == durable(before));
    let found: BTreeSet<_> = (0..SEEDS).map(|seed| bench.rows_after_crash(seed).unwrap().len()).collect();
    assert_eq!(found, [2, 3].into(), "the third was written and not synced");
    drop(db);
    bench.disk.go_on();
    assert_eq!(rows(&bench.connect("FULL")).unwrap(), [1, 2, 3].into(), "only the process was killed");
}
