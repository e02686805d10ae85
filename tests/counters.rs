//! What things cost, counted: figures that do not depend on the machine, and so cannot flake.

use serde_json::json;
use tidings_server::stats::Stats;

use crate::harness::TestServer;

/// What happened between two looks.
struct Spent {
    encoded: u64,
    given: u64,
    reads: u64,
    delivery_reads: u64,
}

fn spent(before: &Stats, after: &Stats) -> Spent {
    Spent {
        encoded: after.hub.frames_encoded - before.hub.frames_encoded,
        given: after.hub.frames_given - before.hub.frames_given,
        reads: after.store.reads - before.store.reads,
        delivery_reads: after.store.delivery_reads - before.store.delivery_reads,
    }
}

#[tokio::test]
async fn an_event_is_encoded_once_however_many_are_online() {
    const SENDS: u64 = 20;
    let server = TestServer::start().await;
    let [alice, bob, carol] = server.users(["alice", "bob", "carol"]).await;
    let group = alice.group_with("Band", &[&bob, &carol]).await;
    let mut devices = Vec::new();
    for person in [&alice, &bob, &bob, &bob, &carol] {
        devices.push(person.connect().await);
    }
    let before = server.stats();
    for n in 0..SENDS {
        alice.send(&group, &n.to_string()).await;
    }
    for device in &mut devices {
        for n in 0..SENDS {
            device.expect_message(&n.to_string()).await;
        }
    }
    let spent = spent(&before, &server.stats());
    assert_eq!((spent.encoded, spent.given), (SENDS, SENDS * 5));
}

#[tokio::test]
async fn nothing_is_encoded_where_nobody_is_online() {
    let server = TestServer::start().await;
    let [alice, bob, carol] = server.users(["alice", "bob", "carol"]).await;
    let (quiet, loud) = (alice.direct_with(&bob).await, alice.direct_with(&carol).await);
    let mut device = carol.connect().await;
    let before = server.stats();
    for _ in 0..10 {
        alice.send(&quiet, "hi").await;
    }
    // The log is one line: when this one is there, those before it have been delivered to nobody.
    alice.send(&loud, "done").await;
    device.expect_message("done").await;
    let spent = spent(&before, &server.stats());
    assert_eq!((spent.encoded, spent.given), (1, 1));
}

#[tokio::test]
async fn a_send_reads_nothing_beside_the_writer() {
    let server = TestServer::start().await;
    let [alice, bob] = server.users(["alice", "bob"]).await;
    let chat = alice.direct_with(&bob).await;
    let (mut from, mut to) = (alice.connect().await, bob.connect().await);
    let before = server.stats();
    for n in 0..20 {
        from.send(&chat, &n.to_string()).await;
        alice.send(&chat, &format!("{n} by REST")).await;
        to.expect_message(&n.to_string()).await;
        to.expect_message(&format!("{n} by REST")).await;
    }
    let spent = spent(&before, &server.stats());
    assert_eq!((spent.reads, spent.delivery_reads), (0, 0));
}

/// The first event of a conversation after a start loads its roster, and no other does.
#[tokio::test]
async fn a_roster_is_loaded_once() {
    let mut server = TestServer::start().await;
    let [alice, bob] = server.users(["alice", "bob"]).await;
    let chat = alice.direct_with(&bob).await;
    server.restart().await;
    let [alice, bob] = [&alice, &bob].map(|person| server.moved(person));
    let mut device = bob.connect().await;
    let before = server.stats();
    for n in 0..20 {
        alice.send(&chat, &n.to_string()).await;
        device.expect_message(&n.to_string()).await;
    }
    let after = server.stats();
    assert_eq!(spent(&before, &after).delivery_reads, 1);
    assert_eq!(after.delivery.rosters_loaded - before.delivery.rosters_loaded, 1);
}

#[tokio::test]
async fn connecting_and_resuming_from_memory_read_nothing() {
    let server = TestServer::start().await;
    let [alice, bob] = server.users(["alice", "bob"]).await;
    let chat = alice.direct_with(&bob).await;
    let before = server.stats();
    let mut device = bob.connect().await;
    for n in 0..20 {
        alice.send(&chat, &format!("seen {n}")).await;
        device.expect_message(&format!("seen {n}")).await;
        let token = device.drop_connection();
        alice.send(&chat, &format!("missed {n}")).await;
        device = bob.resume(&token).await;
        device.expect_message(&format!("missed {n}")).await;
        assert_eq!(device.expect_ready().await[0].name, "sync:page");
        // A page of catch-up on the live socket is from memory as well.
        assert_eq!(device.call("sync", json!({ "since": device.next })).await["ok"], true);
    }
    let spent = spent(&before, &server.stats());
    assert_eq!((spent.reads, spent.delivery_reads), (0, 0));
}

/// The counters count: what does need the store is seen by them.
#[tokio::test]
async fn a_cold_resume_reads_once_and_is_seen() {
    let mut server = TestServer::start().await;
    let [alice, bob] = server.users(["alice", "bob"]).await;
    let chat = alice.direct_with(&bob).await;
    let token = bob.connect().await.drop_connection();
    alice.send(&chat, "missed").await;
    server.restart().await;
    let before = server.stats();
    let mut device = server.moved(&bob).resume(&token).await;
    device.expect_message("missed").await;
    assert_eq!(device.expect_ready().await.len(), 1);
    assert_eq!(spent(&before, &server.stats()).reads, 1);
}
