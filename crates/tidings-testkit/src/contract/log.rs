//! The log: dense, in one order, and the same as what was published.

use tidings_core::events::Event;
use tidings_core::ids::{LogId, Pos, StreamId};
use tidings_core::ports::store::Interval;

use super::Desk;
use super::desk::ALL;

/// What references to rows must agree on, however late they are read.
fn place(event: &Event) -> (LogId, StreamId, Pos, u64, i64) {
    (event.log_id, event.stream, event.pos, event.span, event.at.0)
}

/// Read in pages of any size, it is what was published, in the same order.
pub async fn the_log_is_dense_and_holds_what_was_published(desk: Desk) {
    let [alice, bob] = desk.people(["alice", "bob"]).await;
    let chat = desk.group([&alice]).await;
    desk.send_many(&alice, chat, 3).await;
    desk.add(&alice, chat, [&bob]).await;
    desk.leave(&bob, chat).await;
    desk.log_out(&bob).await;
    let published = desk.log.all();
    let log: Vec<u64> = published.iter().map(|event| event.log_id.0).collect();
    assert_eq!(log, (1..=published.len() as u64).collect::<Vec<_>>(), "dense from 1");
    assert_eq!(desk.store.log_bounds().await.unwrap(), (LogId(log.len() as u64), LogId(0)));
    let whole = desk.store.list_log(LogId(0), ALL).await.unwrap();
    let places = |events: &[Event]| events.iter().map(place).collect::<Vec<_>>();
    assert_eq!(places(&whole), places(&published));
    for limit in 1..4 {
        let mut walked = Vec::new();
        loop {
            let after = walked.last().map_or(LogId(0), |event: &Event| event.log_id);
            let page = desk.store.list_log(after, limit).await.unwrap();
            assert!(page.len() <= limit);
            if page.is_empty() {
                break;
            }
            walked.extend(page);
        }
        assert_eq!(walked, whole);
    }
}

/// Neither in the log nor in the numbers of the next one.
pub async fn a_refusal_leaves_no_trace(desk: Desk) {
    let [alice, eve] = desk.people(["alice", "eve"]).await;
    let chat = desk.group([&alice]).await;
    let end = desk.end().await;
    desk.silently(async {
        desk.try_send(&eve, chat, "no").await.unwrap_err();
        desk.try_add(&eve, chat, [&eve]).await.unwrap_err();
        desk.try_remove(&alice, chat, &alice).await.unwrap_err();
        desk.store.insert_user(&desk.make.user("alice"), &desk.make.password()).await.unwrap_err();
    })
    .await;
    assert_eq!(desk.end().await, end);
    let ((), events) = desk.publishes(desk.send_many(&alice, chat, 1)).await;
    assert_eq!((events[0].log_id, events[0].pos), (end.next(), Pos(2)));
}

/// `after < pos ≤ through`, whoever may see it.
pub async fn a_range_of_a_stream_is_exact(desk: Desk) {
    let [alice, bob] = desk.people(["alice", "bob"]).await;
    let chat = desk.group([&alice]).await;
    desk.send_many(&alice, chat, 2).await;
    desk.add(&alice, chat, [&bob]).await;
    desk.send_many(&bob, chat, 2).await;
    desk.leave(&bob, chat).await;
    let stream = StreamId::Conversation(chat);
    let whole: Vec<_> = desk
        .store
        .list_log(LogId(0), ALL)
        .await
        .unwrap()
        .into_iter()
        .filter(|event| event.stream == stream)
        .collect();
    assert_eq!(whole.len(), 7);
    for after in 0..=8 {
        for through in 0..=8 {
            let range = desk.store.list_stream_range(stream, Pos(after), Pos(through)).await.unwrap();
            let expected: Vec<_> =
                whole.iter().filter(|event| after < event.pos.0 && event.pos.0 <= through).cloned().collect();
            assert_eq!(range, expected, "({after}, {through}]");
        }
    }
    let own = desk.store.list_stream_range(StreamId::User(bob.id()), Pos(0), Pos(9)).await.unwrap();
    assert_eq!(own.len(), 1);
    let nobody = StreamId::User(desk.make.user("nobody").id);
    assert_eq!(desk.store.list_stream_range(nobody, Pos(0), Pos(9)).await.unwrap(), []);
}

/// The intervals that were open after that place in the log, each with its ends.
pub async fn rosters_hold_every_interval_that_had_not_ended(desk: Desk) {
    let [alice, bob] = desk.people(["alice", "bob"]).await;
    let chat = desk.group([&alice, &bob]).await;
    let other = desk.group([&bob]).await;
    desk.leave(&bob, chat).await;
    let gone = desk.end().await;
    desk.send(&alice, chat, "hi").await;
    desk.add(&alice, chat, [&bob]).await;
    let interval = |user, from, to| Interval { user, from_pos: Pos(from), to_pos: to };
    let sorted = |mut roster: Vec<Interval>| {
        roster.sort_by_key(|one| (one.from_pos, one.user));
        roster
    };
    let rosters = desk.store.load_rosters(&[chat, other, chat], gone.previous()).await.unwrap();
    let full =
        vec![interval(alice.id(), 1, None), interval(bob.id(), 1, Some(Pos(2))), interval(bob.id(), 4, None)];
    assert_eq!(rosters.len(), 3, "one each, in the order asked for");
    assert_eq!(sorted(rosters[0].clone()), sorted(full));
    assert_eq!(rosters[1], [interval(bob.id(), 1, None)]);
    assert_eq!(rosters[2], rosters[0]);
    let rosters = desk.store.load_rosters(&[chat], gone).await.unwrap();
    assert_eq!(sorted(rosters[0].clone()), [interval(alice.id(), 1, None), interval(bob.id(), 4, None)]);
    let nowhere = tidings_core::ids::ConversationId(alice.id().0);
    assert_eq!(desk.store.load_rosters(&[nowhere], LogId(0)).await.unwrap(), [vec![]]);
    assert!(desk.store.load_rosters(&[], LogId(0)).await.unwrap().is_empty());
}
