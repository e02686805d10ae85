//! Opening, closing, opening again.

use rusqlite::Connection;
use tidings_core::ids::{AppId, LogId, Pos};
use tidings_core::messages::HistoryAnchor;
use tidings_core::ports::store::{AccountStore, EventStore, MessageStore};

use super::desk::{Desk, open};
use crate::OpenError;

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
    change(&desk, "INSERT INTO migration VALUES (2, 'later', x'0000000000000000', 0)");
    let error = open(desk.dir.path()).map(drop).unwrap_err();
    assert!(matches!(error, OpenError::NewerSchema { found: 2, known: 1 }), "{error}");
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
