//! Conversations: made once, found again, seen by their people alone.

use tidings_core::conversations::{ConversationKind, Error, PARTICIPANTS_SHOWN, Role};
use tidings_core::error::Code;
use tidings_core::events::EventBody;
use tidings_core::ids::{AppId, ConversationId, Pos, StreamId, UserId};
use tidings_core::limits::IDEMPOTENCY_SECONDS;
use tidings_core::ports::store::NewConversation;

use super::{Desk, Person};

/// Whoever asks, and with whatever id of their own.
pub async fn a_direct_conversation_is_found_again_by_both(desk: Desk) {
    let [alice, bob] = desk.people(["alice", "bob"]).await;
    let (made, events) = desk.publishes(desk.direct(&alice, &bob)).await;
    assert!(!made.found);
    assert_eq!(events.len(), 1);
    for (one, other) in [(&alice, &bob), (&bob, &alice)] {
        let again = desk.silently(desk.direct(one, other)).await;
        assert!(again.found);
        assert_eq!(again.view.conversation, made.view.conversation);
        assert_eq!(again.view.me.user, one.id(), "each sees it as their own");
    }
    assert_eq!(made.view.conversation.kind, ConversationKind::Direct);
    assert_eq!(made.view.participant_count, 2);
    assert_eq!(desk.participants(&bob, made.view.conversation.id).await, made.view.participants);
}

/// One is made, with one event, and all get it.
pub async fn twenty_at_once_make_one(desk: Desk) {
    let [alice, bob] = desk.people(["alice", "bob"]).await;
    let before = desk.log.len();
    let tries: Vec<_> = (0..20)
        .map(|n| {
            let (one, other) = if n % 2 == 0 { (&alice, &bob) } else { (&bob, &alice) };
            let (store, new) = (desk.store.clone(), desk.make.direct(&one.actor, other.id()));
            tokio::spawn(async move { store.insert_conversation(new).await })
        })
        .collect();
    let mut made = Vec::new();
    for one in tries {
        let created = one.await.unwrap().expect("it is there");
        made.push((created.view.conversation.id, created.found));
    }
    assert!(made.iter().all(|(id, _)| *id == made[0].0), "one conversation");
    assert_eq!(made.iter().filter(|(_, found)| !found).count(), 1, "made once");
    assert_eq!(desk.log.since(before).len(), 1, "one event");
}

/// One participant, found again.
pub async fn notes_are_for_oneself_alone(desk: Desk) {
    let [alice, bob] = desk.people(["alice", "bob"]).await;
    let made = desk.store.insert_conversation(desk.make.notes(&alice.actor)).await.unwrap();
    let again = desk.silently(desk.store.insert_conversation(desk.make.notes(&alice.actor))).await.unwrap();
    assert!(!made.found && again.found);
    assert_eq!(again.view, made.view);
    let id = made.view.conversation.id;
    assert_eq!(made.view.conversation.kind, ConversationKind::SelfNotes);
    assert_eq!(made.view.participants.iter().map(|one| one.user.id).collect::<Vec<_>>(), [alice.id()]);
    desk.send(&alice, id, "milk").await;
    assert_eq!(desk.view(&alice, id).await.unread, 0);
    assert_eq!(desk.find_view(&bob, id).await, None);
}

/// The creator owns it, also when named among the others.
pub async fn a_group_has_an_owner_and_folds_repetitions(desk: Desk) {
    let [alice, bob, carol] = desk.people(["alice", "bob", "carol"]).await;
    let users = [bob.id(), alice.id(), carol.id(), bob.id()];
    let made = desk.store.insert_conversation(desk.make.group(&alice.actor, &users));
    let (made, events) = desk.publishes(made).await;
    let view = made.unwrap().view;
    let roles: Vec<_> = view.participants.iter().map(|one| (one.user.id, one.membership.role)).collect();
    let mut expected = [(alice.id(), Role::Owner), (bob.id(), Role::Member), (carol.id(), Role::Member)];
    expected.sort_unstable();
    assert_eq!(roles, expected, "by (from_pos, user)");
    assert_eq!((view.pos, view.last_seq.0, view.unread, view.participant_count), (Pos(1), 0, 0, 3));
    assert_eq!(view.last_message, None);
    let [event] = &events[..] else { panic!("one event: {events:?}") };
    assert_eq!((event.stream, event.pos), (StreamId::Conversation(view.conversation.id), Pos(1)));
    let EventBody::ConversationCreated { conversation, participants } = &event.body else {
        panic!("{event:?}")
    };
    assert_eq!((conversation, participants), (&view.conversation, &view.participants));
}

async fn unknown(desk: &Desk, new: NewConversation) -> Vec<String> {
    let id = new.id;
    let creator = new.actor.user;
    let refused = desk.silently(desk.store.insert_conversation(new)).await;
    let Err(Error::UnknownUsers(fields)) = refused else { panic!("{refused:?}") };
    assert!(fields.iter().all(|field| field.code == Code::UnknownUser));
    assert_eq!(desk.store.find_conversation(creator, id).await.unwrap(), None, "nothing was made");
    fields.into_iter().map(|field| field.pointer).collect()
}

