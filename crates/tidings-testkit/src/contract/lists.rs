//! Lists of conversations: pinned ones first, then by the latest message, each once.

use tidings_core::conversations::{
    ConversationFilter, ConversationKind, Error, Preferences, PreferencesChange,
};
use tidings_core::ids::{ConversationId, StreamId};
use tidings_core::ports::store::{UpdatePreferences, UserChange};

use super::desk::only;
use super::{Desk, Person};

async fn ids(desk: &Desk, viewer: &Person) -> Vec<ConversationId> {
    desk.list(viewer).await.iter().map(|view| view.conversation.id).collect()
}

/// One without messages stands where it was made; joining and leaving move nothing.
pub async fn the_latest_message_comes_first(desk: Desk) {
    let [alice, bob] = desk.people(["alice", "bob"]).await;
    let [a, b, c] = [desk.group([&alice]).await, desk.group([&alice]).await, desk.group([&alice]).await];
    assert_eq!(ids(&desk, &alice).await, [c, b, a]);
    desk.send(&alice, a, "up").await;
    assert_eq!(ids(&desk, &alice).await, [a, c, b]);
    desk.add(&alice, b, [&bob]).await;
    assert_eq!(ids(&desk, &alice).await, [a, c, b], "a joining is no message");
    desk.send(&bob, b, "up").await;
    assert_eq!(ids(&desk, &alice).await, [b, a, c]);
    desk.send(&alice, a, "and again").await;
    assert_eq!(ids(&desk, &alice).await, [a, b, c]);
    assert_eq!(ids(&desk, &bob).await, [b]);
}

/// With pages of every size, also while messages move others to the front.
pub async fn a_walk_sees_each_conversation_once(desk: Desk) {
    let alice = desk.person("alice").await;
    let mut made = Vec::new();
    for n in 0..9 {
        made.push(desk.group([&alice]).await);
        if n % 2 == 0 {
            desk.send(&alice, made[n / 2], "up").await;
        }
    }
    let all = ids(&desk, &alice).await;
    assert_eq!(all.len(), made.len());
    for limit in 1..=10 {
        assert_eq!(walk(&desk, &alice, limit, None).await, all, "pages of {limit}");
    }
    let moving = walk(&desk, &alice, 2, Some(all[1])).await;
    assert_eq!(moving, all, "what moves to the front after it was seen is not seen again");
}

/// Sends to `busy` between two pages.
async fn walk(
    desk: &Desk,
    viewer: &Person,
    limit: usize,
    busy: Option<ConversationId>,
) -> Vec<ConversationId> {
    let (mut seen, mut cursor) = (Vec::new(), None);
    loop {
        let list = desk.store.list_conversations(viewer.id(), ConversationFilter::default(), cursor, limit);
        let page = list.await.unwrap();
        assert!(page.conversations.len() <= limit);
        seen.extend(page.conversations.iter().map(|view| view.conversation.id));
        cursor = page.next;
        if cursor.is_none() {
            return seen;
        }
        if let Some(busy) = busy {
            desk.send(viewer, busy, "up").await;
        }
    }
}

/// Not those that one has left, unless one is back.
pub async fn only_those_one_is_in_and_of_the_kind_asked_for(desk: Desk) {
    let [alice, bob] = desk.people(["alice", "bob"]).await;
    let group = desk.group([&alice, &bob]).await;
    let direct = desk.direct(&alice, &bob).await.view.conversation.id;
    let notes =
        desk.store.insert_conversation(desk.make.notes(&bob.actor)).await.unwrap().view.conversation.id;
    assert_eq!(ids(&desk, &bob).await, [notes, direct, group]);
    for (kind, expected) in [
        (ConversationKind::Direct, direct),
        (ConversationKind::Group, group),
        (ConversationKind::SelfNotes, notes),
    ] {
        let filter = ConversationFilter { kind: Some(kind), ..ConversationFilter::default() };
        let page = desk.store.list_conversations(bob.id(), filter, None, 10).await.unwrap();
        let found: Vec<_> = page.conversations.iter().map(|view| view.conversation.id).collect();
        assert_eq!(found, [expected], "{kind:?}");
    }
    desk.leave(&bob, group).await;
    assert_eq!(ids(&desk, &bob).await, [notes, direct]);
    desk.add(&alice, group, [&bob]).await;
    assert_eq!(ids(&desk, &bob).await, [notes, direct, group]);
}

/// Unread, last message, people: one formula.
pub async fn every_view_in_the_list_is_the_view_alone(desk: Desk) {
    let [alice, bob, carol] = desk.people(["alice", "bob", "carol"]).await;
    let one = desk.group([&alice, &bob, &carol]).await;
    let other = desk.group([&bob, &alice]).await;
    desk.send_many(&alice, one, 3).await;
    desk.send_many(&bob, other, 2).await;
    desk.leave(&carol, one).await;
    for viewer in [&alice, &bob] {
        for view in desk.list(viewer).await {
            assert_eq!(desk.view(viewer, view.conversation.id).await, view);
        }
    }
}

