//! Lists of conversations: latest message first, each once.

use tidings_core::conversations::{ConversationFilter, ConversationKind};
use tidings_core::ids::ConversationId;

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
        let filter = ConversationFilter { kind: Some(kind) };
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
