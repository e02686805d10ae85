//! Many requests, one transaction.

use tidings_core::clock::Timestamp;
use tidings_core::conversations::ConversationKind;
use tidings_core::error::StoreError;
use tidings_core::events::EventBody;
use tidings_core::ids::{ConversationId, Pos, Seq, SessionId, StreamId};
use tidings_core::messages::{self, HistoryAnchor};
use tidings_core::ports::store::{
    ConversationStore, EventStore, MessageStore, NewConversation, SessionStore,
};
use uuid::Uuid;

use super::desk::{Desk, new_session};
use crate::write::{Change, Draft, Failure};

#[tokio::test]
async fn sends_that_wait_together_are_committed_together() {
    let desk = Desk::new();
    let [alice, bob] = desk.people(["alice", "bob"]).await;
    let chat = desk.group(&alice, &[&bob]).await;
    let before = desk.store.stats();
    let hold = desk.hold();
    let mut sends = Vec::new();
    for n in 0..100 {
        sends.push(desk.begin(desk.message(if n % 2 == 0 { &alice } else { &bob }, chat, "hi")).await);
    }
    drop(hold);
    for (n, send) in sends.into_iter().enumerate() {
        assert_eq!(
            send.await.unwrap().unwrap().message.id.seq,
            Seq(n as u64 + 1),
            "in the order of the queue"
        );
    }
    let stats = desk.store.stats();
    assert_eq!(stats.messages - before.messages, 100);
    assert_eq!(stats.commits - before.commits, 1);
    assert_eq!(stats.batch_requests_max, 100);
}

#[tokio::test]
async fn a_refused_request_leaves_its_neighbours_alone() {
    let desk = Desk::new();
    let [alice, eve] = desk.people(["alice", "eve"]).await;
    let chat = desk.group(&alice, &[]).await;
    let hold = desk.hold();
    let first = desk.begin(desk.message(&alice, chat, "one")).await;
    let refused = desk.begin(desk.message(&eve, chat, "two")).await;
    let last = desk.begin(desk.message(&alice, chat, "three")).await;
    drop(hold);
    assert_eq!(first.await.unwrap().unwrap().message.pos, Pos(2));
    assert!(matches!(refused.await.unwrap(), Err(messages::Error::NotFound)));
    assert_eq!(last.await.unwrap().unwrap().message.pos, Pos(3), "no hole where the refused one was");
    assert_eq!(desk.store.stats().refusals, 1);
}

#[tokio::test]
async fn a_retry_gets_the_original_and_another_body_does_not() {
    let desk = Desk::new();
    let alice = desk.person("alice").await;
    let chat = desk.group(&alice, &[]).await;
    let message = desk.message(&alice, chat, "once");
    let hold = desk.hold();
    let first = desk.begin(message.clone()).await;
    let again = desk.begin(message.clone()).await;
    drop(hold);
    let first = first.await.unwrap().unwrap();
    let again = again.await.unwrap().unwrap();
    assert!(!first.replayed && again.replayed);
    assert_eq!(first.message, again.message);
    let mut other = message;
    other.request_mac.0[0] ^= 1;
    let refused = desk.store.append_message(other).await;
    assert!(matches!(refused, Err(messages::Error::ClientMessageIdReused)));
    assert_eq!(desk.store.stats().replays, 1);
}

#[tokio::test]
async fn the_retry_of_one_who_was_removed_gets_the_original() {
    let desk = Desk::new();
    let [alice, bob] = desk.people(["alice", "bob"]).await;
    let chat = desk.group(&alice, &[&bob]).await;
    let message = desk.message(&bob, chat, "before");
    let first = desk.store.append_message(message.clone()).await.unwrap();
    desk.remove(&alice, chat, &bob).await;
    let again = desk.store.append_message(message).await.unwrap();
    assert!(again.replayed && again.message == first.message);
    let refused = desk.store.append_message(desk.message(&bob, chat, "after")).await;
    assert!(matches!(refused, Err(messages::Error::NotParticipant)));
}

#[tokio::test]
async fn a_removal_is_seen_by_the_send_after_it_in_the_same_batch() {
    let desk = Desk::new();
    let [alice, bob] = desk.people(["alice", "bob"]).await;
    let chat = desk.group(&alice, &[&bob]).await;
    desk.send(&bob, chat, "remembered as a sender").await;
    let hold = desk.hold();
    let before = desk.begin(desk.message(&bob, chat, "before")).await;
    let store = desk.store.clone();
    let removal = desk.removal(&alice, chat, &bob);
    let removal = tokio::spawn(async move { store.remove_participant(removal).await });
    tokio::task::yield_now().await;
    let after = desk.begin(desk.message(&bob, chat, "after")).await;
    drop(hold);
    before.await.unwrap().unwrap();
    removal.await.unwrap().unwrap();
    assert!(matches!(after.await.unwrap(), Err(messages::Error::NotParticipant)));
    assert_eq!(desk.store.stats().batch_requests_max, 3, "it was one batch");
}

