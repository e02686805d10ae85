//! Coming back: from the tail in memory, from the store, in the middle of everything.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::time::ClockId;
use serde_json::json;
use tidings_core::limits::Limits;
use tidings_testkit::actors::{Device, Person, Received};

use crate::harness::TestServer;

fn contents(events: &[Received]) -> Vec<String> {
    events.iter().filter_map(|event| event.body["content"].as_str().map(str::to_owned)).collect()
}

#[tokio::test]
async fn a_device_that_was_away_gets_exactly_what_it_has_missed() {
    let server = TestServer::start().await;
    let [alice, bob] = server.users(["alice", "bob"]).await;
    let (chat, group) = (alice.direct_with(&bob).await, alice.group_with("Band", &[&bob]).await);
    let mut device = bob.connect().await;
    alice.send(&chat, "seen").await;
    device.expect_message("seen").await;
    let token = device.drop_connection();
    alice.send(&chat, "missed one").await;
    alice.send(&group, "missed two").await;

    let mut device = bob.resume(&token).await;
    let replayed = device.expect_ready().await;
    assert_eq!(contents(&replayed), ["missed one", "missed two"]);
    let page = &replayed.last().unwrap();
    assert_eq!((page.name.as_str(), &page.body["hasMore"]), ("sync:page", &json!(false)));
    assert!(replayed[0].body.get("next").is_none(), "a token never overtakes what is still to come");
    alice.send(&chat, "live").await;
    device.expect_message("live").await;
    device.expect_nothing().await;
}

#[tokio::test]
async fn a_device_that_has_missed_nothing_is_told_nothing() {
    let server = TestServer::start().await;
    let [alice, bob] = server.users(["alice", "bob"]).await;
    let chat = alice.direct_with(&bob).await;
    let mut device = bob.connect().await;
    alice.send(&chat, "seen").await;
    device.expect_message("seen").await;
    for _ in 0..3 {
        let token = device.drop_connection();
        device = bob.resume(&token).await;
        assert_eq!(contents(&device.expect_ready().await), Vec::<String>::new());
    }
}

/// The token of a page leads to the end that its replay had then; what has happened since is missed as well.
#[tokio::test]
async fn a_device_that_leaves_in_the_middle_of_a_replay_gets_all_of_it_and_what_came_since() {
    for is_restarted in [false, true] {
        let mut server = TestServer::with_limits(&[("sync_page_max", 2)]).await;
        let [alice, bob] = server.users(["alice", "bob"]).await;
        let chat = alice.direct_with(&bob).await;
        let token = bob.connect().await.drop_connection();
        for text in ["one", "two", "three"] {
            alice.send(&chat, text).await;
        }
        let mut device = bob.resume(&token).await;
        device.expect_message("one").await;
        device.expect_message("two").await;
        assert_eq!(device.expect("sync:page").await["hasMore"], true);
        let token = device.drop_connection();
        alice.send(&chat, "meanwhile").await;
        if is_restarted {
            server.restart().await;
        }
        let mut device = server.moved(&bob).resume(&token).await;
        assert_eq!(contents(&device.expect_ready().await), ["three", "meanwhile"]);
        device.expect_nothing().await;
    }
}

#[tokio::test]
async fn a_cold_device_is_replayed_from_the_store_after_a_restart() {
    let mut server = TestServer::start().await;
    let [alice, bob] = server.users(["alice", "bob"]).await;
    let chat = alice.direct_with(&bob).await;
    let token = bob.connect().await.drop_connection();
    for n in 0..50 {
        alice.send(&chat, &n.to_string()).await;
    }
    server.restart().await;
    let mut device = server.moved(&bob).resume(&token).await;
    let expected: Vec<_> = (0..50).map(|n| n.to_string()).collect();
    assert_eq!(contents(&device.expect_ready().await), expected);
}

