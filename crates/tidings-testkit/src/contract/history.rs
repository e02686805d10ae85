//! History: pages of what the viewer may read, and whether there is more on either side.

use tidings_core::ids::{ConversationId, Pos, Seq};
use tidings_core::messages::{Error, HistoryAnchor, HistoryPage};

use super::{Desk, Person};

async fn chat_of(desk: &Desk, messages: usize) -> (Person, ConversationId) {
    let alice = desk.person("alice").await;
    let chat = desk.group([&alice]).await;
    desk.send_many(&alice, chat, messages).await;
    (alice, chat)
}

fn seqs(page: &HistoryPage) -> Vec<u64> {
    page.messages.iter().map(|message| message.id.seq.0).collect()
}

/// Each message once, oldest first within a page.
pub async fn the_latest_page_and_back_to_the_beginning(desk: Desk) {
    let (alice, chat) = chat_of(&desk, 10).await;
    let mut page = desk.history(&alice, chat, HistoryAnchor::Latest, 4).await;
    let mut pages = vec![seqs(&page)];
    assert!(!page.has_more_after);
    assert_eq!(page.pos, Pos(11));
    while page.has_more_before {
        page = desk.history(&alice, chat, HistoryAnchor::Before(page.messages[0].id.seq), 4).await;
        assert!(page.has_more_after);
        pages.push(seqs(&page));
    }
    assert_eq!(pages, [vec![7, 8, 9, 10], vec![3, 4, 5, 6], vec![1, 2]]);
}

/// Also from before the first and after the last.
pub async fn forward_from_any_place_to_the_end(desk: Desk) {
    let (alice, chat) = chat_of(&desk, 7).await;
    let mut after = Seq(0);
    let mut pages = Vec::new();
    loop {
        let page = desk.history(&alice, chat, HistoryAnchor::After(after), 3).await;
        assert_eq!(page.has_more_before, after > Seq(0));
        pages.push(seqs(&page));
        if !page.has_more_after {
            break;
        }
        after = page.messages.last().expect("a page with more after it").id.seq;
    }
    assert_eq!(pages, [vec![1, 2, 3], vec![4, 5, 6], vec![7]]);
    let beyond = desk.history(&alice, chat, HistoryAnchor::After(Seq(7)), 3).await;
    assert_eq!((seqs(&beyond), beyond.has_more_before, beyond.has_more_after), (vec![], true, false));
}

/// It is on the page, with half a page on either side.
pub async fn around_a_message(desk: Desk) {
    let (alice, chat) = chat_of(&desk, 20).await;
    let page = desk.history(&alice, chat, HistoryAnchor::Around(Seq(10)), 5).await;
    assert_eq!(seqs(&page), [8, 9, 10, 11, 12]);
    let first = desk.history(&alice, chat, HistoryAnchor::Around(Seq(1)), 5).await;
    assert_eq!(
        (first.messages[0].id.seq, first.has_more_before, first.has_more_after),
        (Seq(1), false, true)
    );
    let last = desk.history(&alice, chat, HistoryAnchor::Around(Seq(20)), 5).await;
    assert_eq!(last.messages.last().expect("it").id.seq, Seq(20));
    assert!(last.has_more_before && !last.has_more_after);
}

/// At every anchor and page size of a history with a gap, against the plain list of what may be read.
pub async fn every_page_says_exactly_whether_there_is_more(desk: Desk) {
    let [alice, bob] = desk.people(["alice", "bob"]).await;
    let chat = desk.group([&alice, &bob]).await;
    desk.send_many(&alice, chat, 3).await;
    desk.remove(&alice, chat, &bob).await;
    desk.send_many(&alice, chat, 2).await;
    desk.add(&alice, chat, [&bob]).await;
    desk.send_many(&alice, chat, 3).await;
    let readable = [1, 2, 3, 6, 7, 8];
    for seq in (0..=10).chain([u64::MAX]).map(Seq) {
        for limit in 1..=7 {
            for anchor in [HistoryAnchor::Before(seq), HistoryAnchor::After(seq), HistoryAnchor::Around(seq)]
            {
                let page = desk.history(&bob, chat, anchor, limit).await;
                assert_exact(&page, &readable, anchor, limit);
            }
        }
    }
}

