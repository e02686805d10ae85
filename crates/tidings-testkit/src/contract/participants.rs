//! Coming in, going, coming back: who may, and what it leaves.

use tidings_core::conversations::{Error, MembershipState, ParticipantCursor, Role};
use tidings_core::events::{Event, EventBody};
use tidings_core::ids::{ConversationId, Seq, StreamId, UserId};
use tidings_core::ports::store::AddParticipants;

use super::{Desk, Person};

/// A refusal in one word, to be put in a table.
fn word<T>(outcome: &Result<T, Error>) -> &'static str {
    match outcome {
        Ok(_) => "ok",
        Err(Error::NotFound) => "not found",
        Err(Error::NotParticipant) => "no participant",
        Err(Error::Forbidden) => "forbidden",
        Err(Error::LastOwner) => "last owner",
        Err(Error::FixedParticipants) => "fixed",
        Err(Error::TooManyParticipants { .. }) => "too many",
        Err(Error::IdempotencyKeyReused) => "key reused",
        Err(Error::UnknownUsers(_)) => "unknown users",
        Err(Error::Invalid(_) | Error::SessionEnded | Error::Store(_)) => "another",
    }
}

fn joined(events: &[Event]) -> Vec<UserId> {
    let joined = |event: &Event| match &event.body {
        EventBody::ParticipantJoined(participant) => participant.user.id,
        other => panic!("not a joining: {other:?}"),
    };
    events.iter().map(joined).collect()
}

/// An event each, at positions of their own; nothing of before counts as unread.
pub async fn a_newcomer_joins_with_an_event_and_reads_from_there(desk: Desk) {
    let [alice, bob, carol] = desk.people(["alice", "bob", "carol"]).await;
    let chat = desk.group([&alice]).await;
    desk.send_many(&alice, chat, 3).await;
    let (added, events) = desk.publishes(desk.add(&alice, chat, [&bob, &carol])).await;
    assert_eq!(joined(&events), [bob.id(), carol.id()], "in the order of the request");
    assert_eq!(events[1].pos, events[0].pos.next());
    for (participant, event) in added.iter().zip(&events) {
        assert_eq!(event.body, EventBody::ParticipantJoined(participant.clone()));
        let membership = &participant.membership;
        assert_eq!((membership.from_pos, membership.from_log), (event.pos, event.log_id));
        assert_eq!((membership.from_seq, membership.history_from_seq), (Seq(4), Seq(4)));
        assert_eq!((membership.role, membership.state), (Role::Member, MembershipState::Active));
    }
    let view = desk.view(&bob, chat).await;
    assert_eq!((view.unread, view.last_message), (0, None));
    desk.send(&alice, chat, "welcome").await;
    assert_eq!(desk.view(&bob, chat).await.unread, 1);
}

/// Without an event, and the answer says how everybody of the request stands.
pub async fn who_is_in_already_stays_as_they_are(desk: Desk) {
    let [alice, bob, carol] = desk.people(["alice", "bob", "carol"]).await;
    let chat = desk.group([&alice, &bob]).await;
    desk.send(&bob, chat, "here").await;
    let before = desk.participants(&alice, chat).await;
    let (added, events) = desk.publishes(desk.add(&alice, chat, [&bob, &carol, &bob, &alice])).await;
    assert_eq!(joined(&events), [carol.id()]);
    let users: Vec<UserId> = added.iter().map(|one| one.user.id).collect();
    assert_eq!(users, [bob.id(), carol.id(), alice.id()], "each once");
    for standing in &before {
        assert!(added.contains(standing), "{standing:?}");
    }
    desk.silently(desk.add(&alice, chat, [&bob, &carol])).await;
}

/// What was missed stays missed, and the role is a newcomer's.
pub async fn one_who_comes_back_has_a_new_interval(desk: Desk) {
    let [alice, bob] = desk.people(["alice", "bob"]).await;
    let chat = desk.group([&alice, &bob]).await;
    desk.send(&bob, chat, "one").await;
    desk.remove(&alice, chat, &bob).await;
    let first = desk.view(&bob, chat).await.me;
    desk.send(&alice, chat, "two").await;
    let (added, events) = desk.publishes(desk.add(&alice, chat, [&bob])).await;
    assert_eq!(joined(&events), [bob.id()]);
    let second = &added[0].membership;
    assert_eq!((first.state, first.to_seq), (MembershipState::Removed, Some(Seq(1))));
    assert!(second.from_pos > first.to_pos.expect("closed"));
    assert_eq!((second.from_seq, second.state, second.role), (Seq(3), MembershipState::Active, Role::Member));
    assert_eq!(desk.view(&bob, chat).await.me, *second);
    assert_eq!(desk.participants(&alice, chat).await.len(), 2);
    desk.send(&bob, chat, "three").await;
    assert_eq!(desk.seqs(&bob, chat).await, [1, 3]);
}

