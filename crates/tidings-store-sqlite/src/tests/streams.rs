//! Catch-up and gap reads over joins, removals and comings back.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tidings_core::events::{Event, EventBody};
use tidings_core::ids::{LogId, Pos, Seq, StreamId};
use tidings_core::ports::store::PageMax;
use tidings_core::ports::store::{CatchUp, EventStore, ReadStreamError, SkippedStream};

use super::desk::Desk;

fn places(events: &[Event]) -> Vec<(u64, u64)> {
    events.iter().map(|event| (event.pos.0, event.span)).collect()
}

#[tokio::test]
async fn a_gap_read_spans_over_what_was_missed_between_two_intervals() {
    let desk = Desk::new();
    let [alice, bob, eve] = desk.people(["alice", "bob", "eve"]).await;
    let chat = desk.group(&alice, &[&bob]).await; // 1
    desk.send(&alice, chat, "seen").await; // 2
    desk.remove(&alice, chat, &bob).await; // 3
    desk.send(&alice, chat, "missed").await; // 4
    desk.send(&alice, chat, "missed").await; // 5
    desk.add(&alice, chat, &bob).await; // 6
    desk.send(&alice, chat, "seen again").await; // 7
    let stream = StreamId::Conversation(chat);
    let page = desk.store.list_stream(bob.user, stream, Pos(0), PageMax::events(100)).await.unwrap();
    assert_eq!(places(&page.events), [(1, 1), (2, 1), (3, 1), (6, 3), (7, 1)]);
    let page = desk.store.list_stream(bob.user, stream, Pos(4), PageMax::events(1)).await.unwrap();
    assert_eq!((places(&page.events), page.has_more), (vec![(6, 2)], true));
    let all = desk.store.list_stream(alice.user, stream, Pos(0), PageMax::events(100)).await.unwrap();
    assert_eq!(places(&all.events), (1..=7).map(|pos| (pos, 1)).collect::<Vec<_>>());
    let stranger = desk.store.list_stream(eve.user, stream, Pos(0), PageMax::events(100)).await;
    assert_eq!(stranger, Err(ReadStreamError::NotFound));
    let other =
        desk.store.list_stream(eve.user, StreamId::User(bob.user), Pos(0), PageMax::events(100)).await;
    assert_eq!(other, Err(ReadStreamError::NotFound));
    let own = desk
        .store
        .list_stream(eve.user, StreamId::User(eve.user), Pos(0), PageMax::events(100))
        .await
        .unwrap();
    assert_eq!(places(&own.events), [(1, 1)]);
    let range = desk.store.list_stream_range(stream, Pos(2), Pos(5)).await.unwrap();
    assert_eq!(range.iter().map(|event| event.pos.0).collect::<Vec<_>>(), [3, 4, 5]);
}

#[tokio::test]
async fn a_catch_up_replays_ones_own_intervals_in_log_order() {
    let desk = Desk::new();
    let [alice, bob] = desk.people(["alice", "bob"]).await;
    let chat = desk.group(&alice, &[&bob]).await;
    let other = desk.group(&bob, &[&alice]).await;
    let from = desk.store.log_bounds().await.unwrap().0;
    desk.send(&alice, chat, "2").await;
    desk.send(&alice, other, "2").await;
    desk.remove(&alice, chat, &bob).await; // 3
    desk.send(&alice, chat, "4").await;
    desk.add(&alice, chat, &bob).await; // 5
    desk.send(&alice, chat, "6").await;
    let page = desk.store.catch_up(Desk::since(&bob, from)).await.unwrap().unwrap();
    assert_eq!(places(&page.events), [(2, 1), (2, 1), (3, 1), (5, 2), (6, 1)]);
    assert!(page.events.is_sorted_by_key(|event| event.log_id));
    assert!(!page.has_more && page.skipped.is_empty());
    assert_eq!((page.through, page.done_through), (LogId(from.0 + 6), LogId(from.0 + 6)));
    let nothing = desk.store.catch_up(Desk::since(&bob, page.through)).await.unwrap().unwrap();
    assert!(nothing.events.is_empty());
}

