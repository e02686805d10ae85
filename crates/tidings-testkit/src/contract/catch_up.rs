//! Catch-up: everything in the user's streams between two places in the log, and nothing else.

use tidings_core::events::{Event, EventBody};
use tidings_core::ids::{ConversationId, LogId, Pos, Seq, StreamId};
use tidings_core::ports::store::{CatchUp, CatchUpPage, PageMax, SkippedStream};

use super::desk::{ALL, EVERYTHING};
use super::{Desk, Person};

pub(super) fn ask(user: &Person, from: LogId) -> CatchUp {
    CatchUp {
        user: user.id(),
        from,
        through: None,
        done_through: from,
        page_max: EVERYTHING,
        stream_events_max: ALL,
        streams_max: ALL,
    }
}

async fn replay(desk: &Desk, ask: CatchUp) -> CatchUpPage {
    desk.store.catch_up(ask).await.unwrap().expect("not too much changed")
}

/// `(pos, span)` of the events of one conversation.
fn steps(events: &[Event], chat: ConversationId) -> Vec<(u64, u64)> {
    let here = events.iter().filter(|event| event.stream == StreamId::Conversation(chat));
    here.map(|event| (event.pos.0, event.span)).collect()
}

fn logs(events: &[Event]) -> Vec<u64> {
    events.iter().map(|event| event.log_id.0).collect()
}

/// Also not when others were busy.
pub async fn nothing_happened(desk: Desk) {
    let [alice, bob] = desk.people(["alice", "bob"]).await;
    let chat = desk.group([&alice]).await;
    let end = desk.end().await;
    desk.group([&bob]).await;
    for from in [end, desk.end().await] {
        let page = replay(&desk, ask(&alice, from)).await;
        let through = desk.end().await;
        let expected =
            CatchUpPage { events: vec![], done_through: through, has_more: false, skipped: vec![], through };
        assert_eq!(page, expected);
    }
    desk.send(&alice, chat, "now").await;
    assert_eq!(replay(&desk, ask(&alice, end)).await.events.len(), 1);
}

/// Two busy conversations and the own stream, in log order, each event once, whatever the page.
pub async fn pages_continue_exactly(desk: Desk) {
    let [alice, bob] = desk.people(["alice", "bob"]).await;
    let [one, other] = [desk.group([&alice, &bob]).await, desk.group([&alice, &bob]).await];
    for n in 0..6 {
        desk.send(&alice, if n % 2 == 0 { one } else { other }, "more").await;
    }
    let whole = replay(&desk, ask(&bob, LogId(0))).await;
    assert!(!whole.has_more);
    assert_eq!(whole.events.len(), 9, "the account, two conversations, six messages");
    let log = desk.store.list_log(LogId(0), ALL).await.unwrap();
    let due: Vec<Event> =
        log.into_iter().filter(|event| event.stream != StreamId::User(alice.id())).collect();
    assert_eq!(whole.events, due, "hydrated, in log order");
    for page_max in 1..=10 {
        let mut walked = Vec::new();
        let mut next = CatchUp { page_max: PageMax::events(page_max), ..ask(&bob, LogId(0)) };
        loop {
            let page = replay(&desk, next).await;
            assert!(page.events.len() <= page_max);
            assert_eq!(page.through, whole.through);
            walked.extend(page.events);
            next = CatchUp { through: Some(page.through), done_through: page.done_through, ..next };
            if !page.has_more {
                assert_eq!(page.done_through, page.through);
                break;
            }
        }
        assert_eq!(walked, whole.events, "pages of {page_max}");
    }
}

/// Also when bytes end a page; one that is larger than that is given by itself.
pub async fn pages_are_bounded_in_bytes(desk: Desk) {
    let [alice, bob] = desk.people(["alice", "bob"]).await;
    let chat = desk.group([&alice, &bob]).await;
    let from = desk.end().await;
    for n in 0..6 {
        desk.send(&alice, chat, &"x".repeat(1_000 * n)).await;
    }
    let whole = replay(&desk, ask(&bob, from)).await.events;
    for bytes in [1, 3_500, 6_000, 100_000] {
        let mut walked = Vec::new();
        let mut next = CatchUp { page_max: PageMax { bytes, ..EVERYTHING }, ..ask(&bob, from) };
        loop {
            let page = replay(&desk, next).await;
            let held: usize = page.events.iter().map(Event::bytes).sum();
            assert!(held <= bytes || page.events.len() == 1, "{held} of {bytes}");
            walked.extend(page.events);
            next = CatchUp { through: Some(page.through), done_through: page.done_through, ..next };
            if !page.has_more {
                break;
            }
        }
        assert_eq!(walked, whole, "pages of {bytes} bytes");
    }
}