/// The owner of a new group; with every other, nobody comes in.
pub async fn who_may_add(desk: Desk) {
    let [alice, bob, carol, eve, dora] = desk.people(["alice", "bob", "carol", "eve", "dora"]).await;
    let chat = desk.group([&alice, &bob, &carol]).await;
    desk.leave(&carol, chat).await;
    for (who, expected) in [(&bob, "forbidden"), (&carol, "no participant"), (&eve, "not found")] {
        let outcome = desk.silently(desk.try_add(who, chat, [&dora])).await;
        assert_eq!(word(&outcome), expected, "{}", who.user.username);
    }
    assert_eq!(desk.find_view(&dora, chat).await, None);
    assert_eq!(word(&desk.try_add(&alice, chat, [&dora]).await), "ok");
}

/// All or none.
pub async fn nobody_is_added_when_one_is_unknown(desk: Desk) {
    let [alice, bob] = desk.people(["alice", "bob"]).await;
    let chat = desk.group([&alice]).await;
    let nobody = desk.make.user("nobody").id;
    let add = desk.make.addition(&alice.actor, chat, &[bob.id(), nobody, nobody]);
    let refused = desk.silently(desk.store.add_participants(add)).await;
    let Err(Error::UnknownUsers(fields)) = refused else { panic!("{refused:?}") };
    assert_eq!(
        fields.iter().map(|field| &field.pointer[..]).collect::<Vec<_>>(),
        ["/userIds/1", "/userIds/2"]
    );
    assert_eq!(desk.find_view(&bob, chat).await, None);
}

/// Who is in already takes no room.
pub async fn a_group_has_a_limit(desk: Desk) {
    let [alice, bob, carol, dora] = desk.people(["alice", "bob", "carol", "dora"]).await;
    let chat = desk.group([&alice, &bob]).await;
    let add = |users: &[UserId]| AddParticipants {
        participants_max: 3,
        ..desk.make.addition(&alice.actor, chat, users)
    };
    let both = desk.silently(desk.store.add_participants(add(&[carol.id(), dora.id()]))).await;
    assert!(matches!(both, Err(Error::TooManyParticipants { max: 3 })), "{both:?}");
    assert_eq!(desk.participants(&alice, chat).await.len(), 2);
    desk.store.add_participants(add(&[bob.id(), carol.id(), carol.id()])).await.expect("the third");
    desk.silently(desk.store.add_participants(add(&[bob.id()]))).await.expect("nobody new");
    desk.leave(&bob, chat).await;
    desk.store.add_participants(add(&[dora.id()])).await.expect("room again");
}

/// A retry adds nobody, also when they have gone meanwhile; another body is refused.
pub async fn an_addition_is_done_once_under_its_key(desk: Desk) {
    let [alice, bob] = desk.people(["alice", "bob"]).await;
    let chat = desk.group([&alice]).await;
    let add = |body: &str| AddParticipants {
        request: Some(desk.make.keyed("key-1", body)),
        ..desk.make.addition(&alice.actor, chat, &[bob.id()])
    };
    desk.store.add_participants(add("bob")).await.unwrap();
    desk.leave(&bob, chat).await;
    let again = desk.silently(desk.store.add_participants(add("bob"))).await.unwrap();
    assert_eq!(again[0].membership.state, MembershipState::Left, "as they stand");
    assert_eq!(word(&desk.silently(desk.store.add_participants(add("another body"))).await), "key reused");
}

/// Owner, member, ex-member and stranger, each against each.
pub async fn who_may_remove_whom(desk: Desk) {
    let [owner, member, other, gone, eve] = desk.people(["owner", "member", "other", "gone", "eve"]).await;
    let chat = desk.group([&owner, &member, &other, &gone]).await;
    desk.leave(&gone, chat).await;
    let table: [(&Person, &Person, &str); 14] = [
        (&owner, &eve, "not found"),
        (&owner, &gone, "ok"),
        (&owner, &owner, "last owner"),
        (&member, &owner, "forbidden"),
        (&member, &other, "forbidden"),
        (&member, &eve, "not found"),
        (&gone, &owner, "no participant"),
        (&gone, &member, "no participant"),
        (&gone, &eve, "no participant"),
        (&gone, &gone, "ok"),
        (&eve, &owner, "not found"),
        (&eve, &member, "not found"),
        (&eve, &gone, "not found"),
        (&eve, &eve, "not found"),
    ];
    for (actor, target, expected) in table {
        let outcome = desk.silently(desk.try_remove(actor, chat, target)).await;
        let (actor, target) = (&actor.user.username, &target.user.username);
        assert_eq!(word(&outcome), expected, "{actor} removes {target}");
    }
    let ((), events) = desk.publishes(desk.remove(&owner, chat, &member)).await;
    assert_gone(&events, &owner, &member, MembershipState::Removed);
    let ((), events) = desk.publishes(desk.leave(&other, chat)).await;
    assert_gone(&events, &other, &other, MembershipState::Left);
}