#[tokio::test]
async fn pages_of_one_catch_up_end_where_the_first_said() {
    let desk = Desk::new();
    let [alice, bob] = desk.people(["alice", "bob"]).await;
    let chats = [desk.group(&alice, &[&bob]).await, desk.group(&alice, &[&bob]).await];
    let from = desk.store.log_bounds().await.unwrap().0;
    for n in 0..10 {
        desk.send(&alice, chats[n % 2], "before").await;
    }
    let mut ask = CatchUp { page_max: PageMax::events(3), ..Desk::since(&bob, from) };
    let mut seen = Vec::new();
    loop {
        let page = desk.store.catch_up(ask).await.unwrap().unwrap();
        seen.extend(page.events.iter().map(|event| event.log_id.0));
        // Meanwhile life goes on; also in a conversation that had not changed.
        desk.send(&alice, chats[0], "meanwhile").await;
        desk.group(&alice, &[&bob]).await;
        assert_eq!(page.through, LogId(from.0 + 10));
        if !page.has_more {
            assert_eq!(page.done_through, page.through);
            break;
        }
        (ask.through, ask.done_through) = (Some(page.through), page.done_through);
    }
    assert_eq!(seen, (from.0 + 1..=from.0 + 10).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_long_stream_is_skipped_in_every_page_and_too_many_start_over() {
    let desk = Desk::new();
    let [alice, bob] = desk.people(["alice", "bob"]).await;
    let long = desk.group(&alice, &[&bob]).await;
    let short = desk.group(&alice, &[&bob]).await;
    let from = desk.store.log_bounds().await.unwrap().0;
    for _ in 0..5 {
        desk.send(&alice, long, "much").await;
    }
    desk.send(&alice, short, "one").await;
    desk.send(&alice, short, "two").await;
    let ask = CatchUp { page_max: PageMax::events(1), stream_events_max: 4, ..Desk::since(&bob, from) };
    let skipped = [SkippedStream { stream: StreamId::Conversation(long), pos: Pos(6), last_seq: Seq(5) }];
    let first = desk.store.catch_up(ask).await.unwrap().unwrap();
    assert_eq!((&first.skipped[..], first.has_more), (&skipped[..], true));
    desk.send(&alice, long, "meanwhile").await;
    let next = CatchUp { through: Some(first.through), done_through: first.done_through, ..ask };
    let second = desk.store.catch_up(next).await.unwrap().unwrap();
    assert_eq!((&second.skipped[..], second.has_more), (&skipped[..], false));
    assert!(matches!(&second.events[0].body, EventBody::MessageSent(message) if message.content == "two"));
    let exactly = CatchUp { stream_events_max: 6, streams_max: 2, ..ask };
    assert!(desk.store.catch_up(exactly).await.unwrap().unwrap().skipped.is_empty());
    assert_eq!(desk.store.catch_up(CatchUp { streams_max: 1, ..ask }).await.unwrap(), None);
}

#[tokio::test]
async fn rosters_hold_who_was_in_after_a_place_in_the_log() {
    let desk = Desk::new();
    let [alice, bob] = desk.people(["alice", "bob"]).await;
    let chat = desk.group(&alice, &[&bob]).await;
    desk.remove(&alice, chat, &bob).await;
    let ended = desk.store.log_bounds().await.unwrap().0;
    let rosters = desk.store.load_rosters(&[chat, chat], ended.previous()).await.unwrap();
    assert_eq!(rosters[0].len(), 2);
    assert_eq!(rosters[1].iter().find(|one| one.user == bob.user).unwrap().to_pos, Some(Pos(2)));
    assert_eq!(desk.store.load_rosters(&[chat], ended).await.unwrap()[0].len(), 1);
}

#[tokio::test]
async fn what_is_read_is_what_was_published() {
    let desk = Desk::new();
    let [alice, bob] = desk.people(["alice", "bob"]).await;
    let chat = desk.group(&alice, &[&bob]).await;
    desk.remove(&alice, chat, &bob).await;
    desk.add(&alice, chat, &bob).await;
    desk.send(&bob, chat, "hi").await;
    let log = desk.store.list_log(LogId(0), 100).await.unwrap();
    let published: Vec<Event> = desk.log.events().iter().map(|event| (**event).clone()).collect();
    assert_eq!(log, published);
}

#[tokio::test]
async fn a_repair_is_given_in_parts_that_fit_in_memory() {
    let desk = Desk::new();
    let alice = desk.person("alice").await;
    let chat = desk.group(&alice, &[]).await;
    let big = "x".repeat(7 * 1024 * 1024);
    for _ in 0..5 {
        desk.send(&alice, chat, &big).await;
    }
    // Fewer at a time than the writer's queue holds.
    for _ in 0..3 {
        let mut sends = Vec::new();
        for _ in 0..3_400 {
            sends.push(desk.begin(desk.message(&alice, chat, "hi")).await);
        }
        for send in sends {
            send.await.unwrap().unwrap();
        }
    }
    let (mut sizes, mut last) = (Vec::new(), Pos(0));
    let stream = StreamId::Conversation(chat);
    let end = Pos(1 + 5 + 10_200);
    while last < end {
        let part = desk.store.list_stream_range(stream, last, end).await.unwrap();
        assert!(part.iter().map(|event| event.pos.0).eq(last.0 + 1..=last.0 + part.len() as u64), "no hole");
        last = part.last().unwrap().pos;
        sizes.push(part.len());
    }
    assert_eq!(sizes, [3, 2, 10_000, 201]);
}

#[tokio::test]
async fn a_page_ends_where_its_bytes_do_and_holds_at_least_one() {
    let desk = Desk::new();
    let [alice, bob] = desk.people(["alice", "bob"]).await;
    let chat = desk.group(&alice, &[&bob]).await;
    let from = desk.store.log_bounds().await.unwrap().0;
    for _ in 0..3 {
        desk.send(&alice, chat, &"x".repeat(1_000)).await;
    }
    let mut ask = CatchUp { page_max: PageMax { events: 9, bytes: 1 }, ..Desk::since(&bob, from) };
    for n in 1..=3 {
        let page = desk.store.catch_up(ask).await.unwrap().unwrap();
        assert_eq!((page.events.len(), page.has_more), (1, n < 3));
        assert_eq!(page.done_through, LogId(from.0 + n));
        (ask.through, ask.done_through) = (Some(page.through), page.done_through);
    }
    let stream = StreamId::Conversation(chat);
    let one = desk.log.events().last().unwrap().bytes();
    let page_max = PageMax { events: 9, bytes: 2 * one };
    let page = desk.store.list_stream(bob.user, stream, Pos(1), page_max).await.unwrap();
    assert_eq!((places(&page.events), page.has_more), (vec![(2, 1), (3, 1)], true));
}

/// The overlay, the rows and the snapshot are never of one moment; together they must not lose an event.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn catching_up_again_and_again_while_others_write_misses_nothing() {
    let desk = Arc::new(Desk::new());
    let [alice, bob] = desk.people(["alice", "bob"]).await;
    let from = desk.store.log_bounds().await.unwrap().0;
    let writing = {
        let desk = Arc::clone(&desk);
        tokio::spawn(async move {
            let mut chats = Vec::new();
            let begun = Instant::now();
            // Long enough for a flush or two.
            while begun.elapsed() < Duration::from_millis(2_000) {
                let chat = desk.group(&alice, &[]).await;
                desk.send(&alice, chat, "before bob").await;
                desk.add(&alice, chat, &bob).await;
                chats.push(chat);
                for n in 0..10 {
                    desk.send(&alice, chats[(n * 7) % chats.len()], "hi").await;
                }
            }
        })
    };
    let (mut seen, mut from, mut rounds) = (Vec::new(), from, 0);
    loop {
        let done = writing.is_finished();
        let ask = CatchUp { stream_events_max: 100_000, streams_max: 100_000, ..Desk::since(&bob, from) };
        let page = desk
            .store
            .catch_up(CatchUp { page_max: PageMax::events(100_000), ..ask })
            .await
            .unwrap()
            .unwrap();
        seen.extend(page.events.iter().map(|event| event.log_id));
        (from, rounds) = (page.through, rounds + 1);
        if done {
            break;
        }
    }
    writing.await.unwrap();
    let published = desk.log.events();
    let joins: HashMap<StreamId, Pos> = published
        .iter()
        .filter(|event| matches!(event.body, EventBody::ParticipantJoined(_)))
        .map(|event| (event.stream, event.pos))
        .collect();
    let due =
        published.iter().filter(|event| joins.get(&event.stream).is_some_and(|join| event.pos >= *join));
    let due: Vec<LogId> = due.map(|event| event.log_id).collect();
    assert!(rounds > 10 && desk.store.stats().head_flushes > 0, "{rounds} rounds");
    assert_eq!(seen, due);
}