async fn found(desk: &Desk, viewer: &Person, filter: ConversationFilter) -> Vec<ConversationId> {
    let page = desk.store.list_conversations(viewer.id(), filter, None, 10).await.unwrap();
    page.conversations.iter().map(|view| view.conversation.id).collect()
}

async fn prefer(
    desk: &Desk,
    person: &Person,
    chat: ConversationId,
    change: PreferencesChange,
) -> Preferences {
    let update = UpdatePreferences { actor: person.actor, conversation: chat, change, now: desk.make.now() };
    desk.store.update_preferences(update).await.unwrap()
}

/// For oneself, in pages of every size, until one has left.
pub async fn pinned_ones_come_first_and_archived_ones_are_told_apart(desk: Desk) {
    let [alice, bob] = desk.people(["alice", "bob"]).await;
    let mut made = Vec::new();
    for _ in 0..4 {
        made.push(desk.group([&alice, &bob]).await);
    }
    let [a, b, c, d] = made[..] else { panic!("four") };
    let pin = PreferencesChange { pinned: Some(true), ..PreferencesChange::default() };
    let archive = PreferencesChange { archived: Some(true), ..PreferencesChange::default() };
    let (pinned, events) = desk.publishes(prefer(&desk, &alice, a, pin)).await;
    assert_eq!(pinned, Preferences { pinned: true, ..Preferences::default() });
    assert_eq!(only(&events).stream, StreamId::User(alice.id()), "nobody else is told");
    assert_eq!(desk.silently(prefer(&desk, &alice, a, pin)).await, pinned);
    prefer(&desk, &alice, c, pin).await;
    let both = prefer(&desk, &alice, c, archive).await;
    assert_eq!((both.pinned, both.archived), (true, true), "the rest stays");
    prefer(&desk, &alice, b, archive).await;
    let expected = [c, a, d, b];
    assert_eq!(ids(&desk, &alice).await, expected);
    for limit in 1..=5 {
        assert_eq!(walk(&desk, &alice, limit, None).await, expected, "pages of {limit}");
    }
    let archived =
        |archived| ConversationFilter { archived: Some(archived), ..ConversationFilter::default() };
    assert_eq!(found(&desk, &alice, archived(true)).await, [c, b]);
    assert_eq!(found(&desk, &alice, archived(false)).await, [a, d]);
    assert_eq!(ids(&desk, &bob).await, [d, c, b, a], "his are his own");
    let desk = desk.reopen().await;
    assert_eq!(ids(&desk, &alice).await, expected);
    desk.add(&alice, a, [&bob]).await;
    let eve = desk.person("eve").await;
    let update = |person: &Person| {
        let (actor, now) = (person.actor, desk.make.now());
        desk.store.update_preferences(UpdatePreferences { actor, conversation: a, change: archive, now })
    };
    assert!(matches!(update(&eve).await, Err(Error::NotFound)));
    desk.leave(&bob, a).await;
    assert!(matches!(update(&bob).await, Err(Error::NotParticipant)));
}

/// All words, in any place and case: of the title of a group, of the other's names.
pub async fn a_conversation_is_found_by_what_it_is_called(desk: Desk) {
    let [alice, bob, zhanna] = desk.people(["alice", "bob", "zhanna"]).await;
    let name = UserChange { display_name: Some("ЖАННА D'Arc".to_owned()), ..UserChange::default() };
    let update = desk.make.update(&zhanna.actor, name);
    desk.store.update_user(update).await.unwrap();
    let group = desk.group([&alice, &bob]).await;
    let direct = desk.direct(&alice, &zhanna).await.view.conversation.id;
    let other = desk.direct(&alice, &bob).await.view.conversation.id;
    let title = desk.view(&alice, group).await.conversation.title.unwrap().to_lowercase();
    let called = |words: &[&str]| ConversationFilter {
        words: words.iter().map(|word| (*word).to_owned()).collect(),
        ..ConversationFilter::default()
    };
    assert_eq!(found(&desk, &alice, called(&["жанна", "d'ar"])).await, [direct]);
    assert_eq!(found(&desk, &alice, called(&["hann"])).await, [direct], "by the username");
    assert_eq!(found(&desk, &alice, called(&["bo"])).await, [other]);
    assert_eq!(found(&desk, &zhanna, called(&["alice"])).await, [direct]);
    assert_eq!(found(&desk, &alice, called(&[&title[1..3]])).await, [group]);
    assert_eq!(found(&desk, &alice, called(&["жанна", "bob"])).await, []);
}