#[tokio::test]
async fn a_long_replay_comes_in_pages_and_goes_on_after_a_break() {
    let server = TestServer::with_limits(&[("sync_page_max", 10)]).await;
    let [alice, bob] = server.users(["alice", "bob"]).await;
    let chat = alice.direct_with(&bob).await;
    let token = bob.get("/api/sync").await.assert_ok(200)["next"].as_str().unwrap().to_owned();
    for n in 0..25 {
        alice.send(&chat, &n.to_string()).await;
    }
    // The first page only, then the line breaks.
    let mut device = bob.resume(&token).await;
    let mut seen = Vec::new();
    loop {
        let event = device.next_event().await;
        if event.name == "sync:page" {
            assert_eq!(event.body["hasMore"], true);
            break;
        }
        seen.push(event);
    }
    let token = device.drop_connection();
    let mut device = bob.resume(&token).await;
    seen.extend(device.expect_ready().await);
    assert_eq!(contents(&seen), (0..25).map(|n| n.to_string()).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_replay_that_begins_in_memory_and_goes_on_cold_skips_nothing_in_silence() {
    let mut server = TestServer::with_limits(&[("sync_page_max", 10), ("sync_stream_events_max", 10)]).await;
    let [alice, bob] = server.users(["alice", "bob"]).await;
    let chat = alice.direct_with(&bob).await;
    // Connected once, so that the first page comes from the tail in memory, which skips no stream.
    let token = bob.connect().await.drop_connection();
    for n in 0..25 {
        alice.send(&chat, &n.to_string()).await;
    }
    let mut device = bob.resume(&token).await;
    let mut shown = 0;
    while device.next_event().await.name != "sync:page" {
        shown += 1;
    }
    assert_eq!(shown, 10);
    let token = device.drop_connection();
    server.restart().await;
    // The next page comes from the store, where this stream has more than is replayed.
    let replayed = server.moved(&bob).resume(&token).await.expect_ready().await;
    assert_eq!(contents(&replayed), Vec::<String>::new());
    assert_eq!(replayed[0].body["skipped"][0]["lastSeq"], 25);
}

#[tokio::test]
async fn a_token_that_is_no_token_resets_and_the_socket_is_live() {
    let server = TestServer::start().await;
    let [alice, bob] = server.users(["alice", "bob"]).await;
    let chat = alice.direct_with(&bob).await;
    let mut device = bob.resume("rubbish").await;
    let reset = device.expect("reset").await;
    assert_eq!(reset["reason"], "token_unreadable");
    assert!(reset["next"].is_string());
    assert_eq!(device.expect_ready().await, []);
    alice.send(&chat, "live").await;
    device.expect_message("live").await;
}

/// Four devices send while others come and go. What each of them is shown over all its
/// connections is one line without a seam, whatever the instants; and window plus gap plus live is one line too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn joining_and_fetching_race_and_nothing_falls_between() {
    let server = TestServer::start().await;
    let [alice, bob] = server.users(["alice", "bob"]).await;
    let chat = alice.direct_with(&bob).await;
    let is_over = Arc::new(AtomicBool::new(false));
    let senders: Vec<_> =
        (0..4).map(|_| tokio::spawn(send_until(alice.clone(), chat.clone(), Arc::clone(&is_over)))).collect();
    let comers: Vec<_> = (0..3).map(|_| tokio::spawn(come_and_go(bob.clone(), chat.clone()))).collect();
    let mut here = Vec::new();
    for comer in comers {
        here.push(comer.await.unwrap());
    }
    is_over.store(true, Ordering::Relaxed);
    let mut sent = 0;
    for sender in senders {
        sent += sender.await.unwrap();
    }
    let replayed: usize = here.iter().map(|comer| comer.replayed).sum();
    assert!(replayed > 0, "nobody has missed anything");
    for Comer { mut device, mut shown, .. } in here {
        while shown < sent {
            show_next(&mut device, &mut shown).await;
        }
        assert_eq!(shown, sent);
    }
}

/// No faster than who comes can show it. Gives how many it has sent.
async fn send_until(sender: Person, chat: String, is_over: Arc<AtomicBool>) -> u64 {
    const AT_ONCE: u64 = 10;
    let mut device = sender.connect().await;
    let body = json!({ "conversationId": chat, "content": "hi" });
    let mut sent = 0;
    while !is_over.load(Ordering::Relaxed) {
        let mut acks = Vec::new();
        for _ in 0..AT_ONCE {
            acks.push(device.begin("message:send", &body).await);
        }
        for id in acks {
            assert_eq!(device.ack(id).await["ok"], true);
        }
        sent += AT_ONCE;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    sent
}

struct Comer {
    /// The last connection.
    device: Device,
    /// The last message that was shown.
    shown: u64,
    /// How many came in replays.
    replayed: usize,
}

/// Connects, takes a few messages, goes away, again and again.
async fn come_and_go(person: Person, chat: String) -> Comer {
    const CONNECTIONS: usize = 25;
    let mut device = person.connect().await;
    let mut shown = begin_with_a_window(&mut device, &person, &chat).await;
    let mut replayed = 0;
    for _ in 0..CONNECTIONS {
        let next = device.drop_connection();
        device = person.resume(&next).await;
        loop {
            match show_next(&mut device, &mut shown).await.as_str() {
                "ready" => break,
                "message:new" => replayed += 1,
                _ => {}
            }
        }
        while !shown.is_multiple_of(7) {
            show_next(&mut device, &mut shown).await;
        }
    }
    Comer { device, shown, replayed }
}

/// Gives the name of the event.
async fn show_next(device: &mut Device, shown: &mut u64) -> String {
    let event = device.next_event().await;
    if let Some(seq) = event.body["seq"].as_u64() {
        assert_eq!(seq, *shown + 1);
        *shown = seq;
    }
    event.name
}

/// A cold device: it is live, then loads its window, then drops of what came live what the window holds already.
async fn begin_with_a_window(device: &mut Device, person: &Person, chat: &str) -> u64 {
    let window = person.history(chat, "?limit=200").await;
    let mut shown =
        window["messages"].as_array().unwrap().last().map_or(0, |message| message["seq"].as_u64().unwrap());
    loop {
        let event = device.next_event().await;
        match event.body["seq"].as_u64() {
            Some(seq) if seq <= shown => {}
            Some(seq) => {
                assert_eq!(seq, shown + 1, "between the window and what came live");
                shown = seq;
                return shown;
            }
            None => {}
        }
    }
}

const CONTENT: usize = 4 * 1024;
/// With 24 KiB each on the wire much more than a queue and the kernel's buffers hold for one who does not read.
const MESSAGES: usize = 200;

/// The least that a queue may hold for messages of this size.
async fn with_small_queues() -> TestServer {
    let frame = Limits {
        content_bytes_max: CONTENT,
        metadata_bytes_max: 2,
        message_emoji_max: 1,
        ..Limits::default()
    }
    .frame_bytes_max();
    TestServer::with_limits(&[
        ("content_bytes_max", CONTENT),
        ("metadata_bytes_max", 2),
        ("message_emoji_max", 1),
        ("connection_queue_bytes_max", 4 * frame),
        ("sync_stream_events_max", 10_000),
    ])
    .await
}

/// Sends messages that are all escapes: each takes six times its size as JSON. They have been delivered when this ends.
async fn send_large(device: &mut Device, chat: &str, count: usize) {
    for n in 0..count {
        let text = format!("{n}\u{1}{}", "\u{1}".repeat(CONTENT - 10));
        let body = json!({ "conversationId": chat, "content": text });
        assert_eq!(device.call("message:send", body).await["ok"], true);
        device.expect("message:new").await;
    }
}

fn number(event: &Received) -> Option<usize> {
    event.body["content"].as_str()?.split('\u{1}').next()?.parse().ok()
}

/// Live frames wait for the end of a replay, but no more of them than half a queue: the rest is replayed once more.
#[tokio::test]
async fn what_happens_during_a_replay_that_nobody_reads_comes_after_it() {
    let server = with_small_queues().await;
    let [alice, bob] = server.users(["alice", "bob"]).await;
    let chat = alice.direct_with(&bob).await;
    let token = bob.connect().await.drop_connection();
    let mut on_alice = alice.connect().await;
    send_large(&mut on_alice, &chat, MESSAGES).await;
    let mut device = bob.resume(&token).await;
    // With 24 KiB each more than half a queue, and less than a queue.
    send_large(&mut on_alice, &chat, 6).await;
    let numbers: Vec<_> = device.expect_ready().await.iter().filter_map(number).collect();
    assert_eq!(numbers, (0..MESSAGES).chain(0..6).collect::<Vec<_>>());
    alice.send(&chat, "live").await;
    device.expect_message("live").await;
    device.expect_nothing().await;
}

/// F18: over its budget a slow reader gets nothing live any more, and what it has missed when it reads again.
#[tokio::test]
async fn a_reader_that_stops_falls_behind_and_gets_everything_on_the_same_connection() {
    let server = with_small_queues().await;
    let [alice, bob] = server.users(["alice", "bob"]).await;
    let chat = alice.direct_with(&bob).await;
    let mut device = bob.connect().await;
    let mut on_alice = alice.connect().await;
    send_large(&mut on_alice, &chat, MESSAGES).await;
    assert!(server.stats().hub.fell_behind > 0);
    let (mut shown, mut pages, mut position) = (Vec::new(), 0, None);
    while shown.len() < MESSAGES {
        let event = device.next_event().await;
        match event.name.as_str() {
            "message:new" => {
                let pos = event.body["pos"].as_u64().unwrap();
                assert!(position.is_none_or(|last| last + 1 == pos), "{position:?}, then {pos}");
                position = Some(pos);
                shown.extend(number(&event));
            }
            "sync:page" => {
                assert_eq!(event.body["skipped"], json!([]));
                pages += 1;
            }
            // `ready` is said once.
            name => panic!("{name}: {}", event.body),
        }
    }
    assert_eq!(shown, (0..MESSAGES).collect::<Vec<_>>());
    // Up to date, and live again.
    alice.send(&chat, "live").await;
    while device.next_event().await.body["content"] != "live" {
        pages += 1;
    }
    assert!(pages > 0);
    let token = device.drop_connection();
    assert_eq!(contents(&bob.resume(&token).await.expect_ready().await), Vec::<String>::new());
}

/// Its goodbye waits until the client reads; the replay must not go round and round meanwhile.
#[tokio::test]
async fn a_replay_whose_connection_is_closed_under_it_costs_nothing_more() {
    let server = with_small_queues().await;
    let [alice, bob] = server.users(["alice", "bob"]).await;
    let chat = alice.direct_with(&bob).await;
    let mut device = bob.connect().await;
    send_large(&mut alice.connect().await, &chat, MESSAGES).await;
    // As much as was live, so that the replay is in the middle of a page when the client reads no more.
    while device.next_event().await.body.get("next").is_some() {}
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(bob.post("/api/auth/logout", json!({})).await.status, 204);
    // The server runs on this thread.
    let used = || Duration::try_from(rustix::time::clock_gettime(ClockId::ThreadCPUTime)).unwrap();
    let before = used();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(used() - before < Duration::from_millis(500), "{:?} of a second", used() - before);
    let mut replayed = 0;
    while let Some(event) = device.event_or_end().await {
        replayed += usize::from(event.name == "message:new");
    }
    assert!(replayed < MESSAGES / 2, "it was over before it was closed: {replayed}");
}
