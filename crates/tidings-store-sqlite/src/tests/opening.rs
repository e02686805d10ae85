//! Opening, closing, opening again.

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
    assert!(matches!(error, OpenError::NewerSchema { found: 1000, known: 2 }), "{error}");
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
