//! Marks: how far somebody has come, and what is unread.

use std::collections::HashMap;

use tidings_core::accounts::SettingsChange;
use tidings_core::conversations::{Error, Marks};
use tidings_core::events::EventBody;
use tidings_core::ids::{ConversationId, Seq, StreamId};
use tidings_core::limits::{RECEIPTS_AN_EVENT, RECEIPTS_PARTICIPANTS_MAX};
use tidings_core::ports::store::{AdvanceMarks, MarkRequest, UserChange};
use tidings_core::receipts::{Receipt, ReceiptKind, Standing};

use super::desk::only;
use super::{Desk, Person};

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

async fn mark(
    desk: &Desk,
    person: &Person,
    chat: ConversationId,
    read: Option<u64>,
    delivered: Option<u64>,
) -> Standing {
    let marks = desk.make.marks(&person.actor, chat, read.map(Seq), delivered.map(Seq));
    desk.store.advance_marks(marks).await.expect("a commit").remove(0).expect("it is taken")
}

async fn mark_unread(desk: &Desk, person: &Person, chat: ConversationId, seq: u64) -> Standing {
    desk.store.mark_unread(desk.make.unread_from(&person.actor, chat, Seq(seq))).await.expect("it is taken")
}

fn receipt(desk: &Desk, person: &Person, seq: u64) -> Receipt {
    Receipt { user: person.id(), seq: Seq(seq), at: desk.make.now() }
}

/// What was read was received, too.
pub async fn what_was_read_is_told_once_and_never_taken_back(desk: Desk) {
    let [alice, bob] = desk.people(["alice", "bob"]).await;
    let chat = desk.group([&alice, &bob]).await;
    desk.send_many(&alice, chat, 5).await;
    let (standing, events) = desk.publishes(mark(&desk, &bob, chat, Some(3), None)).await;
    let marks =
        Marks { read_seq: Seq(3), read_ord: 3, read_all: 0, public_read_seq: Seq(3), delivered_seq: Seq(3) };
    assert_eq!(standing, Standing { marks, unread: 2 });
    let event = only(&events);
    assert_eq!((event.stream, event.actor), (StreamId::Conversation(chat), bob.id()));
    assert_eq!(event.body, EventBody::MessagesRead(vec![receipt(&desk, &bob, 3)]));
    for seq in [3, 2, 0] {
        assert_eq!(desk.silently(mark(&desk, &bob, chat, Some(seq), Some(seq))).await, standing);
    }
    let view = desk.view(&bob, chat).await;
    assert_eq!((view.me.marks, view.unread, desk.list(&bob).await[0].unread), (marks, 2, 2));
    let seen = desk.participants(&alice, chat).await;
    let his = seen.iter().find(|one| one.user.id == bob.id()).unwrap();
    assert_eq!(his.membership.marks.public_read_seq, Seq(3));
    assert_eq!(desk.view(&alice, chat).await.unread, 0, "hers are her own");
}

/// The other receipt says it already.
pub async fn what_was_received_is_told_where_it_was_not_read(desk: Desk) {
    let [alice, bob] = desk.people(["alice", "bob"]).await;
    let chat = desk.group([&alice, &bob]).await;
    desk.send_many(&alice, chat, 5).await;
    let (standing, events) = desk.publishes(mark(&desk, &bob, chat, None, Some(2))).await;
    assert_eq!((standing.marks.delivered_seq, standing.marks.read_seq, standing.unread), (Seq(2), Seq(0), 5));
    assert_eq!(only(&events).body, EventBody::MessagesDelivered(vec![receipt(&desk, &bob, 2)]));
    let (_, events) = desk.publishes(mark(&desk, &bob, chat, Some(4), Some(4))).await;
    assert_eq!(only(&events).body, EventBody::MessagesRead(vec![receipt(&desk, &bob, 4)]));
    let (_, events) = desk.publishes(mark(&desk, &alice, chat, Some(5), Some(5))).await;
    assert_eq!(events, [], "who has sent it has read it");
    let (_, events) = desk.publishes(mark(&desk, &bob, chat, Some(4), Some(5))).await;
    assert_eq!(only(&events).body, EventBody::MessagesDelivered(vec![receipt(&desk, &bob, 5)]));
}