fn assert_gone(events: &[Event], by: &Person, who: &Person, state: MembershipState) {
    let [event] = events else { panic!("one event: {events:?}") };
    let EventBody::ParticipantLeft { user, membership } = &event.body else { panic!("{event:?}") };
    assert_eq!((event.actor, user, membership.user), (by.id(), &who.user, who.id()));
    assert_eq!(
        (membership.to_pos, membership.to_log),
        (Some(event.pos), Some(event.log_id)),
        "one's own removal"
    );
    assert_eq!(membership.state, state);
}

/// Also of many at once.
pub async fn removing_twice_is_once(desk: Desk) {
    let [alice, bob] = desk.people(["alice", "bob"]).await;
    let chat = desk.group([&alice, &bob]).await;
    let before = desk.log.len();
    let tries: Vec<_> = (0..8)
        .map(|n| {
            let actor = if n % 2 == 0 { &alice } else { &bob };
            let (store, remove) = (desk.store.clone(), desk.make.removal(&actor.actor, chat, bob.id()));
            tokio::spawn(async move { store.remove_participant(remove).await })
        })
        .collect();
    for one in tries {
        one.await.unwrap().expect("gone");
    }
    assert_eq!(desk.log.since(before).len(), 1, "one event");
}

/// A group is never without one.
pub async fn the_last_owner_stays(desk: Desk) {
    let [alice, bob] = desk.people(["alice", "bob"]).await;
    for chat in [desk.group([&alice, &bob]).await, desk.group([&alice]).await] {
        let outcome = desk.silently(desk.try_remove(&alice, chat, &alice)).await;
        assert_eq!(word(&outcome), "last owner");
        desk.send(&alice, chat, "still here").await;
    }
}

/// Nobody comes, nobody goes.
pub async fn direct_and_self_conversations_keep_their_people(desk: Desk) {
    let [alice, bob, carol] = desk.people(["alice", "bob", "carol"]).await;
    let direct = desk.direct(&alice, &bob).await.view.conversation.id;
    let notes = desk.store.insert_conversation(desk.make.notes(&alice.actor)).await.unwrap();
    for chat in [direct, notes.view.conversation.id] {
        assert_eq!(word(&desk.silently(desk.try_add(&alice, chat, [&carol])).await), "fixed");
        assert_eq!(word(&desk.silently(desk.try_remove(&alice, chat, &alice)).await), "fixed");
        assert_eq!(word(&desk.silently(desk.try_add(&carol, chat, [&carol])).await), "not found");
    }
    assert_eq!(word(&desk.silently(desk.try_remove(&alice, direct, &bob)).await), "fixed");
}

/// By `(from_pos, user)`, each once, with a cursor that holds while others come and go.
pub async fn the_list_is_walked_page_by_page(desk: Desk) {
    let [alice, bob, carol, dora, eve] = desk.people(["alice", "bob", "carol", "dora", "eve"]).await;
    let chat = desk.group([&alice, &bob, &carol]).await;
    desk.add(&alice, chat, [&dora, &eve]).await;
    let all = desk.participants(&alice, chat).await;
    let order: Vec<_> = all.iter().map(|one| (one.membership.from_pos, one.user.id)).collect();
    assert!(order.is_sorted(), "{order:?}");
    for limit in 1..=5 {
        assert_eq!(walk(&desk, &alice, chat, limit).await, order, "pages of {limit}");
    }
    let first = desk.store.list_participants(alice.id(), chat, None, 2).await.unwrap();
    desk.remove(&alice, chat, &bob).await;
    let rest = desk.store.list_participants(alice.id(), chat, first.next, 10).await.unwrap();
    assert!(rest.participants.iter().all(|one| one.user.id != bob.id() && !first.participants.contains(one)));
}

