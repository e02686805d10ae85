//! Messages: dense numbers, one per client id, and who may send and read.

use std::sync::Arc;

use tidings_core::conversations::Error as ConversationError;
use tidings_core::events::EventBody;
use tidings_core::ids::{ConversationId, LogId, MessageId, Pos, Seq, StreamId};
use tidings_core::messages::{Error, Message, MessageKind, Sent};
use tidings_core::ports::store::AppendMessage;

use super::{Desk, Person};

/// A send that waits in a task of its own.
fn sending(desk: &Desk, append: AppendMessage) -> tokio::task::JoinHandle<Result<Sent, Error>> {
    let store = Arc::clone(&desk.store);
    tokio::spawn(async move { store.append_message(append).await })
}

/// `seq`, `pos`, `ord` and the log, without holes and each given once; refused requests in between take none.
pub async fn positions_are_dense_however_many_send_at_once(desk: Desk) {
    let [alice, bob, eve] = desk.people(["alice", "bob", "eve"]).await;
    let chats = [desk.group([&alice, &bob]).await, desk.group([&bob, &alice]).await];
    let before = desk.log.len();
    let sends: Vec<_> = (0..120)
        .map(|n| {
            let sender = [&alice, &bob, &eve][n % 3];
            sending(&desk, desk.make.message(&sender.actor, chats[n / 3 % 2], &format!("{n}")))
        })
        .collect();
    let mut taken: Vec<Message> = Vec::new();
    for send in sends {
        match send.await.unwrap() {
            Ok(sent) => taken.push(Message::clone(&sent.message)),
            Err(error) => assert!(matches!(error, Error::NotFound), "eve is a stranger: {error:?}"),
        }
    }
    for chat in chats {
        let mut numbers: Vec<_> = taken
            .iter()
            .filter(|message| message.id.conversation == chat)
            .map(|message| (message.id.seq.0, message.pos.0, message.ord))
            .collect();
        numbers.sort_unstable();
        let expected: Vec<_> = (1..=40).map(|n| (n, n + 1, n)).collect();
        assert_eq!(numbers, expected, "position 1 is the conversation's making");
    }
    let logs: Vec<LogId> = desk.log.since(before).iter().map(|event| event.log_id).collect();
    assert!(logs.windows(2).all(|pair| pair[1] == pair[0].next()), "{logs:?}");
    assert_eq!(logs.len(), 80);
}

/// The place in the queue is taken before the first wait.
pub async fn sends_of_one_caller_keep_their_order(desk: Desk) {
    let [alice] = desk.people(["alice"]).await;
    let chat = desk.group([&alice]).await;
    let sends: Vec<_> = (0..20)
        .map(|n| {
            let append = desk.make.message(&alice.actor, chat, &format!("{n}"));
            let mut send = Box::pin(desk.store.append_message(append));
            let mut context = std::task::Context::from_waker(std::task::Waker::noop());
            let at_once = send.as_mut().poll(&mut context);
            (at_once, send)
        })
        .collect();
    for (n, (at_once, send)) in sends.into_iter().enumerate() {
        let sent = match at_once {
            std::task::Poll::Ready(sent) => sent,
            std::task::Poll::Pending => send.await,
        };
        assert_eq!(sent.unwrap().message.id.seq, Seq(n as u64 + 1));
    }
}

/// With what it was, not what came again, and no event.
pub async fn a_retry_gets_the_original(desk: Desk) {
    let [alice] = desk.people(["alice"]).await;
    let chat = desk.group([&alice]).await;
    let append = desk.make.message(&alice.actor, chat, "once");
    let first = desk.store.append_message(append.clone()).await.unwrap();
    desk.make.clock.advance_seconds(90);
    let later = AppendMessage { now: desk.make.now(), ..append };
    let again = desk.silently(desk.store.append_message(later)).await.unwrap();
    assert!(!first.replayed && again.replayed);
    assert_eq!(again.message, first.message);
    assert_eq!(desk.seqs(&alice, chat).await, [1]);
}

/// One stands, all get it, one of them is told that it is new.
pub async fn many_retries_at_once_make_one_message(desk: Desk) {
    let [alice] = desk.people(["alice"]).await;
    let chat = desk.group([&alice]).await;
    let append = desk.make.message(&alice.actor, chat, "once");
    let sends: Vec<_> = (0..16).map(|_| sending(&desk, append.clone())).collect();
    let mut new = 0;
    for send in sends {
        let sent = send.await.unwrap().unwrap();
        assert_eq!(sent.message.id.seq, Seq(1));
        new += usize::from(!sent.replayed);
    }
    assert_eq!((new, desk.seqs(&alice, chat).await), (1, vec![1]));
}

