//! Heads and marks: late in their rows, never wrong.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tidings_core::conversations::Head;
use tidings_core::error::StoreError;
use tidings_core::ids::{LogId, Seq, StreamId};
use tidings_core::ports::store::{ConversationStore, EventStore};

use super::desk::Desk;
use crate::events::{Kind, SentData, event_of};
use crate::heads::find_row;
use crate::write::{Change, Failure};

/// Every head, counted from all events.
fn recount(conn: &Connection) -> BTreeMap<StreamId, Head> {
    let mut heads: BTreeMap<StreamId, Head> = BTreeMap::new();
    let mut statement = conn
        .prepare("SELECT log_id, stream, pos, kind, actor, at, ref, data FROM event ORDER BY log_id")
        .unwrap();
    let events = statement.query_map([], event_of).unwrap();
    for event in events {
        let event = event.unwrap();
        let known = heads.contains_key(&event.stream);
        let head = heads.entry(event.stream).or_default();
        assert_eq!(event.pos, head.last_pos.next(), "dense");
        (head.last_pos, head.last_log) = (event.pos, event.log_id);
        if event.kind == Kind::Sent {
            assert_eq!(event.seq().unwrap(), head.last_seq.next(), "dense");
            head.last_seq = event.seq().unwrap();
            head.last_ord = SentData::decode(&event).unwrap().ord;
            head.last_sent_log = event.log_id;
        } else if !known {
            head.last_sent_log = event.log_id;
        }
    }
    heads
}

/// Head rows as they stand, without the overlay.
async fn rows(desk: &Desk) -> (BTreeMap<StreamId, Head>, BTreeMap<StreamId, Head>) {
    let read = desk.store.writer.write(move |tx| {
        let counted = recount(tx.conn);
        let mut stored = BTreeMap::new();
        for stream in counted.keys() {
            stored.insert(*stream, find_row(tx.conn, *stream)?.expect("every stream has a head row"));
        }
        Ok::<_, Failure<StoreError>>(Change::nothing((stored, counted)))
    });
    read.await.unwrap()
}

async fn flushed(desk: &Desk) {
    let begun = Instant::now();
    while desk.store.stats().heads_dirty > 0 {
        assert!(begun.elapsed() < Duration::from_secs(20), "still dirty");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// People, two groups, sends, a leaving and a coming back.
async fn a_busy_day(desk: &Desk) -> [tidings_core::ids::ConversationId; 2] {
    let [alice, bob, carol] = desk.people(["alice", "bob", "carol"]).await;
    let one = desk.group(&alice, &[&bob]).await;
    let other = desk.group(&bob, &[&carol]).await;
    for _ in 0..5 {
        desk.send(&alice, one, "hi").await;
        desk.send(&bob, one, "hello").await;
        desk.send(&carol, other, "hey").await;
    }
    desk.remove(&alice, one, &bob).await;
    desk.send(&alice, one, "without bob").await;
    desk.add(&alice, one, &bob).await;
    desk.send(&bob, one, "back").await;
    [one, other]
}

#[tokio::test]
async fn after_a_kill_heads_and_marks_are_what_they_were() {
    let desk = Desk::new();
    let chats = a_busy_day(&desk).await;
    assert!(desk.store.stats().heads_dirty > 0, "the test is about what was not flushed");
    let image = desk.image();
    for chat in chats {
        let stream = StreamId::Conversation(chat);
        assert_eq!(image.store.overlay.get(stream), desk.store.overlay.get(stream), "counted again");
    }
    flushed(&image).await;
    let (stored, counted) = rows(&image).await;
    assert_eq!(stored, counted);
    for user in ["alice", "bob", "carol"] {
        let user = find(&desk, user).await;
        for chat in chats {
            let view = desk.store.find_conversation(user, chat).await.unwrap();
            assert_eq!(image.store.find_conversation(user, chat).await.unwrap(), view, "{user}");
        }
    }
    assert_eq!(image.store.log_bounds().await.unwrap(), desk.store.log_bounds().await.unwrap());
}

async fn find(desk: &Desk, username: &str) -> tidings_core::ids::UserId {
    use tidings_core::ports::store::AccountStore;
    let found = desk.store.find_credentials(tidings_core::ids::AppId::DEFAULT, username).await.unwrap();
    found.unwrap().user.id
}

#[tokio::test]
async fn an_idle_store_flushes_by_itself() {
    let desk = Desk::new();
    a_busy_day(&desk).await;
    let (stored, counted) = rows(&desk).await;
    assert_ne!(stored, counted, "rows are written late");
    flushed(&desk).await;
    let (stored, counted) = rows(&desk).await;
    assert_eq!(stored, counted);
}

#[tokio::test]
async fn a_flush_changes_nothing_that_can_be_seen() {
    let mut desk = Desk::new();
    let chats = a_busy_day(&desk).await;
    let alice = find(&desk, "alice").await;
    let before = desk.store.find_conversation(alice, chats[0]).await.unwrap().unwrap();
    assert_eq!((before.last_seq, before.unread), (Seq(12), 1));
    desk.reopen();
    assert_eq!(desk.store.stats().heads_dirty, 0);
    let after = desk.store.find_conversation(alice, chats[0]).await.unwrap().unwrap();
    assert_eq!(before, after);
}

#[tokio::test]
async fn a_batch_that_was_rolled_back_moves_no_head() {
    let desk = Desk::new();
    let alice = desk.person("alice").await;
    let chat = desk.group(&alice, &[]).await;
    desk.send(&alice, chat, "one").await;
    let before = desk.store.log_bounds().await.unwrap();
    let stream = StreamId::Conversation(chat);
    let broken = desk.store.writer.write(move |tx| {
        tx.next(stream)?;
        tx.conn.execute("INSERT INTO no_such_table VALUES (1)", [])?;
        Ok::<Change<()>, Failure<StoreError>>(Change::nothing(()))
    });
    assert_eq!(broken.await, Err(StoreError::Failed));
    assert_eq!(desk.store.log_bounds().await.unwrap(), before);
    let sent = desk.send(&alice, chat, "two").await;
    assert_eq!(sent.message.id.seq, Seq(2));
    assert_eq!(desk.log.events().last().unwrap().log_id, LogId(before.0.0 + 1));
}
