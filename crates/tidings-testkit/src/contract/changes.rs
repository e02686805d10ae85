//! What happens to a message after it was sent: another text, or none.

use tidings_core::conversations::Role;
use tidings_core::error::{Code, FieldError};
use tidings_core::events::{Event, EventBody};
use tidings_core::ids::{ConversationId, MessageId, Pos, Seq, StreamId};
use tidings_core::messages::{Deletion, Error, HistoryAnchor, Message, MessageKind, MessageVersion};
use tidings_core::ports::store::{AppendMessage, EditMessage};
use tidings_core::reactions::Reaction;

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

/// By every way to a message, and to who was in. A deletion is for everybody.
pub async fn one_who_left_sees_it_as_it_was(desk: Desk) {
    let [alice, bob, carol] = desk.people(["alice", "bob", "carol"]).await;
    let from = desk.end().await;
    let chat = desk.group([&alice, &bob, &carol]).await;
    let id = desk.send(&alice, chat, "one").await.id;
    let gone = desk.send(&alice, chat, "gone").await.id;
    desk.edit(&alice, id, "two").await;
    desk.react(&carol, id, "👍").await;
    desk.react(&bob, id, "👍").await;
    desk.leave(&bob, chat).await;
    let (before, people) = (desk.read(&bob, id).await, desk.participants(&bob, chat).await);
    assert_eq!((before.content.as_str(), before.version), ("two", 2));
    desk.edit(&alice, id, "a secret").await;
    desk.edit(&alice, id, "three").await;
    desk.react(&alice, id, "👍").await;
    desk.react(&alice, id, "🤫").await;
    desk.edit(&alice, gone, "another secret").await;
    desk.try_delete(&alice, gone).await.unwrap();
    let promote = desk.make.role(&alice.actor, chat, carol.id(), Role::Admin);
    desk.store.update_participant(promote).await.unwrap();

    assert_eq!(desk.read(&bob, id).await, before);
    let said: Vec<_> = versions(&desk, &bob, id).await.unwrap().into_iter().map(|one| one.content).collect();
    assert_eq!(said, ["one", "two"]);
    let history = desk.history(&bob, chat, HistoryAnchor::Latest, 10).await.messages;
    assert_eq!((&history[0], &history[1]), (&before, &desk.read(&carol, gone).await));
    assert_eq!((history[1].content.as_str(), history[1].version), ("", 2), "its text is nobody's any more");
    assert_eq!(desk.view(&bob, chat).await.last_message.as_ref(), Some(&history[1]));
    assert_eq!(desk.participants(&bob, chat).await, people, "with their roles then");
    let everybody = Message { reactions: unmarked(&before.reactions), ..before.clone() };
    let stream = StreamId::Conversation(chat);
    let gap = desk.store.list_stream(bob.id(), stream, Pos(0), EVERYTHING).await.unwrap();
    let page = desk.store.catch_up(super::catch_up::ask(&bob, from)).await.unwrap().unwrap();
    for events in [gap.events, page.events] {
        let told = events.iter().filter_map(|event| match &event.body {
            EventBody::MessageSent(message) | EventBody::MessageEdited(message) if message.id == id => {
                Some(Message::clone(message))
            }
            EventBody::ReactionAdded(change) => {
                assert_eq!(change.reactions, everybody.reactions);
                None
            }
            _ => None,
        });
        assert_eq!(told.collect::<Vec<_>>(), [everybody.clone(), everybody.clone()]);
    }

    desk.add(&alice, chat, [&bob]).await;
    assert_eq!(desk.read(&bob, id).await.content, "three", "one who came back is one of them again");
}

fn unmarked(reactions: &[Reaction]) -> Vec<Reaction> {
    reactions.iter().map(|one| Reaction { mine: false, ..one.clone() }).collect()
}

/// To who comes later there never was a reaction.
pub async fn reactions_to_what_was_deleted_are_nothing(desk: Desk) {
    let [alice, bob] = desk.people(["alice", "bob"]).await;
    let chat = desk.group([&alice, &bob]).await; // 1
    let id = desk.send(&alice, chat, "hi").await.id; // 2
    desk.react(&bob, id, "👍").await; // 3
    desk.react(&bob, id, "🎉").await; // 4
    let from = desk.end().await;
    let names = |events: &[Event]| events.iter().map(|event| name(&event.body)).collect::<Vec<_>>();
    let stream = StreamId::Conversation(chat);
    let gap = desk.store.list_stream(bob.id(), stream, Pos(2), EVERYTHING).await.unwrap();
    assert_eq!(names(&gap.events), ["reaction", "reaction"]);
    desk.try_react(&bob, id, "🎈").await.unwrap(); // 5
    desk.try_delete(&alice, id).await.unwrap(); // 6
    let gap = desk.store.list_stream(bob.id(), stream, Pos(2), EVERYTHING).await.unwrap();
    assert_eq!(names(&gap.events), ["withheld", "withheld", "withheld", "deleted"]);
    let page = desk.store.catch_up(super::catch_up::ask(&bob, from)).await.unwrap().unwrap();
    assert_eq!(names(&page.events), ["withheld", "deleted"]);
}

/// By a gap, and by a catch-up: the stream moves on without a word. One who was there before may know.
pub async fn a_newcomer_is_not_told_what_happens_to_older_messages(desk: Desk) {
    let [alice, bob, carol] = desk.people(["alice", "bob", "carol"]).await;
    let chat = desk.group([&alice, &carol]).await; // 1
    let old = desk.send(&alice, chat, "before").await.id; // 2
    let gone = desk.send(&alice, chat, "gone").await.id; // 3
    desk.remove(&alice, chat, &carol).await; // 4
    desk.add(&alice, chat, [&bob, &carol]).await; // 5, 6
    let from = desk.end().await;
    let new = desk.send(&alice, chat, "after").await.id; // 7
    desk.edit(&alice, old, "before?").await; // 8
    desk.react(&alice, old, "👍").await; // 9
    desk.edit(&alice, new, "after?").await; // 10
    desk.try_delete(&alice, gone).await.unwrap(); // 11
    let names = |events: &[Event]| -> Vec<(u64, &'static str)> {
        events.iter().map(|event| (event.pos.0, name(&event.body))).collect()
    };
    let to_bob = [(7, "sent"), (8, "withheld"), (9, "withheld"), (10, "edited"), (11, "withheld")];
    let to_carol = [(7, "sent"), (8, "edited"), (9, "reaction"), (10, "edited"), (11, "deleted")];
    for (person, expected) in [(&bob, to_bob), (&carol, to_carol)] {
        let stream = StreamId::Conversation(chat);
        let gap = desk.store.list_stream(person.id(), stream, Pos(6), EVERYTHING).await.unwrap();
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
