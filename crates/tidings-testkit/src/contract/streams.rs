//! One stream as a user may see it: how a device fills a gap.

use tidings_core::ids::{ConversationId, Pos, StreamId};
use tidings_core::ports::store::{PageMax, ReadStreamError, StreamPage};

use super::desk::EVERYTHING;
use super::{Desk, Person};

async fn page(desk: &Desk, viewer: &Person, chat: ConversationId, after: u64, limit: usize) -> StreamPage {
    let stream = StreamId::Conversation(chat);
    desk.store
        .list_stream(viewer.id(), stream, Pos(after), PageMax::events(limit))
        .await
        .expect("one of its people")
}

/// `(pos, span)` of each.
fn steps(page: &StreamPage) -> Vec<(u64, u64)> {
    page.events.iter().map(|event| (event.pos.0, event.span)).collect()
}

/// Every event, each from the one before.
pub async fn a_member_reads_the_stream_page_by_page(desk: Desk) {
    let [alice, bob] = desk.people(["alice", "bob"]).await;
    let chat = desk.group([&alice]).await;
    desk.send(&alice, chat, "one").await;
    desk.add(&alice, chat, [&bob]).await;
    desk.send(&bob, chat, "two").await;
    desk.send(&bob, chat, "three").await;
    let whole = page(&desk, &alice, chat, 0, 10).await;
    assert_eq!(steps(&whole), [(1, 1), (2, 1), (3, 1), (4, 1), (5, 1)]);
    assert!(!whole.has_more);
    let stream = StreamId::Conversation(chat);
    assert_eq!(whole.events, desk.store.list_stream_range(stream, Pos(0), Pos(9)).await.unwrap());
    for after in 0..=6 {
        for limit in 1..=6 {
            let part = page(&desk, &alice, chat, after, limit).await;
            let rest = whole.events.get(usize::try_from(after).unwrap()..).unwrap_or_default();
            assert_eq!(part.events, rest[..limit.min(rest.len())], "{limit} after {after}");
            assert_eq!(part.has_more, rest.len() > limit, "{limit} after {after}");
        }
    }
}

/// From what the device has to the joining, and from one interval to the next.
pub async fn spans_reach_over_what_is_not_theirs(desk: Desk) {
    let [alice, bob] = desk.people(["alice", "bob"]).await;
    let chat = desk.group([&alice]).await;
    desk.send_many(&alice, chat, 2).await; // 2, 3
    desk.add(&alice, chat, [&bob]).await; // 4
    desk.send(&alice, chat, "for bob").await; // 5
    desk.leave(&bob, chat).await; // 6
    desk.send_many(&alice, chat, 3).await; // 7, 8, 9
    desk.add(&alice, chat, [&bob]).await; // 10
    desk.send(&alice, chat, "for bob").await; // 11
    let whole = page(&desk, &bob, chat, 0, 100).await;
    assert_eq!(steps(&whole), [(4, 4), (5, 1), (6, 1), (10, 4), (11, 1)]);
    assert_eq!(steps(&page(&desk, &bob, chat, 5, 100).await), [(6, 1), (10, 4), (11, 1)]);
    assert_eq!(steps(&page(&desk, &bob, chat, 7, 100).await), [(10, 3), (11, 1)]);
    for limit in 1..=5 {
        let (mut after, mut walked) = (0, Vec::new());
        loop {
            let page = page(&desk, &bob, chat, after, limit).await;
            walked.extend(steps(&page));
            after = walked.last().expect("a page is not empty").0;
            if !page.has_more {
                break;
            }
        }
        assert_eq!(walked, steps(&whole), "pages of {limit}");
    }
}

/// One is given whatever its size, and what is left out is said to be there.
pub async fn a_page_is_bounded_in_bytes(desk: Desk) {
    let [alice] = desk.people(["alice"]).await;
    let chat = desk.group([&alice]).await;
    for n in 0..6 {
        desk.send(&alice, chat, &"x".repeat(1_000 * n)).await;
    }
    let stream = StreamId::Conversation(chat);
    for bytes in [1, 3_500, 6_000, 100_000] {
        let mut walked = Vec::new();
        loop {
            let after = walked.last().map_or(Pos(1), |event: &tidings_core::events::Event| event.pos);
            let page = desk
                .store
                .list_stream(alice.id(), stream, after, PageMax { bytes, ..EVERYTHING })
                .await
                .unwrap();
            let held: usize = page.events.iter().map(tidings_core::events::Event::bytes).sum();
            assert!(held <= bytes || page.events.len() == 1, "{held} of {bytes}");
            walked.extend(page.events);
            if !page.has_more {
                break;
            }
        }
        let whole = page(&desk, &alice, chat, 1, 100).await;
        assert_eq!(walked, whole.events, "pages of {bytes} bytes");
    }
}

/// The leaving itself is the last.
pub async fn one_who_left_reads_up_to_leaving(desk: Desk) {
    let [alice, bob] = desk.people(["alice", "bob"]).await;
    let chat = desk.group([&alice, &bob]).await;
    desk.send(&alice, chat, "for bob").await;
    desk.leave(&bob, chat).await;
    desk.send_many(&alice, chat, 2).await;
    let whole = page(&desk, &bob, chat, 0, 100).await;
    assert_eq!((steps(&whole), whole.has_more), (vec![(1, 1), (2, 1), (3, 1)], false));
    let exact = page(&desk, &bob, chat, 0, 3).await;
    assert_eq!((exact.events.len(), exact.has_more), (3, false));
    assert_eq!(steps(&page(&desk, &bob, chat, 3, 100).await), []);
}

/// Others, and strangers of a conversation, do not find it.
pub async fn own_streams_are_for_oneself(desk: Desk) {
    let [alice, eve] = desk.people(["alice", "eve"]).await;
    let chat = desk.group([&alice]).await;
    desk.log_out(&alice).await;
    let own =
        desk.store.list_stream(alice.id(), StreamId::User(alice.id()), Pos(0), EVERYTHING).await.unwrap();
    assert_eq!(steps(&own), [(1, 1), (2, 1)], "the account and the end of the session");
    let nowhere = StreamId::Conversation(ConversationId(alice.id().0));
    for stream in [StreamId::User(alice.id()), StreamId::Conversation(chat), nowhere] {
        let refused = desk.store.list_stream(eve.id(), stream, Pos(0), EVERYTHING).await;
        assert_eq!(refused, Err(ReadStreamError::NotFound), "{stream}");
    }
}