async fn walk(
    desk: &Desk,
    viewer: &Person,
    chat: ConversationId,
    limit: usize,
) -> Vec<(tidings_core::ids::Pos, UserId)> {
    let mut seen = Vec::new();
    let mut cursor: Option<ParticipantCursor> = None;
    loop {
        let page = desk.store.list_participants(viewer.id(), chat, cursor, limit).await.unwrap();
        assert!(page.participants.len() <= limit);
        seen.extend(page.participants.iter().map(|one| (one.membership.from_pos, one.user.id)));
        cursor = page.next;
        if cursor.is_none() {
            return seen;
        }
    }
}

/// As it was at the leaving: not who came since, and as still in who left since.
pub async fn one_who_left_sees_who_was_in(desk: Desk) {
    let [alice, bob, carol, dora] = desk.people(["alice", "bob", "carol", "dora"]).await;
    let chat = desk.group([&alice, &bob, &carol]).await;
    desk.leave(&bob, chat).await;
    let before = desk.participants(&bob, chat).await;
    desk.add(&alice, chat, [&dora]).await;
    desk.remove(&alice, chat, &carol).await;
    desk.send(&alice, chat, "without bob").await;
    let after = desk.participants(&bob, chat).await;
    assert_eq!(after, before, "what came later is not shown");
    let mut users: Vec<UserId> = after.iter().map(|one| one.user.id).collect();
    users.sort_unstable();
    let mut expected = [alice.id(), carol.id()];
    expected.sort_unstable();
    assert_eq!(users, expected);
    assert_eq!(desk.view(&bob, chat).await.participant_count, 2);
}

/// With an event; the role counts from then on, and the one that is there is nothing.
pub async fn owners_give_roles(desk: Desk) {
    let [alice, bob, carol] = desk.people(["alice", "bob", "carol"]).await;
    let chat = desk.group([&alice, &bob, &carol]).await;
    desk.send(&carol, chat, "rubbish").await;
    let give = |role| desk.make.role(&alice.actor, chat, bob.id(), role);
    let (given, events) = desk.publishes(desk.store.update_participant(give(Role::Admin))).await;
    assert_eq!(given.unwrap().membership.role, Role::Admin);
    let [event] = &events[..] else { panic!("one event: {events:?}") };
    assert_eq!((event.stream, event.actor), (StreamId::Conversation(chat), alice.id()));
    assert!(
        matches!(&event.body, EventBody::ParticipantUpdated { user, role: Role::Admin, .. } if *user == bob.user)
    );
    desk.silently(desk.store.update_participant(give(Role::Admin))).await.expect("they have it");
    assert_eq!(desk.view(&bob, chat).await.me.role, Role::Admin);
    desk.remove(&bob, chat, &carol).await;
    desk.store.update_participant(give(Role::Owner)).await.unwrap();
    desk.leave(&alice, chat).await;
    assert_eq!(word(&desk.try_remove(&bob, chat, &bob).await), "last owner");
    let less = desk.make.role(&bob.actor, chat, bob.id(), Role::Member);
    let refused = desk.silently(desk.store.update_participant(less)).await;
    assert!(matches!(refused, Err(Error::LastOwner)), "{refused:?}");
}

/// Owners, in groups, to who is in.
pub async fn who_may_give_roles(desk: Desk) {
    let [owner, admin, member, gone, eve] = desk.people(["owner", "admin", "member", "gone", "eve"]).await;
    let chat = desk.group([&owner, &admin, &member, &gone]).await;
    desk.store.update_participant(desk.make.role(&owner.actor, chat, admin.id(), Role::Admin)).await.unwrap();
    desk.leave(&gone, chat).await;
    for (actor, target, expected) in [
        (&admin, &member, "forbidden"),
        (&admin, &admin, "forbidden"),
        (&member, &member, "forbidden"),
        (&gone, &member, "no participant"),
        (&eve, &member, "not found"),
        (&owner, &gone, "not found"),
        (&owner, &eve, "not found"),
    ] {
        let update = desk.make.role(&actor.actor, chat, target.id(), Role::Owner);
        let outcome = desk.silently(desk.store.update_participant(update)).await;
        let names = (&actor.user.username, &target.user.username);
        assert_eq!(word(&outcome), expected, "{names:?}");
    }
    let direct = desk.direct(&owner, &admin).await.view.conversation.id;
    let update = desk.make.role(&owner.actor, direct, admin.id(), Role::Owner);
    let refused = desk.silently(desk.store.update_participant(update)).await;
    assert!(matches!(refused, Err(Error::FixedParticipants)), "{refused:?}");
    desk.log_out(&owner).await;
    let update = desk.make.role(&owner.actor, chat, member.id(), Role::Admin);
    let refused = desk.silently(desk.store.update_participant(update)).await;
    assert!(matches!(refused, Err(Error::SessionEnded)), "{refused:?}");
}