/// Each of them, and those of another app too.
pub async fn unknown_users_are_named_by_pointer(desk: Desk) {
    let [alice, bob] = desk.people(["alice", "bob"]).await;
    let nobody = desk.make.user("nobody").id;
    let mut elsewhere = desk.make.user("eve");
    elsewhere.app = AppId(2);
    let eve = desk.arrive(elsewhere).await;
    let users = [bob.id(), nobody, alice.id(), eve.id()];
    assert_eq!(unknown(&desk, desk.make.group(&alice.actor, &users)).await, ["/userIds/1", "/userIds/3"]);
    assert_eq!(unknown(&desk, desk.make.direct(&alice.actor, nobody)).await, ["/userId"]);
    assert_eq!(unknown(&desk, desk.make.direct(&alice.actor, eve.id())).await, ["/userId"]);
    assert_eq!(unknown(&desk, desk.make.direct(&eve.actor, alice.id())).await, ["/userId"]);
}

fn keyed_group(desk: &Desk, by: &Person, users: &[UserId], key: &str, body: &str) -> NewConversation {
    NewConversation { request: Some(desk.make.keyed(key, body)), ..desk.make.group(&by.actor, users) }
}

/// The same request under the same key, with another id drawn for it.
pub async fn a_key_finds_what_it_made(desk: Desk) {
    let [alice, bob] = desk.people(["alice", "bob"]).await;
    let request = || keyed_group(&desk, &alice, &[bob.id()], "key-1", "crew");
    let made = desk.store.insert_conversation(request()).await.unwrap();
    let again = desk.silently(desk.store.insert_conversation(request())).await.unwrap();
    assert!(!made.found && again.found);
    assert_eq!(again.view, made.view);
    assert_eq!(desk.list(&alice).await.len(), 1);
    let tries: Vec<_> = (0..8)
        .map(|_| {
            let (store, new) = (desk.store.clone(), keyed_group(&desk, &alice, &[], "key-2", "alone"));
            tokio::spawn(async move { store.insert_conversation(new).await })
        })
        .collect();
    for one in tries {
        one.await.unwrap().expect("made or found");
    }
    assert_eq!(desk.list(&alice).await.len(), 2, "eight at once made one");
}

/// Another body under it is refused; another user's key of the same name is another key.
pub async fn a_key_is_for_one_request_of_one_user(desk: Desk) {
    let [alice, bob] = desk.people(["alice", "bob"]).await;
    desk.store.insert_conversation(keyed_group(&desk, &alice, &[bob.id()], "key-1", "crew")).await.unwrap();
    let other = keyed_group(&desk, &alice, &[bob.id()], "key-1", "another body");
    let refused = desk.silently(desk.store.insert_conversation(other)).await;
    assert!(matches!(refused, Err(Error::IdempotencyKeyReused)), "{refused:?}");
    let bobs = desk.store.insert_conversation(keyed_group(&desk, &bob, &[], "key-1", "another body")).await;
    assert!(!bobs.unwrap().found);
    let nobody = desk.make.user("nobody").id;
    let refused =
        desk.store.insert_conversation(keyed_group(&desk, &alice, &[nobody], "key-2", "typo")).await;
    assert!(matches!(refused, Err(Error::UnknownUsers(_))), "{refused:?}");
    let corrected = keyed_group(&desk, &alice, &[bob.id()], "key-2", "corrected");
    assert!(!desk.store.insert_conversation(corrected).await.expect("a refusal keeps no key").found);
}

/// Longer retries are other requests.
pub async fn a_key_is_kept_for_a_day(desk: Desk) {
    let [alice] = desk.people(["alice"]).await;
    let request = || keyed_group(&desk, &alice, &[], "key-1", "crew");
    let made = desk.store.insert_conversation(request()).await.unwrap().view.conversation.id;
    desk.make.clock.advance_seconds(IDEMPOTENCY_SECONDS - 1);
    assert_eq!(desk.store.insert_conversation(request()).await.unwrap().view.conversation.id, made);
    desk.make.clock.advance_seconds(2);
    assert!(!desk.store.insert_conversation(request()).await.unwrap().found);
}

/// Not that it exists, not by any read.
pub async fn a_stranger_sees_nothing(desk: Desk) {
    let [alice, bob, eve] = desk.people(["alice", "bob", "eve"]).await;
    let chat = desk.direct(&alice, &bob).await.view.conversation.id;
    desk.send(&alice, chat, "secret").await;
    let nowhere = ConversationId(desk.make.user("x").id.0);
    for id in [chat, nowhere] {
        assert_eq!(desk.find_view(&eve, id).await, None);
        let people = desk.store.list_participants(eve.id(), id, None, 10).await;
        assert!(matches!(people, Err(Error::NotFound)), "{people:?}");
    }
    assert_eq!(desk.list(&eve).await, []);
    let taken = NewConversation { id: chat, ..desk.make.group(&eve.actor, &[]) };
    let refused = desk.silently(desk.store.insert_conversation(taken)).await;
    assert!(matches!(refused, Err(Error::NotFound)), "the id of somebody else's conversation: {refused:?}");
}

/// And says how many there are.
pub async fn a_big_group_shows_its_first_people(desk: Desk) {
    let alice = desk.person("alice").await;
    let mut users = Vec::new();
    for n in 0..PARTICIPANTS_SHOWN + 5 {
        users.push(desk.person(&format!("user{n}")).await.id());
    }
    let view = desk.store.insert_conversation(desk.make.group(&alice.actor, &users)).await.unwrap().view;
    assert_eq!((view.participants.len(), view.participant_count), (PARTICIPANTS_SHOWN, users.len() + 1));
    let all = desk.participants(&alice, view.conversation.id).await;
    assert_eq!(view.participants, all[..PARTICIPANTS_SHOWN]);
}
