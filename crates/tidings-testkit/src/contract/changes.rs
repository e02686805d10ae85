//! What happens to a message after it was sent: another text, or none.

use tidings_core::error::{Code, FieldError};
use tidings_core::events::{Event, EventBody};
use tidings_core::ids::{ConversationId, MessageId, Pos, Seq, StreamId};
use tidings_core::messages::{Deletion, Error, Message, MessageKind, MessageVersion};
use tidings_core::ports::store::{AppendMessage, EditMessage};

use super::desk::{EVERYTHING, only};
use super::{Desk, Person};

async fn versions(desk: &Desk, viewer: &Person, id: MessageId) -> Option<Vec<MessageVersion>> {
    desk.store.list_message_versions(viewer.id(), id).await.unwrap()
}

/// One event; nothing else of the message changes, and everybody who may read it may read what it said.
pub async fn an_edit_replaces_the_text_and_keeps_the_versions(desk: Desk) {
    let [alice, bob] = desk.people(["alice", "bob"]).await;
    let chat = desk.group([&alice, &bob]).await;
    let sent = desk.send(&alice, chat, "helo").await;
    desk.make.clock.advance_seconds(9);
    let at = desk.make.now();
    let (edited, events) = desk.publishes(desk.edit(&alice, sent.id, "hello")).await;
    let expected = Message { content: "hello".to_owned(), version: 2, edited_at: Some(at), ..sent.clone() };
    assert_eq!(edited, expected);
    let event = only(&events);
    assert_eq!((event.stream, event.pos, event.at), (StreamId::Conversation(chat), Pos(3), at));
    assert_eq!(event.body, EventBody::MessageEdited(expected.clone().into()));
    assert_eq!(desk.read(&bob, sent.id).await, expected);
    assert_eq!(desk.view(&bob, chat).await.last_message, Some(expected));
    desk.edit(&alice, sent.id, "hello!").await;
    let said = versions(&desk, &bob, sent.id).await.unwrap();
    let said: Vec<_> = said.iter().map(|one| (one.version, &*one.content, one.written_at)).collect();
    assert_eq!(said, [(1, "helo", sent.created_at), (2, "hello", at), (3, "hello!", at)]);
}

/// The answer was lost: the same again, whichever version it names.
pub async fn an_edit_that_was_made_is_not_made_again(desk: Desk) {
    let alice = desk.person("alice").await;
    let chat = desk.group([&alice]).await;
    let sent = desk.send(&alice, chat, "helo").await;
    for version in [Some(1), None] {
        let edit =
            EditMessage { version, ..desk.make.edit(&alice.actor, sent.id, &format!("hello {version:?}")) };
        let first = desk.store.edit_message(edit.clone()).await.unwrap();
        let again = desk.silently(desk.store.edit_message(edit)).await.unwrap();
        assert_eq!(again, first);
    }
    assert_eq!(versions(&desk, &alice, sent.id).await.unwrap().len(), 3);
}

/// Of two devices that edit what they both have seen, one is told that it was late.
pub async fn an_edit_of_another_version_is_refused(desk: Desk) {
    let alice = desk.person("alice").await;
    let chat = desk.group([&alice]).await;
    let id = desk.send(&alice, chat, "one").await.id;
    let seen = |version, text| EditMessage { version, ..desk.make.edit(&alice.actor, id, text) };
    desk.store.edit_message(seen(Some(1), "two")).await.unwrap();
    for version in [1, 3, u32::MAX] {
        let refused = desk.silently(desk.store.edit_message(seen(Some(version), "late"))).await;
        assert!(matches!(refused, Err(Error::VersionStale(2))), "{refused:?}");
    }
    assert_eq!(desk.store.edit_message(seen(Some(2), "three")).await.unwrap().version, 3);
    // It says that already, and yet the author has not seen it come.
    let refused = desk.silently(desk.store.edit_message(seen(Some(1), "three"))).await;
    assert!(matches!(refused, Err(Error::VersionStale(3))), "{refused:?}");
}

/// Not who runs the group, and not with a session that has ended.
pub async fn only_the_author_edits(desk: Desk) {
    let [alice, bob] = desk.people(["alice", "bob"]).await;
    let chat = desk.group([&alice, &bob]).await;
    let id = desk.send(&bob, chat, "mine").await.id;
    let refused = desk.silently(desk.try_edit(&alice, id, "hers")).await;
    assert!(matches!(refused, Err(Error::NotAuthor)), "{refused:?}");
    desk.log_out(&bob).await;
    let refused = desk.silently(desk.try_edit(&bob, id, "late")).await;
    assert!(matches!(refused, Err(Error::SessionEnded)), "{refused:?}");
}