#[tokio::test]
async fn an_end_of_session_is_seen_by_the_send_after_it_in_the_same_batch() {
    let desk = Desk::new();
    let alice = desk.person("alice").await;
    let chat = desk.group(&alice, &[]).await;
    let session = tidings_core::sessions::Session {
        id: alice.session,
        app: alice.app,
        user: alice.user,
        device: None,
        created_at: Timestamp(0),
        last_used_at: Timestamp(0),
        expires_at: Timestamp(i64::MAX),
    };
    desk.store
        .insert_session(new_session(&session, tidings_core::sessions::RefreshTokenHash([1; 32])))
        .await
        .unwrap();
    let hold = desk.hold();
    let store = desk.store.clone();
    let end = tokio::spawn(async move {
        store.end_session(alice, alice.session, Timestamp(1), Timestamp(i64::MAX)).await
    });
    tokio::task::yield_now().await;
    let send = desk.begin(desk.message(&alice, chat, "after")).await;
    drop(hold);
    end.await.unwrap().unwrap();
    assert!(matches!(send.await.unwrap(), Err(messages::Error::SessionEnded)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_that_make_the_same_conversation_make_one() {
    let desk = Desk::new();
    let [alice, bob] = desk.people(["alice", "bob"]).await;
    let new =
        NewConversation { kind: ConversationKind::Direct, title: None, ..desk.new_group(&alice, &[&bob]) };
    let tries: Vec<_> = (0..20)
        .map(|_| {
            let (store, new) = (desk.store.clone(), new.clone());
            tokio::spawn(async move { store.insert_conversation(new).await.unwrap() })
        })
        .collect();
    let mut made = 0;
    for one in tries {
        made += usize::from(!one.await.unwrap().found);
    }
    assert_eq!(made, 1);
    let created = |event: &&std::sync::Arc<tidings_core::events::Event>| {
        matches!(event.body, EventBody::ConversationCreated { .. })
    };
    assert_eq!(desk.log.events().iter().filter(created).count(), 1);
}

/// A body that fails the way a bug or a broken row would: after it has written something.
fn break_down(tx: &mut crate::write::Tx<'_>, stream: StreamId) -> Result<Change<()>, Failure<StoreError>> {
    tx.next(stream)?;
    tx.conn.execute("INSERT INTO meta (key, value) VALUES ('broken', 1)", [])?;
    tx.conn.execute("INSERT INTO no_such_table VALUES (1)", [])?;
    Ok(Change::nothing(()))
}

#[tokio::test]
async fn after_an_unexpected_error_only_the_one_that_failed_fails() {
    let desk = Desk::new();
    let [alice, bob] = desk.people(["alice", "bob"]).await;
    let chat = desk.group(&alice, &[&bob]).await;
    let hold = desk.hold();
    let first = desk.begin(desk.message(&alice, chat, "one")).await;
    let broken = desk.store.writer.write(move |tx| break_down(tx, StreamId::Conversation(chat)));
    let last = desk.begin(desk.message(&bob, chat, "two")).await;
    drop(hold);
    assert_eq!(broken.await, Err(StoreError::Failed));
    assert_eq!(first.await.unwrap().unwrap().message.pos, Pos(2));
    assert_eq!(last.await.unwrap().unwrap().message.pos, Pos(3));
    let published: Vec<_> = desk.log.events().iter().map(|event| event.log_id.0).collect();
    assert_eq!(published, (1..=5).collect::<Vec<_>>(), "nothing twice, nothing left out");
    assert_eq!(desk.store.stats().reruns, 1);
    let events = desk.store.list_log(tidings_core::ids::LogId(0), 100).await.unwrap();
    assert_eq!(events.len(), 5);
}

#[tokio::test]
async fn a_body_that_breaks_its_word_is_found_out() {
    let desk = Desk::new();
    let alice = desk.person("alice").await;
    let stream = StreamId::User(alice.user);
    let forgets = desk.store.writer.write(move |tx| {
        tx.next(stream)?;
        Ok::<_, Failure<StoreError>>(Change::nothing(()))
    });
    assert_eq!(forgets.await, Err(StoreError::Failed), "a place without an event");
    let leaves_a_hole = desk.store.writer.write(move |tx| {
        let (place, _) = (tx.next(stream)?, tx.next(stream)?);
        let body = EventBody::SessionEnded { session: SessionId(Uuid::nil()), tokens_until: Timestamp(0) };
        let draft = Draft { place, actor: alice.user, at: Timestamp(0), body };
        Ok::<_, Failure<StoreError>>(Change::with((), draft, []))
    });
    assert_eq!(leaves_a_hole.await, Err(StoreError::Failed), "two places and one event");
    let silent = desk.store.writer.write(move |tx| {
        tx.next(stream)?;
        Ok::<_, Failure<StoreError>>(Change::silent((), "not with a place"))
    });
    assert_eq!(silent.await, Err(StoreError::Failed), "silent with a place");
    let writes = desk.store.writer.write(move |tx| {
        tx.conn.execute("INSERT INTO meta (key, value) VALUES ('quiet', 1)", [])?;
        Ok::<_, Failure<StoreError>>(Change::nothing(()))
    });
    assert_eq!(writes.await, Err(StoreError::Failed), "rows without an event or a reason");
    let refuses = desk.store.writer.write(move |tx| {
        tx.conn.execute("INSERT INTO meta (key, value) VALUES ('refused', 1)", [])?;
        Err::<Change<()>, _>(Failure::Refused(StoreError::Overloaded))
    });
    assert_eq!(refuses.await, Err(StoreError::Failed), "a refusal that wrote");
    let draws = desk.store.writer.write(move |tx| {
        tx.next(stream)?;
        Err::<Change<()>, _>(Failure::Refused(StoreError::Overloaded))
    });
    assert_eq!(draws.await, Err(StoreError::Failed), "a refusal that drew a number");
    let twice = desk.store.writer.write(move |tx| {
        let place = tx.next(stream)?;
        let body = EventBody::SessionEnded { session: SessionId(Uuid::nil()), tokens_until: Timestamp(0) };
        let draft = Draft { place, actor: alice.user, at: Timestamp(0), body };
        Ok::<_, Failure<StoreError>>(Change::with((), draft.clone(), [draft]))
    });
    assert_eq!(twice.await, Err(StoreError::Failed), "an event twice");
    let chat = desk.group(&alice, &[]).await;
    assert_eq!(desk.send(&alice, chat, "and it goes on").await.message.pos, Pos(2));
}

#[tokio::test]
async fn a_full_disk_refuses_all_and_works_again_when_there_is_room() {
    let desk = Desk::new();
    let alice = desk.person("alice").await;
    let chat = desk.group(&alice, &[]).await;
    set_max_pages(&desk, 1).await;
    let big = "x".repeat(100_000);
    let hold = desk.hold();
    let first = desk.begin(desk.message(&alice, chat, &big)).await;
    let second = desk.begin(desk.message(&alice, chat, &big)).await;
    drop(hold);
    for refused in [first, second] {
        let refused = refused.await.unwrap();
        assert!(matches!(refused, Err(messages::Error::Store(StoreError::Full))), "{refused:?}");
    }
    set_max_pages(&desk, 1_000_000).await;
    assert_eq!(desk.send(&alice, chat, &big).await.message.id.seq, Seq(1));
    assert_eq!(desk.store.stats().reruns, 0);
    let page = desk.store.list_messages(alice.user, chat, HistoryAnchor::Latest, 10).await.unwrap();
    assert_eq!((page.messages.len(), page.pos), (1, Pos(2)));
}

/// SQLite clips it to the pages that are there.
async fn set_max_pages(desk: &Desk, pages: u32) {
    let set = desk.store.writer.write(move |tx| {
        tx.conn.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(()))?;
        Ok::<_, Failure<StoreError>>(Change::nothing(()))
    });
    set.await.unwrap();
}

#[tokio::test]
async fn a_full_queue_refuses_at_once() {
    let desk = Desk::new();
    let alice = desk.person("alice").await;
    let hold = desk.hold();
    let mut waiting = Vec::new();
    for _ in 0..crate::WRITER_QUEUE_MAX {
        waiting.push(desk.store.writer.write(|_| Ok::<_, Failure<StoreError>>(Change::nothing(()))));
    }
    let refused = desk.store.append_message(desk.message(&alice, ConversationId(Uuid::nil()), "late")).await;
    assert!(matches!(refused, Err(messages::Error::Store(StoreError::Overloaded))));
    drop(hold);
    for one in waiting {
        one.await.unwrap();
    }
    assert_eq!(desk.store.stats().overloads, 1);
    assert_eq!(desk.store.stats().batch_requests_max, 512);
}

#[tokio::test]
async fn close_answers_what_is_queued_and_refuses_what_comes_later() {
    let desk = Desk::new();
    let alice = desk.person("alice").await;
    let chat = desk.group(&alice, &[]).await;
    let hold = desk.hold();
    let queued = desk.begin(desk.message(&alice, chat, "in time")).await;
    let store = desk.store.clone();
    let closing = tokio::task::spawn_blocking(move || store.close());
    drop(hold);
    closing.await.unwrap();
    queued.await.unwrap().unwrap();
    let late = desk.store.append_message(desk.message(&alice, chat, "late")).await;
    assert!(matches!(late, Err(messages::Error::Store(StoreError::Failed))));
}