fn assert_exact(page: &HistoryPage, readable: &[u64], anchor: HistoryAnchor, limit: usize) {
    // The number of readable messages below and from the cut on; `Around` is both, the two others one of them.
    let (cut, wanted_below, wanted_above) = match anchor {
        HistoryAnchor::Latest => (u64::MAX, limit, 0),
        HistoryAnchor::Before(seq) => (seq.0, limit, 0),
        HistoryAnchor::After(seq) => (seq.0.saturating_add(1), 0, limit),
        HistoryAnchor::Around(seq) => (seq.0, limit / 2, limit - limit / 2),
    };
    let (below, above): (Vec<u64>, Vec<u64>) = readable.iter().partition(|seq| **seq < cut);
    let (skipped, taken) = (below.len().saturating_sub(wanted_below), wanted_above.min(above.len()));
    let expected: Vec<u64> = below[skipped..].iter().chain(&above[..taken]).copied().collect();
    let context = format!("{anchor:?}, {limit} of {readable:?}");
    assert_eq!(seqs(page), expected, "{context}");
    assert_eq!(page.has_more_before, skipped > 0, "before {context}");
    assert_eq!(page.has_more_after, taken < above.len(), "after {context}");
}

/// Nothing of before, not by any anchor.
pub async fn a_newcomer_reads_from_joining_on(desk: Desk) {
    let (alice, chat) = chat_of(&desk, 3).await;
    let bob = desk.person("bob").await;
    desk.add(&alice, chat, [&bob]).await;
    let empty = desk.history(&bob, chat, HistoryAnchor::Latest, 10).await;
    assert_eq!((seqs(&empty), empty.has_more_before, empty.has_more_after), (vec![], false, false));
    desk.send_many(&alice, chat, 2).await;
    for anchor in [HistoryAnchor::Latest, HistoryAnchor::After(Seq(0)), HistoryAnchor::Before(Seq(100))] {
        let page = desk.history(&bob, chat, anchor, 10).await;
        assert_eq!((seqs(&page), page.has_more_before, page.has_more_after), (vec![4, 5], false, false));
    }
    let page = desk.history(&bob, chat, HistoryAnchor::Around(Seq(2)), 10).await;
    assert_eq!(seqs(&page), [4, 5]);
}

/// And the page's position is the leaving's.
pub async fn one_who_left_reads_up_to_leaving(desk: Desk) {
    let (alice, chat) = chat_of(&desk, 2).await;
    let bob = desk.person("bob").await;
    desk.add(&alice, chat, [&bob]).await;
    desk.send(&alice, chat, "for bob").await;
    desk.leave(&bob, chat).await;
    let left_at = desk.view(&bob, chat).await.me.to_pos.expect("left");
    desk.send_many(&alice, chat, 2).await;
    for anchor in [HistoryAnchor::Latest, HistoryAnchor::After(Seq(0)), HistoryAnchor::Around(Seq(5))] {
        let page = desk.history(&bob, chat, anchor, 10).await;
        assert_eq!((seqs(&page), page.pos), (vec![3], left_at), "{anchor:?}");
        assert!(!page.has_more_after);
    }
    let view = desk.view(&bob, chat).await;
    assert_eq!((view.pos, view.last_seq), (left_at, Seq(3)));
    assert_eq!(view.last_message.expect("the last one for bob").content, "for bob");
}

/// Without what came in between.
pub async fn one_who_came_back_reads_the_union(desk: Desk) {
    let [alice, bob] = desk.people(["alice", "bob"]).await;
    let chat = desk.group([&alice, &bob]).await;
    for _ in 0..3 {
        desk.send_many(&alice, chat, 2).await;
        desk.leave(&bob, chat).await;
        desk.send(&alice, chat, "not for bob").await;
        desk.add(&alice, chat, [&bob]).await;
    }
    assert_eq!(desk.seqs(&bob, chat).await, [1, 2, 4, 5, 7, 8]);
    let view = desk.view(&bob, chat).await;
    assert_eq!(view.last_message.expect("the last readable one").id.seq, Seq(8));
    assert_eq!(desk.seqs(&alice, chat).await, (1..=9).collect::<Vec<_>>());
}

/// Not that there is anything.
pub async fn a_stranger_reads_nothing(desk: Desk) {
    let (_, chat) = chat_of(&desk, 1).await;
    let eve = desk.person("eve").await;
    for id in [chat, ConversationId(eve.id().0)] {
        let refused = desk.store.list_messages(eve.id(), id, HistoryAnchor::Latest, 10).await;
        assert!(matches!(refused, Err(Error::NotFound)), "{refused:?}");
    }
}