/// Messages, joinings and leavings that come between two pages come live.
pub async fn a_fixed_end_is_kept_while_others_write(desk: Desk) {
    let [alice, bob, carol] = desk.people(["alice", "bob", "carol"]).await;
    let chat = desk.group([&alice, &bob]).await;
    let from = desk.end().await;
    desk.send_many(&alice, chat, 4).await;
    let first = replay(&desk, CatchUp { page_max: PageMax::events(2), ..ask(&bob, from) }).await;
    assert!(first.has_more);
    desk.send(&alice, chat, "later").await;
    desk.add(&alice, chat, [&carol]).await;
    desk.group([&alice, &bob]).await;
    desk.remove(&alice, chat, &bob).await;
    let second =
        CatchUp { through: Some(first.through), done_through: first.done_through, ..ask(&bob, from) };
    let second = replay(&desk, second).await;
    assert!(!second.has_more);
    assert_eq!(steps(&first.events, chat), [(2, 1), (3, 1)]);
    assert_eq!(steps(&second.events, chat), [(4, 1), (5, 1)]);
    assert_eq!(second.events.len(), 2);
    assert_eq!((second.done_through, second.through), (first.through, first.through));
    let rest = replay(&desk, ask(&bob, first.through)).await;
    assert_eq!(rest.events.len(), 4, "later, carol, the new group, bob's removal");
}

/// At every token there is, as far as at every end there is.
pub async fn only_what_is_after_the_token(desk: Desk) {
    let [alice, bob] = desk.people(["alice", "bob"]).await;
    let chat = desk.group([&alice, &bob]).await;
    let other = desk.group([&bob]).await;
    desk.send_many(&alice, chat, 2).await;
    desk.send(&bob, other, "mine").await;
    desk.send(&bob, chat, "ours").await;
    let whole = replay(&desk, ask(&bob, LogId(0))).await;
    let end = whole.through.0;
    for from in 0..=end {
        for through in from..=end {
            let page =
                replay(&desk, CatchUp { through: Some(LogId(through)), ..ask(&bob, LogId(from)) }).await;
            let due: Vec<u64> =
                logs(&whole.events).into_iter().filter(|log| from < *log && *log <= through).collect();
            assert_eq!(logs(&page.events), due, "({from}, {through}]");
            assert_eq!(page.through, LogId(through));
        }
    }
}

/// The joining is the first.
pub async fn a_newcomer_gets_nothing_from_before(desk: Desk) {
    let [alice, bob] = desk.people(["alice", "bob"]).await;
    let chat = desk.group([&alice]).await;
    let from = desk.end().await;
    desk.send_many(&alice, chat, 3).await;
    desk.add(&alice, chat, [&bob]).await;
    desk.send(&alice, chat, "welcome").await;
    let page = replay(&desk, ask(&bob, from)).await;
    let positions: Vec<u64> = steps(&page.events, chat).iter().map(|step| step.0).collect();
    assert_eq!(positions, [5, 6]);
    assert!(matches!(page.events[0].body, EventBody::ParticipantJoined(_)));
}

/// Nothing after it, also when the token is younger than the leaving.
pub async fn one_who_left_gets_their_leaving_last(desk: Desk) {
    let [alice, bob] = desk.people(["alice", "bob"]).await;
    let chat = desk.group([&alice, &bob]).await;
    let from = desk.end().await;
    desk.send(&alice, chat, "for bob").await;
    desk.remove(&alice, chat, &bob).await;
    let gone = desk.end().await;
    desk.send_many(&alice, chat, 3).await;
    let page = replay(&desk, ask(&bob, from)).await;
    assert_eq!(steps(&page.events, chat), [(2, 1), (3, 1)]);
    assert!(matches!(page.events[1].body, EventBody::ParticipantLeft { .. }));
    assert_eq!(replay(&desk, ask(&bob, gone)).await.events, []);
}