/// In one commit, up to eight in an event.
pub async fn many_receipts_are_told_together(desk: Desk) {
    let alice = desk.person("alice").await;
    let chat = desk.group([&alice]).await;
    let mut people = Vec::new();
    for n in 0..=RECEIPTS_AN_EVENT {
        let person = desk.person(&format!("guest{n}")).await;
        desk.add(&alice, chat, [&person]).await;
        people.push(person);
    }
    desk.send_many(&alice, chat, 2).await;
    let request = |person: &Person| MarkRequest { actor: person.actor, read: Some(Seq(2)), delivered: None };
    let marks = people.iter().map(request).collect();
    let advance = AdvanceMarks { conversation: chat, marks, now: desk.make.now() };
    let (answers, events) = desk.publishes(desk.store.advance_marks(advance)).await;
    assert!(answers.unwrap().iter().all(|answer| answer.as_ref().is_ok_and(|standing| standing.unread == 0)));
    let told: Vec<usize> = events
        .iter()
        .map(|event| match &event.body {
            EventBody::MessagesRead(receipts) => receipts.len(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(told, [RECEIPTS_AN_EVENT, 1]);
}

/// Strangers, those who left, ended sessions, and messages to come.
pub async fn one_refused_receipt_stops_nobody_else(desk: Desk) {
    let [alice, bob, carol, eve] = desk.people(["alice", "bob", "carol", "eve"]).await;
    let chat = desk.group([&alice, &bob, &carol]).await;
    desk.send(&alice, chat, "hi").await;
    desk.leave(&carol, chat).await;
    let stolen = desk.log_in(&bob.user).await;
    desk.log_out(&stolen).await;
    let request =
        |person: &Person, seq| MarkRequest { actor: person.actor, read: Some(Seq(seq)), delivered: None };
    let marks =
        vec![request(&eve, 1), request(&carol, 1), request(&stolen, 1), request(&alice, 9), request(&bob, 1)];
    let advance = AdvanceMarks { conversation: chat, marks, now: desk.make.now() };
    let (answers, events) = desk.publishes(desk.store.advance_marks(advance)).await;
    let answers = answers.unwrap();
    assert!(matches!(
        &answers[..],
        [
            Err(Error::NotFound),
            Err(Error::NotParticipant),
            Err(Error::SessionEnded),
            Err(Error::Invalid(_)),
            Ok(Standing { unread: 0, .. })
        ]
    ));
    assert_eq!(only(&events).body, EventBody::MessagesRead(vec![receipt(&desk, &bob, 1)]));
}

/// Others go on seeing how far one had read; reading on from there tells them nothing that they know.
pub async fn marking_unread_goes_back_for_oneself_alone(desk: Desk) {
    let [alice, bob] = desk.people(["alice", "bob"]).await;
    let chat = desk.group([&alice, &bob]).await;
    desk.send_many(&alice, chat, 5).await;
    mark(&desk, &bob, chat, Some(4), None).await;
    let (standing, events) = desk.publishes(mark_unread(&desk, &bob, chat, 2)).await;
    assert_eq!(
        (standing.marks.read_seq, standing.marks.public_read_seq, standing.unread),
        (Seq(1), Seq(4), 4)
    );
    let event = only(&events);
    assert_eq!((event.stream, event.actor), (StreamId::User(bob.id()), bob.id()));
    assert!(matches!(event.body, EventBody::OwnMarks { conversation, kind: ReceiptKind::Read, marks, .. }
            if conversation == chat && marks == standing.marks));
    assert_eq!(desk.silently(mark_unread(&desk, &bob, chat, 3)).await, standing, "it is unread already");
    assert_eq!(desk.view(&bob, chat).await.unread, 4);
    let (_, events) = desk.publishes(mark(&desk, &bob, chat, Some(3), None)).await;
    assert!(matches!(only(&events).body, EventBody::OwnMarks { .. }), "nobody else's news");
    let (standing, events) = desk.publishes(mark(&desk, &bob, chat, Some(5), None)).await;
    assert_eq!(only(&events).body, EventBody::MessagesRead(vec![receipt(&desk, &bob, 5)]));
    assert_eq!(standing.unread, 0);
    mark_unread(&desk, &bob, chat, 1).await;
    desk.send(&bob, chat, "I have read it all").await;
    assert_eq!(desk.view(&bob, chat).await.unread, 0, "who answers has read");
    for seq in [0, 7] {
        let refused = desk.store.mark_unread(desk.make.unread_from(&bob.actor, chat, Seq(seq))).await;
        assert!(matches!(refused, Err(Error::Invalid(_))), "{refused:?}");
    }
}

/// Or a message to thousands would come back to them from each of them.
pub async fn in_a_large_group_receipts_are_the_readers_own(desk: Desk) {
    let [alice, bob] = desk.people(["alice", "bob"]).await;
    let chat = desk.group([&alice, &bob]).await;
    for n in 2..=RECEIPTS_PARTICIPANTS_MAX {
        let person = desk.person(&format!("guest{n}")).await;
        desk.add(&alice, chat, [&person]).await;
    }
    desk.send_many(&alice, chat, 2).await;
    let (standing, events) = desk.publishes(mark(&desk, &bob, chat, Some(1), None)).await;
    assert_eq!(only(&events).stream, StreamId::User(bob.id()));
    assert_eq!((standing.marks.read_seq, standing.unread), (Seq(1), 1));
    let (_, events) = desk.publishes(mark(&desk, &bob, chat, None, Some(2))).await;
    assert!(matches!(only(&events).body, EventBody::OwnMarks { kind: ReceiptKind::Delivered, .. }));
}

/// Their own devices are told; others see nothing of it, and nothing of what is received.
pub async fn one_who_shows_no_receipts_reads_for_themselves(desk: Desk) {
    let [alice, bob] = desk.people(["alice", "bob"]).await;
    let chat = desk.group([&alice, &bob]).await;
    desk.send_many(&alice, chat, 3).await;
    let hide = UserChange { settings: shows_receipts(false), ..UserChange::default() };
    desk.store.update_user(desk.make.update(&bob.actor, hide)).await.unwrap();
    let (standing, events) = desk.publishes(mark(&desk, &bob, chat, Some(2), Some(3))).await;
    assert_eq!(standing.unread, 1);
    let hidden = Marks { read_seq: Seq(2), read_ord: 2, ..Marks::default() };
    assert_eq!(standing.marks, hidden);
    assert!(matches!(only(&events).body, EventBody::OwnMarks { kind: ReceiptKind::Read, .. }));
    assert_eq!(only(&events).stream, StreamId::User(bob.id()));
    desk.silently(mark(&desk, &bob, chat, None, Some(3))).await;
    let show = UserChange { settings: shows_receipts(true), ..UserChange::default() };
    desk.store.update_user(desk.make.update(&bob.actor, show)).await.unwrap();
    let (_, events) = desk.publishes(mark(&desk, &bob, chat, Some(3), None)).await;
    assert_eq!(only(&events).body, EventBody::MessagesRead(vec![receipt(&desk, &bob, 3)]));
}

/// Those that were set, and those that sending has moved after them.
pub async fn marks_stand_after_a_restart(desk: Desk) {
    let [alice, bob] = desk.people(["alice", "bob"]).await;
    let chat = desk.group([&alice, &bob]).await;
    desk.send_many(&alice, chat, 5).await;
    let his = mark(&desk, &bob, chat, Some(3), Some(4)).await.marks;
    mark_unread(&desk, &alice, chat, 2).await;
    let hers = mark(&desk, &alice, chat, Some(2), None).await.marks;
    let desk = desk.reopen().await;
    assert_eq!(desk.view(&bob, chat).await.me.marks, his);
    assert_eq!(desk.view(&alice, chat).await.me.marks, hers);
    desk.send(&bob, chat, "back").await;
    let desk = desk.reopen().await;
    let marks = desk.view(&bob, chat).await.me.marks;
    assert_eq!((marks.read_seq, marks.public_read_seq, marks.delivered_seq), (Seq(6), Seq(6), Seq(6)));
    assert_eq!(desk.view(&alice, chat).await.unread, 4);
}

fn shows_receipts(shown: bool) -> SettingsChange {
    SettingsChange { read_receipts: Some(shown), ..SettingsChange::default() }
}
