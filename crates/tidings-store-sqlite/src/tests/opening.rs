//! Opening, closing, opening again.

use std::fs::{self, OpenOptions, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use rusqlite::Connection;
use tidings_core::error::StoreError;
use tidings_core::ids::{AppId, LogId, Pos};
use tidings_core::messages::HistoryAnchor;
use tidings_core::ports::store::{AccountStore, ConversationStore, EventStore, MessageStore};
use tokio::time::timeout;

use super::desk::{Desk, open};
use crate::OpenError;
use crate::write::Failure;

#[tokio::test]
async fn everything_is_there_again() {
    let mut desk = Desk::new();
    let alice = desk.person("alice").await;
    let chat = desk.group(&alice, &[]).await;
    let message = desk.message(&alice, chat, "remember me");
    let sent = desk.store.append_message(message.clone()).await.unwrap();
    let (epoch, secret) = (desk.store.epoch(), desk.store.id_secret());
    let log = desk.store.list_log(LogId(0), 100).await.unwrap();
    desk.reopen();
    assert_eq!((desk.store.epoch(), desk.store.id_secret()), (epoch, secret));
    assert_eq!(desk.store.list_log(LogId(0), 100).await.unwrap(), log);
    let page = desk.store.list_messages(alice.user, chat, HistoryAnchor::Latest, 10).await.unwrap();
    assert_eq!(page.messages, [(*sent.message).clone()]);
    assert!(desk.store.append_message(message).await.unwrap().replayed);
    assert_eq!(desk.send(&alice, chat, "on").await.message.pos, Pos(3));
    let found = desk.store.find_credentials(AppId::DEFAULT, "alice").await.unwrap();
    assert_eq!(found.unwrap().user.id, alice.user);
}

#[tokio::test]
async fn a_directory_has_one_owner() {
    let desk = Desk::new();
    let second = open(desk.dir.path());
    assert!(matches!(second, Err(OpenError::Locked { .. })));
    desk.store.close();
    open(desk.dir.path()).unwrap();
}

#[tokio::test]
async fn a_closed_store_is_one_file() {
    let desk = Desk::new();
    let alice = desk.person("alice").await;
    let chat = desk.group(&alice, &[]).await;
    desk.send(&alice, chat, "hi").await;
    desk.store.find_conversation(alice.user, chat).await.unwrap();
    assert_eq!(desk.files(), ["tidings.db", "tidings.db-shm", "tidings.db-wal", "tidings.lock"]);
    // A read that is under way is waited for.
    let (begun, has_begun) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let readers = Arc::clone(&desk.store.readers);
    let reading = tokio::spawn(async move {
        readers
            .read(move |reader| {
                let _snapshot = reader.snapshot(&[])?;
                begun.send(()).unwrap();
                released.recv().unwrap();
                Ok::<_, Failure<StoreError>>(())
            })
            .await
    });
    tokio::task::spawn_blocking(move || has_begun.recv().unwrap()).await.unwrap();
    let store = Arc::clone(&desk.store);
    let mut closing = tokio::task::spawn_blocking(move || store.close());
    timeout(Duration::from_millis(100), &mut closing).await.expect_err("it waits");
    assert_eq!(desk.store.check_readable().await, Err(StoreError::Failed), "no more begin");
    release.send(()).unwrap();
    reading.await.unwrap().unwrap();
    closing.await.unwrap();
    assert_eq!(desk.files(), ["tidings.db", "tidings.lock"]);
}

/// Root may do everything: on Linux that is a capability, which a thread can put down.
fn without_root<T>(act: impl FnOnce() -> T) -> T {
    use rustix::thread::{CapabilitySet, capabilities, set_capabilities};
    let held = capabilities(None).unwrap();
    let mut fewer = held;
    fewer.effective.remove(CapabilitySet::DAC_OVERRIDE | CapabilitySet::DAC_READ_SEARCH);
    set_capabilities(None, fewer).unwrap();
    let result = act();
    set_capabilities(None, held).unwrap();
    result
}

#[tokio::test]
async fn a_file_that_may_not_be_written_is_named_and_nothing_is_left_behind() {
    let desk = Desk::new();
    desk.store.close();
    let with_mode = |file: &Path, mode| fs::set_permissions(file, Permissions::from_mode(mode)).unwrap();
    for name in ["tidings.db", "tidings.db-wal", "tidings.db-shm", "tidings.lock"] {
        let file = desk.dir.path().join(name);
        let stood = file.exists();
        OpenOptions::new().append(true).create(true).open(&file).unwrap();
        let before = desk.files();
        with_mode(&file, 0o400);
        let error = without_root(|| open(desk.dir.path())).map(drop).unwrap_err();
        assert!(matches!(&error, OpenError::Io { path, .. } if *path == file), "{error}");
        assert_eq!(desk.files(), before);
        with_mode(&file, 0o600);
        if !stood {
            fs::remove_file(&file).unwrap();
        }
    }
    open(desk.dir.path()).unwrap();
}

#[tokio::test]
async fn a_directory_that_cannot_be_made_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    fs::write(&path, "").unwrap();
    let error = open(&path).map(drop).unwrap_err();
    assert!(error.to_string().starts_with(&*path.to_string_lossy()), "{error}");
}

fn change(desk: &Desk, sql: &str) {
    desk.store.close();
    Connection::open(desk.dir.path().join("tidings.db")).unwrap().execute_batch(sql).unwrap();
}

#[tokio::test]
async fn a_changed_migration_is_refused() {
    let desk = Desk::new();
    change(&desk, "UPDATE migration SET checksum = x'0000000000000000'");
    let error = open(desk.dir.path()).map(drop).unwrap_err();
    assert!(matches!(error, OpenError::ChangedMigration { number: 1, .. }), "{error}");
}

#[tokio::test]
async fn a_newer_schema_is_refused() {
    let desk = Desk::new();
    change(&desk, "INSERT INTO migration VALUES (1000, 'later', x'0000000000000000', 0)");
    let error = open(desk.dir.path()).map(drop).unwrap_err();
    assert!(matches!(error, OpenError::NewerSchema { found: 1000, known: 11 }), "{error}");
}

#[tokio::test]
async fn data_that_has_moved_is_refused() {
    let desk = Desk::new();
    change(&desk, "INSERT INTO meta VALUES ('moved_to', 'postgres://db')");
    let error = open(desk.dir.path()).map(drop).unwrap_err();
    assert!(matches!(&error, OpenError::MovedTo(target) if target == "postgres://db"), "{error}");
}

#[tokio::test]
async fn a_log_that_was_pruned_gives_no_id_twice() {
    let mut desk = Desk::new();
    let alice = desk.person("alice").await;
    let chat = desk.group(&alice, &[]).await;
    desk.send(&alice, chat, "one").await;
    change(&desk, "DELETE FROM event");
    desk.reopen();
    assert_eq!(desk.store.log_bounds().await.unwrap().0, LogId(3));
    desk.send(&alice, chat, "two").await;
    assert_eq!(desk.log.events()[0].log_id, LogId(4));
}