/// Duplicates are looked up before membership: the answer was lost, then the sender was removed.
pub async fn a_retry_gets_the_original_also_after_its_sender_left(desk: Desk) {
    let [alice, bob] = desk.people(["alice", "bob"]).await;
    let chat = desk.group([&alice, &bob]).await;
    let append = desk.make.message(&bob.actor, chat, "my last words");
    let first = desk.store.append_message(append.clone()).await.unwrap();
    desk.remove(&alice, chat, &bob).await;
    let again = desk.silently(desk.store.append_message(append.clone())).await.unwrap();
    assert!(again.replayed);
    assert_eq!(again.message, first.message);
    let other = AppendMessage { request_mac: desk.make.mac("other words"), ..append };
    let refused = desk.silently(desk.store.append_message(other)).await;
    assert!(matches!(refused, Err(Error::ClientMessageIdReused)), "{refused:?}");
}

/// Another body under it is another message and is refused.
pub async fn a_client_id_is_for_one_body(desk: Desk) {
    let [alice] = desk.people(["alice"]).await;
    let chat = desk.group([&alice]).await;
    let append = desk.make.message(&alice.actor, chat, "one");
    desk.store.append_message(append.clone()).await.unwrap();
    let other = AppendMessage { client_id: append.client_id, ..desk.make.message(&alice.actor, chat, "two") };
    let refused = desk.silently(desk.store.append_message(other)).await;
    assert!(matches!(refused, Err(Error::ClientMessageIdReused)), "{refused:?}");
    assert_eq!(desk.seqs(&alice, chat).await, [1]);
}

/// Elsewhere, or from somebody else, it is another key; and a refused send uses none up.
pub async fn a_client_id_is_the_senders_own_in_each_conversation(desk: Desk) {
    let [alice, bob] = desk.people(["alice", "bob"]).await;
    let chat = desk.group([&alice]).await;
    let elsewhere = desk.group([&alice]).await;
    let first = desk.make.message(&alice.actor, chat, "one");
    let by = |actor: &Person, conversation: ConversationId| AppendMessage {
        client_id: first.client_id,
        ..desk.make.message(&actor.actor, conversation, "another")
    };
    let refused = desk.store.append_message(by(&bob, chat)).await;
    assert!(matches!(refused, Err(Error::NotFound)), "{refused:?}");
    desk.add(&alice, chat, [&bob]).await;
    for append in [first.clone(), by(&bob, chat), by(&alice, elsewhere)] {
        assert!(!desk.store.append_message(append).await.unwrap().replayed);
    }
}

/// Those who are in. One who was in is told so, a stranger is told nothing.
pub async fn who_may_send(desk: Desk) {
    let [alice, bob, carol, eve] = desk.people(["alice", "bob", "carol", "eve"]).await;
    let chat = desk.group([&alice, &bob, &carol]).await;
    desk.send(&carol, chat, "before").await;
    desk.leave(&bob, chat).await;
    desk.remove(&alice, chat, &carol).await;
    for gone in [&bob, &carol] {
        let refused = desk.silently(desk.try_send(gone, chat, "after")).await;
        assert!(matches!(refused, Err(Error::NotParticipant)), "{refused:?}");
    }
    let refused = desk.silently(desk.try_send(&eve, chat, "hello?")).await;
    assert!(matches!(refused, Err(Error::NotFound)), "{refused:?}");
    let nowhere = ConversationId(desk.make.user("x").id.0);
    let refused = desk.silently(desk.try_send(&alice, nowhere, "anybody?")).await;
    assert!(matches!(refused, Err(Error::NotFound)), "{refused:?}");
    desk.add(&alice, chat, [&bob]).await;
    desk.send(&bob, chat, "back").await;
    assert_eq!(desk.seqs(&alice, chat).await, [1, 2]);
}