/// What the host product sends may say nothing; it knows why.
pub async fn a_text_stays_visible_and_has_so_many_versions(desk: Desk) {
    let alice = desk.person("alice").await;
    let chat = desk.group([&alice]).await;
    let text = desk.send(&alice, chat, "one").await.id;
    let append = AppendMessage { kind: MessageKind::Custom, ..desk.make.message(&alice.actor, chat, "x") };
    let custom = desk.store.append_message(append).await.unwrap().message.id;
    let blank = |id| EditMessage { is_visible: false, ..desk.make.edit(&alice.actor, id, " ") };
    let refused = desk.silently(desk.store.edit_message(blank(text))).await;
    assert_eq!(field(refused), ("/content".to_owned(), Code::TooShort));
    assert_eq!(desk.store.edit_message(blank(custom)).await.unwrap().content, " ");
    let two =
        |text_now: &str| EditMessage { versions_max: 2, ..desk.make.edit(&alice.actor, text, text_now) };
    desk.store.edit_message(two("two")).await.unwrap();
    let refused = desk.silently(desk.store.edit_message(two("three"))).await;
    assert_eq!(field(refused), ("/content".to_owned(), Code::TooMany));
}

fn field(refused: Result<Message, Error>) -> (String, Code) {
    match refused {
        Err(Error::Invalid(fields)) => {
            let FieldError { pointer, code, .. } = fields.into_iter().next().expect("a field");
            (pointer, code)
        }
        other => panic!("{other:?}"),
    }
}

/// With its numbers, who did it and when; its text, versions and metadata are nowhere any more. Twice is once.
pub async fn a_deleted_message_leaves_its_place(desk: Desk) {
    let [alice, bob] = desk.people(["alice", "bob"]).await;
    let chat = desk.group([&alice, &bob]).await;
    let append = AppendMessage {
        metadata: Some("{}".to_owned()),
        ..desk.make.message(&alice.actor, chat, "a secret")
    };
    let sent = desk.store.append_message(append.clone()).await.unwrap().message;
    let edited = desk.edit(&alice, sent.id, "another secret").await;
    desk.make.clock.advance_seconds(9);
    let at = desk.make.now();
    let (left, events) = desk.publishes(desk.try_delete(&alice, sent.id)).await;
    let expected = Message {
        content: String::new(),
        metadata: None,
        deletion: Some(Deletion { at, by: alice.id() }),
        ..edited
    };
    assert_eq!(left.unwrap(), expected);
    assert_eq!(only(&events).body, EventBody::MessageDeleted(expected.clone().into()));
    assert_eq!(desk.read(&bob, sent.id).await, expected);
    assert_eq!(versions(&desk, &alice, sent.id).await, Some(vec![]));
    assert_eq!((desk.seqs(&bob, chat).await, desk.view(&bob, chat).await.unread), (vec![1], 1));
    desk.make.clock.advance_seconds(1);
    assert_eq!(desk.silently(desk.try_delete(&alice, sent.id)).await.unwrap(), expected);
    let refused = desk.silently(desk.try_edit(&alice, sent.id, "back")).await;
    assert!(matches!(refused, Err(Error::Deleted)), "{refused:?}");
    let again = desk.silently(desk.store.append_message(append)).await.unwrap();
    assert_eq!(
        (again.replayed, &*again.message),
        (true, &expected),
        "a retry of the send brings nothing back"
    );
    desk.send(&bob, chat, "what was it?").await;
    assert_eq!(desk.seqs(&bob, chat).await, [1, 2]);
}

/// The author; in a group also who runs it.
pub async fn who_may_delete(desk: Desk) {
    let [alice, bob, carol] = desk.people(["alice", "bob", "carol"]).await;
    let chat = desk.group([&alice, &bob, &carol]).await;
    let (hers, his) = (desk.send(&alice, chat, "hers").await.id, desk.send(&bob, chat, "his").await.id);
    for (person, id) in [(&bob, hers), (&carol, his)] {
        let refused = desk.silently(desk.try_delete(person, id)).await;
        assert!(matches!(refused, Err(Error::NotAllowedToDelete)), "{refused:?}");
    }
    let left = desk.try_delete(&alice, his).await.unwrap();
    assert_eq!(left.deletion.map(|deletion| deletion.by), Some(alice.id()));
    desk.log_out(&alice).await;
    let refused = desk.silently(desk.try_delete(&alice, hers)).await;
    assert!(matches!(refused, Err(Error::SessionEnded)), "{refused:?}");
    let direct = desk.direct(&carol, &bob).await.view.conversation.id;
    let id = desk.send(&bob, direct, "his").await.id;
    let refused = desk.silently(desk.try_delete(&carol, id)).await;
    assert!(matches!(refused, Err(Error::NotAllowedToDelete)), "nobody runs it: {refused:?}");
}

