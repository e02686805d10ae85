//! Marks: how far somebody has come, and what is unread.

use std::collections::HashMap;

use tidings_core::conversations::Marks;
use tidings_core::ids::Seq;

use super::Desk;

/// All of them: read, shown as read, and arrived; nobody else's.
pub async fn sending_moves_the_senders_marks_alone(desk: Desk) {
    let [alice, bob] = desk.people(["alice", "bob"]).await;
    let chat = desk.group([&alice, &bob]).await;
    desk.send_many(&alice, chat, 2).await;
    let moved = |seq, ord| Marks {
        read_seq: Seq(seq),
        read_ord: ord,
        read_all: 0,
        public_read_seq: Seq(seq),
        delivered_seq: Seq(seq),
    };
    assert_eq!(desk.view(&alice, chat).await.me.marks, moved(2, 2));
    assert_eq!(desk.view(&bob, chat).await.me.marks, Marks::default());
    desk.send(&bob, chat, "an answer has read what it answers").await;
    for viewer in [&alice, &bob] {
        let marks: HashMap<_, _> = desk
            .participants(viewer, chat)
            .await
            .iter()
            .map(|one| (one.user.id, one.membership.marks))
            .collect();
        assert_eq!(
            (marks[&alice.id()], marks[&bob.id()]),
            (moved(2, 2), moved(3, 3)),
            "everybody sees the same"
        );
    }
}

/// The same number alone and in the list.
pub async fn unread_counts_from_joining_and_ends_with_leaving(desk: Desk) {
    let [alice, bob, carol] = desk.people(["alice", "bob", "carol"]).await;
    let chat = desk.group([&alice, &bob]).await;
    desk.send_many(&alice, chat, 3).await;
    desk.add(&alice, chat, [&carol]).await;
    desk.send_many(&alice, chat, 2).await;
    for (who, expected) in [(&alice, 0), (&bob, 5), (&carol, 2)] {
        assert_eq!(desk.view(who, chat).await.unread, expected, "{}", who.user.username);
        assert_eq!(desk.list(who).await[0].unread, expected);
    }
    desk.send(&carol, chat, "hi").await;
    assert_eq!((desk.view(&alice, chat).await.unread, desk.view(&carol, chat).await.unread), (1, 0));
    desk.leave(&bob, chat).await;
    assert_eq!(desk.view(&bob, chat).await.unread, 0);
}
