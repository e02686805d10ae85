//! The write-ahead log stays bounded, and whoever holds it up holds nobody up.

use std::fs;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tidings_core::ids::ConversationId;
use tidings_core::messages::HistoryAnchor;
use tidings_core::ports::store::MessageStore;
use tidings_core::sessions::Actor;
use tidings_testkit::disk::{FaultyDisk, FileKind};

use super::desk::Desk;
use crate::Stats;

const WAL_BYTES_MAX: u64 = 512 * 1024;
/// What one send of [`send_much`] writes at most beyond it before the writer looks.
const SLACK: u64 = 128 * 1024;
const TEXT_BYTES: usize = 8 * 1024;
/// A log that many sends still fit into when a pass has begun.
const ROOMY: u64 = 8 * WAL_BYTES_MAX;

/// Copies of the log, or of a part of it.
fn passes(stats: &Stats) -> u64 {
    stats.backfills + stats.checkpoints
}

fn wal_bytes(desk: &Desk) -> u64 {
    fs::metadata(desk.dir.path().join("tidings.db-wal")).unwrap().len()
}

/// Gives the largest size that the log had.
async fn send_much(desk: &Desk, who: &Actor, chat: ConversationId, count: usize) -> u64 {
    let mut largest = 0;
    for n in 0..count {
        desk.send(who, chat, &format!("{n} {}", "x".repeat(TEXT_BYTES))).await;
        largest = largest.max(wal_bytes(desk));
    }
    largest
}

async fn assert_intact(mut desk: Desk, who: &Actor, chat: ConversationId, count: usize) {
    for _ in 0..2 {
        let page = desk.store.list_messages(who.user, chat, HistoryAnchor::Latest, 10_000).await.unwrap();
        assert_eq!(page.messages.len(), count);
        assert!(page.messages.iter().all(|message| message.content.len() > TEXT_BYTES));
        desk.reopen();
    }
    desk.store.close();
    let db = Connection::open(desk.dir.path().join("tidings.db")).unwrap();
    let verdict: String = db.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(verdict, "ok");
}

#[tokio::test]
async fn the_log_stays_bounded_under_load() {
    let desk = Desk::with_wal(WAL_BYTES_MAX);
    let alice = desk.person("alice").await;
    let chat = desk.group(&alice, &[]).await;
    let largest = send_much(&desk, &alice, chat, 300).await;
    assert!(largest <= WAL_BYTES_MAX + SLACK, "{largest} bytes");
    let stats = desk.store.stats();
    assert!(passes(&stats) >= 4, "{stats:?}");
    assert_eq!(stats.checkpoints_busy, 0);
    assert!(stats.checkpoint_us_max >= stats.checkpoint_us_p99, "{stats:?}");
    assert_intact(desk, &alice, chat, 300).await;
}

/// Whoever copies it, the second connection or the writer.
#[tokio::test]
async fn no_page_of_the_log_is_copied_twice() {
    let disk = FaultyDisk::new();
    let desk = Desk::undisturbed(&disk, WAL_BYTES_MAX);
    let alice = desk.person("alice").await;
    let chat = desk.group(&alice, &[]).await;
    disk.reset_counts();
    send_much(&desk, &alice, chat, 300).await;
    let (stats, database) = (desk.store.stats(), disk.counts().database);
    assert!(database.pages > 0 && database.pages <= stats.wal_pages, "{stats:?} wrote {database:?}");
    assert!(database.syncs <= passes(&stats), "one sync each: {stats:?}, {database:?}");
}

/// What takes long in a checkpoint is the database's sync: nobody who sends waits for it.
#[tokio::test]
async fn the_log_is_copied_while_others_send() {
    let disk = FaultyDisk::new();
    let desk = Desk::undisturbed(&disk, ROOMY);
    let alice = desk.person("alice").await;
    let chat = desk.group(&alice, &[]).await;
    disk.slow_sync_of(FileKind::Database, Duration::from_secs(1));
    let mut sent = 0;
    while disk.counts().database.syncs == 0 {
        desk.send(&alice, chat, &"x".repeat(TEXT_BYTES)).await;
        sent += 1;
        assert!(sent < 1_000, "no pass has begun");
    }
    assert!(wal_bytes(&desk) < ROOMY, "it begins early");
    for _ in 0..10 {
        desk.send(&alice, chat, "meanwhile").await;
    }
    let stats = desk.store.stats();
    assert_eq!((stats.backfills, stats.checkpoints), (0, 0), "the pass is not over");
    disk.slow_sync(Duration::ZERO);

    let begun = Instant::now();
    while desk.store.stats().backfills == 0 {
        assert!(begun.elapsed() < Duration::from_secs(20), "the pass has no end");
        desk.send(&alice, chat, "and on").await;
    }
    let stats = desk.store.stats();
    assert!(stats.checkpoint_us_max < 500_000, "the writer has not waited for it: {stats:?}");
}

/// A backup, or somebody with the SQLite shell.
#[tokio::test]
async fn a_reader_of_an_old_snapshot_delays_the_checkpoint_and_not_the_writer() {
    let desk = Desk::with_wal(WAL_BYTES_MAX);
    let alice = desk.person("alice").await;
    let chat = desk.group(&alice, &[]).await;
    desk.send(&alice, chat, &"x".repeat(TEXT_BYTES + 1)).await;
    let pinned = Connection::open(desk.dir.path().join("tidings.db")).unwrap();
    pinned.execute_batch("BEGIN").unwrap();
    let seen = |pinned: &Connection| -> i64 {
        pinned.query_row("SELECT count(*) FROM message", [], |row| row.get(0)).unwrap()
    };
    assert_eq!(seen(&pinned), 1);

    let while_pinned = send_much(&desk, &alice, chat, 120).await;
    assert!(while_pinned > WAL_BYTES_MAX + SLACK, "it had to grow: {while_pinned} bytes");
    let busy = desk.store.stats();
    assert!(busy.checkpoints_busy >= 2, "tried again, {busy:?}");
    assert!(
        busy.checkpoints_busy <= 1 + (while_pinned / (WAL_BYTES_MAX / 4)),
        "but not at every turn, {busy:?}"
    );
    assert_eq!(busy.checkpoints, busy.checkpoints_busy);
    assert!(busy.checkpoint_us_max >= 40_000, "the wait for the reader is in it: {busy:?}");
    assert_eq!(seen(&pinned), 1, "it sees what it saw");

    pinned.execute_batch("COMMIT").unwrap();
    drop(pinned);
    let after = send_much(&desk, &alice, chat, 300).await;
    assert!(
        after <= while_pinned + WAL_BYTES_MAX / 4 + SLACK,
        "it begins again: {while_pinned}, then {after} bytes"
    );
    let stats = desk.store.stats();
    assert_eq!(stats.checkpoints_busy, busy.checkpoints_busy, "nothing is in the way any more");
    assert!(passes(&stats) >= passes(&busy) + 4, "{stats:?}");
    assert_intact(desk, &alice, chat, 421).await;
}