/// To strangers, to newcomers, and where there is none.
pub async fn a_message_that_one_may_not_read_is_not_there(desk: Desk) {
    let [alice, bob, eve] = desk.people(["alice", "bob", "eve"]).await;
    let chat = desk.group([&alice]).await;
    let id = desk.send(&alice, chat, "before").await.id;
    desk.add(&alice, chat, [&bob]).await;
    let none = MessageId { conversation: chat, seq: Seq(9) };
    let nowhere = MessageId { conversation: ConversationId(eve.id().0), seq: Seq(1) };
    for (person, id) in [(&eve, id), (&bob, id), (&alice, none), (&alice, nowhere)] {
        desk.silently(async {
            assert!(matches!(desk.try_edit(person, id, "mine").await, Err(Error::NotFound)));
            assert!(matches!(desk.try_delete(person, id).await, Err(Error::NotFound)));
            assert!(desk.try_react(person, id, "👍").await.is_err());
            assert_eq!(versions(&desk, person, id).await, None);
        })
        .await;
    }
}

/// What they could read they still can.
pub async fn one_who_left_changes_nothing(desk: Desk) {
    let [alice, bob] = desk.people(["alice", "bob"]).await;
    let chat = desk.group([&alice, &bob]).await;
    let id = desk.send(&bob, chat, "mine").await.id;
    desk.remove(&alice, chat, &bob).await;
    desk.silently(async {
        assert!(matches!(desk.try_edit(&bob, id, "still").await, Err(Error::NotParticipant)));
        assert!(matches!(desk.try_delete(&bob, id).await, Err(Error::NotParticipant)));
        assert!(desk.try_react(&bob, id, "👍").await.is_err());
    })
    .await;
    assert_eq!(desk.read(&bob, id).await.content, "mine");
}

/// By a gap, and by a catch-up: the stream moves on without a word. One who was there before may know.
pub async fn a_newcomer_is_not_told_what_happens_to_older_messages(desk: Desk) {
    let [alice, bob, carol] = desk.people(["alice", "bob", "carol"]).await;
    let chat = desk.group([&alice, &carol]).await; // 1
    let old = desk.send(&alice, chat, "before").await.id; // 2
    desk.remove(&alice, chat, &carol).await; // 3
    desk.add(&alice, chat, [&bob, &carol]).await; // 4, 5
    let from = desk.end().await;
    let new = desk.send(&alice, chat, "after").await.id; // 6
    desk.edit(&alice, old, "before?").await; // 7
    desk.react(&alice, old, "👍").await; // 8
    desk.edit(&alice, new, "after?").await; // 9
    desk.try_delete(&alice, old).await.unwrap(); // 10
    let names = |events: &[Event]| -> Vec<(u64, &'static str)> {
        events.iter().map(|event| (event.pos.0, name(&event.body))).collect()
    };
    let to_bob = [(6, "sent"), (7, "withheld"), (8, "withheld"), (9, "edited"), (10, "withheld")];
    let to_carol = [(6, "sent"), (7, "edited"), (8, "reaction"), (9, "edited"), (10, "deleted")];
    for (person, expected) in [(&bob, to_bob), (&carol, to_carol)] {
        let stream = StreamId::Conversation(chat);
        let gap = desk.store.list_stream(person.id(), stream, Pos(5), EVERYTHING).await.unwrap();
        assert_eq!(names(&gap.events), expected, "the gap of {}", person.user.username);
        assert!(gap.events.iter().all(|event| event.span == 1));
        let ask = super::catch_up::ask(person, from);
        let page = desk.store.catch_up(ask).await.unwrap().unwrap();
        assert_eq!(names(&page.events), expected, "the catch-up of {}", person.user.username);
    }
}

fn name(body: &EventBody) -> &'static str {
    match body {
        EventBody::MessageSent(_) => "sent",
        EventBody::MessageEdited(_) => "edited",
        EventBody::MessageDeleted(_) => "deleted",
        EventBody::ReactionAdded(_) => "reaction",
        EventBody::Withheld => "withheld",
        _ => "another",
    }
}

/// As delivery asks: of those who came in between two positions.
pub async fn who_may_not_read_a_message_is_known_by_position(desk: Desk) {
    let [alice, bob, carol, dora] = desk.people(["alice", "bob", "carol", "dora"]).await;
    let chat = desk.group([&alice, &carol]).await; // 1
    let old = desk.send(&alice, chat, "before").await; // 2
    desk.remove(&alice, chat, &carol).await; // 3
    desk.add(&alice, chat, [&bob, &carol, &dora]).await; // 4, 5, 6
    let by_position: Vec<_> =
        desk.log.all().into_iter().filter(|event| event.stream == StreamId::Conversation(chat)).collect();
    let joined = |pos: usize| match &by_position[pos - 1].body {
        EventBody::ParticipantJoined(participant) => participant.user.id,
        other => panic!("{other:?}"),
    };
    for through in 2..=9 {
        let barred = desk.store.list_barred(old.id, old.pos, Pos(through)).await.unwrap();
        let mut expected: Vec<_> = (4..=6)
            .filter(|pos| *pos as u64 <= through)
            .map(joined)
            .filter(|user| *user != carol.id())
            .collect();
        expected.sort_unstable();
        assert_eq!(barred, expected, "through {through}");
    }
    let new = desk.send(&alice, chat, "after").await;
    assert_eq!(desk.store.list_barred(new.id, new.pos, Pos(99)).await.unwrap(), []);
}