/// Whoever is removed sends nothing after the removal's position, however close.
pub async fn a_removal_and_a_send_at_once_agree(desk: Desk) {
    let [alice, bob] = desk.people(["alice", "bob"]).await;
    let chat = desk.group([&alice, &bob]).await;
    for round in 0..10 {
        desk.add(&alice, chat, [&bob]).await;
        let before = desk.log.len();
        let mut sends: Vec<_> = (0..4)
            .map(|n| sending(&desk, desk.make.message(&bob.actor, chat, &format!("{round}.{n}"))))
            .collect();
        let (store, remove) = (Arc::clone(&desk.store), desk.make.removal(&alice.actor, chat, bob.id()));
        let removal = tokio::spawn(async move { store.remove_participant(remove).await });
        sends.extend(
            (4..8).map(|n| sending(&desk, desk.make.message(&bob.actor, chat, &format!("{round}.{n}")))),
        );
        let mut taken: Vec<Pos> = Vec::new();
        for send in sends {
            match send.await.unwrap() {
                Ok(sent) => taken.push(sent.message.pos),
                Err(error) => assert!(matches!(error, Error::NotParticipant), "{error:?}"),
            }
        }
        removal.await.unwrap().unwrap();
        let gone = desk.view(&bob, chat).await.me.to_pos.expect("removed");
        assert!(taken.iter().all(|pos| *pos < gone), "{taken:?} and gone at {gone}");
        assert_eq!(desk.log.since(before).len(), taken.len() + 1);
    }
}

/// Within one's intervals; to all others it does not exist.
pub async fn a_message_is_found_by_those_who_may_read_it(desk: Desk) {
    let [alice, bob, carol, eve] = desk.people(["alice", "bob", "carol", "eve"]).await;
    let chat = desk.group([&alice, &bob]).await;
    let first = desk.send(&alice, chat, "alice and bob").await;
    desk.add(&alice, chat, [&carol]).await;
    let second = desk.send(&alice, chat, "all three").await;
    desk.leave(&bob, chat).await;
    let third = desk.send(&alice, chat, "alice and carol").await;
    let table = [
        (&alice, [true, true, true]),
        (&bob, [true, true, false]),
        (&carol, [false, true, true]),
        (&eve, [false; 3]),
    ];
    for (who, may_read) in table {
        for (message, may_read) in [&first, &second, &third].into_iter().zip(may_read) {
            let found = desk.store.find_message(who.id(), message.id).await.unwrap();
            assert_eq!(
                found.as_ref(),
                may_read.then_some(message),
                "{} and {}",
                who.user.username,
                message.content
            );
        }
    }
    for (conversation, seq) in [(chat, 4), (chat, 0), (chat, u64::MAX), (ConversationId(eve.id().0), 1)] {
        let id = MessageId { conversation, seq: Seq(seq) };
        assert_eq!(desk.store.find_message(alice.id(), id).await.unwrap(), None, "{id:?}");
    }
}

/// Every field, whatever the text; as answered, published, found and listed.
pub async fn what_was_sent_is_what_is_read(desk: Desk) {
    let [alice, bob] = desk.people(["alice", "bob"]).await;
    let chat = desk.group([&alice, &bob]).await;
    let text = "ünï ✨ 👩‍👩‍👧 '; DROP TABLE message; -- \n\t\u{202e}".repeat(40);
    let append = AppendMessage {
        kind: MessageKind::Custom,
        metadata: Some(r#"{"order":17}"#.to_owned()),
        ..desk.make.message(&bob.actor, chat, &text)
    };
    let (sent, events) = desk.publishes(desk.store.append_message(append.clone())).await;
    let message = sent.unwrap().message;
    let expected = Message {
        id: MessageId { conversation: chat, seq: Seq(1) },
        pos: Pos(2),
        ord: 1,
        sender: bob.id(),
        client_id: append.client_id,
        kind: append.kind,
        content: append.content,
        metadata: append.metadata,
        version: 1,
        created_at: append.now,
        edited_at: None,
        deletion: None,
        reactions: Vec::new(),
    };
    assert_eq!(*message, expected);
    assert_eq!(desk.store.find_message(alice.id(), message.id).await.unwrap().as_ref(), Some(&expected));
    assert_eq!(desk.view(&alice, chat).await.last_message.as_ref(), Some(&expected));
    let [event] = &events[..] else { panic!("one event: {events:?}") };
    assert_eq!((event.stream, event.pos, event.actor), (StreamId::Conversation(chat), Pos(2), bob.id()));
    assert_eq!(event.body, EventBody::MessageSent(message));
    let page = desk.history(&alice, chat, tidings_core::messages::HistoryAnchor::Latest, 10).await;
    assert_eq!(page.messages, [expected]);
    let refused = desk.store.list_participants(alice.id(), ConversationId(bob.id().0), None, 1).await;
    assert!(matches!(refused, Err(ConversationError::NotFound)), "a user's id is no conversation's");
}