/// And a span that takes the device from the leaving to the coming back.
pub async fn one_who_came_back_gets_both_intervals(desk: Desk) {
    let [alice, bob] = desk.people(["alice", "bob"]).await;
    let chat = desk.group([&alice, &bob]).await; // 1
    let from = desk.end().await;
    desk.send(&alice, chat, "for bob").await; // 2
    desk.leave(&bob, chat).await; // 3
    let left = desk.end().await;
    desk.send_many(&alice, chat, 2).await; // 4, 5
    desk.add(&alice, chat, [&bob]).await; // 6
    desk.send(&alice, chat, "for bob").await; // 7
    let page = replay(&desk, ask(&bob, from)).await;
    assert_eq!(steps(&page.events, chat), [(2, 1), (3, 1), (6, 3), (7, 1)]);
    let page = replay(&desk, ask(&bob, left)).await;
    assert_eq!(steps(&page.events, chat), [(6, 3), (7, 1)]);
}

/// It is named with its end, in every page, and the others are replayed. Exactly the limit is not too long.
pub async fn a_long_stream_is_skipped(desk: Desk) {
    let [alice, bob] = desk.people(["alice", "bob"]).await;
    let [long, short] = [desk.group([&alice, &bob]).await, desk.group([&alice, &bob]).await];
    let from = desk.end().await;
    desk.send_many(&alice, long, 6).await;
    desk.send_many(&alice, short, 5).await;
    let limited = CatchUp { stream_events_max: 5, page_max: PageMax::events(3), ..ask(&bob, from) };
    let first = replay(&desk, limited).await;
    let skipped = SkippedStream { stream: StreamId::Conversation(long), pos: Pos(7), last_seq: Seq(6) };
    assert_eq!(first.skipped, [skipped]);
    assert_eq!(steps(&first.events, short), [(2, 1), (3, 1), (4, 1)]);
    desk.send(&alice, short, "one more, after the end").await;
    let second = CatchUp { through: Some(first.through), done_through: first.done_through, ..limited };
    let second = replay(&desk, second).await;
    assert_eq!((second.skipped, second.has_more), (first.skipped, false));
    assert_eq!(steps(&second.events, short), [(5, 1), (6, 1)]);
    desk.leave(&bob, long).await;
    desk.send(&alice, long, "not for bob").await;
    let left = replay(&desk, limited).await;
    let skipped = SkippedStream { pos: Pos(8), ..skipped };
    assert!(left.skipped.contains(&skipped), "up to bob's leaving: {:?}", left.skipped);
}

/// Exactly the limit does not.
pub async fn too_many_streams_start_over(desk: Desk) {
    let [alice, bob] = desk.people(["alice", "bob"]).await;
    let mut chats = Vec::new();
    for _ in 0..4 {
        chats.push(desk.group([&alice, &bob]).await);
    }
    let from = desk.end().await;
    for chat in &chats[..3] {
        desk.send(&alice, *chat, "hi").await;
    }
    let limited = |streams_max| CatchUp { streams_max, ..ask(&bob, from) };
    assert_eq!(desk.store.catch_up(limited(2)).await.unwrap(), None);
    let page = replay(&desk, limited(3)).await;
    assert_eq!(page.events.len(), 3);
    desk.send(&alice, chats[3], "after the end").await;
    let again = CatchUp { through: Some(page.through), ..limited(3) };
    assert_eq!(replay(&desk, again).await, page, "what changed after the end does not count");
    assert_eq!(desk.store.catch_up(limited(3)).await.unwrap(), None);
}

/// And nobody else's.
pub async fn the_own_stream_is_part_of_it(desk: Desk) {
    let [alice, bob] = desk.people(["alice", "bob"]).await;
    let from = desk.end().await;
    desk.log_out(&alice).await;
    desk.log_out(&bob).await;
    let page = replay(&desk, ask(&alice, from)).await;
    let [event] = &page.events[..] else { panic!("one event: {:?}", page.events) };
    assert_eq!((event.stream, event.pos), (StreamId::User(alice.id()), Pos(2)));
    assert!(matches!(event.body, EventBody::SessionEnded { session, .. } if session == alice.session.id));
}
