//! Socket.IO's own connection state recovery, as stock clients do it: they send the `pid` that they were told and the
//! last token that ended an event, and call themselves recovered when they are told the same `pid` again.

use serde_json::json;
use tidings_testkit::actors::{Device, Person, Received};

use crate::harness::TestServer;

/// What a stock client knows when its transport is gone.
struct Lost {
    pid: String,
    offset: String,
}

fn lose(device: &Device) -> Lost {
    Lost { pid: device.pid.clone(), offset: device.offset.clone().expect("an offset") }
}

async fn recover(person: &Person, lost: &Lost) -> Device {
    person.open(json!({ "pid": lost.pid, "offset": lost.offset, "token": person.token })).await
}

fn shown(events: &[Received]) -> Vec<String> {
    let body = |event: &Received| {
        event.body["content"].as_str().or(event.body["reason"].as_str()).map(str::to_owned)
    };
    events
        .iter()
        .filter(|event| event.name != "sync:page")
        .map(|event| body(event).unwrap_or(event.name.clone()))
        .collect()
}

#[tokio::test]
async fn a_client_that_lost_its_transport_is_recovered_and_shown_what_it_missed_once() {
    let server = TestServer::start().await;
    let [alice, bob] = server.users(["alice", "bob"]).await;
    let chat = alice.direct_with(&bob).await;
    let device = bob.connect().await;
    assert!(device.offset.is_some(), "ready ends in a token");
    let mut lost = lose(&device);
    for round in ["one", "two", "three"] {
        alice.send(&chat, round).await;
        let mut device = recover(&bob, &lost).await;
        assert_eq!(device.pid, lost.pid, "recovered");
        assert_eq!(shown(&device.expect_ready().await), [round]);
        lost = lose(&device);
    }
}

#[tokio::test]
async fn a_member_who_was_removed_meanwhile_is_shown_the_removal_and_nothing_after_it() {
    let server = TestServer::start().await;
    let [alice, bob] = server.users(["alice", "bob"]).await;
    let band = alice.group_with("Band", &[&bob]).await;
    let lost = lose(&bob.connect().await);
    alice.send(&band, "before").await;
    let _ = alice.remove(&band, &bob).await.assert_ok(204);
    alice.send(&band, "behind his back").await;
    let mut device = recover(&bob, &lost).await;
    assert_eq!(device.pid, lost.pid, "recovered: nothing that is his was skipped");
    assert_eq!(shown(&device.expect_ready().await), ["before", "participant:left"]);
    alice.send(&band, "and on").await;
    device.expect_nothing().await;
}

#[tokio::test]
async fn another_users_pid_opens_nothing() {
    let server = TestServer::start().await;
    let [alice, bob, carol] = server.users(["alice", "bob", "carol"]).await;
    let chat = alice.direct_with(&bob).await;
    let stolen = lose(&bob.connect().await);
    alice.send(&chat, "for bob").await;
    let mut device = recover(&carol, &stolen).await;
    assert_ne!(device.pid, stolen.pid);
    assert_eq!(shown(&device.expect_ready().await), [] as [&str; 0], "she begins as a cold device");
    // Neither does that of another session of the same user, and what the client says by `since` counts then.
    let again = bob.login_again("laptop").await;
    let auth = json!({ "token": again.token, "pid": stolen.pid, "offset": "x", "since": stolen.offset });
    let mut device = again.open(auth).await;
    assert_ne!(device.pid, stolen.pid);
    assert_eq!(shown(&device.expect_ready().await), ["for bob"]);
}

#[tokio::test]
async fn in_another_data_set_everything_is_loaded_anew() {
    let mut server = TestServer::start().await;
    let [alice, bob] = server.users(["alice", "bob"]).await;
    let chat = alice.direct_with(&bob).await;
    let lost = lose(&bob.connect().await);
    alice.send(&chat, "missed").await;
    server.restart_with_new_epoch().await;
    let bob = server.moved(&bob);
    let mut device = recover(&bob, &lost).await;
    assert_ne!(device.pid, lost.pid);
    // The pid is none of this data set, so the offset counts for nothing, and the device begins cold.
    assert_eq!(shown(&device.expect_ready().await), [] as [&str; 0]);
    let auth = json!({ "token": bob.token, "pid": lost.pid, "offset": lost.offset, "since": lost.offset });
    let mut device = bob.open(auth).await;
    assert_eq!(shown(&device.expect_ready().await), ["epoch_changed"]);
}

#[tokio::test]
async fn a_gap_that_memory_holds_only_in_part_is_filled_from_the_store_and_not_called_recovered() {
    let mut server = TestServer::start().await;
    let [alice, bob] = server.users(["alice", "bob"]).await;
    let chat = alice.direct_with(&bob).await;
    let lost = lose(&bob.connect().await);
    alice.send(&chat, "before the restart").await;
    server.restart().await;
    let [alice, bob] = [server.moved(&alice), server.moved(&bob)];
    drop(bob.connect().await);
    alice.send(&chat, "after it").await;
    let mut device = recover(&bob, &lost).await;
    assert_ne!(device.pid, lost.pid);
    assert_eq!(shown(&device.expect_ready().await), ["before the restart", "after it"]);
    let lost = lose(&device);
    alice.send(&chat, "in memory").await;
    let mut device = recover(&bob, &lost).await;
    assert_eq!(device.pid, lost.pid, "with its new pid it is recovered again");
    assert_eq!(shown(&device.expect_ready().await), ["in memory"]);
}

#[tokio::test]
async fn a_logged_out_client_is_refused_whatever_it_remembers() {
    let server = TestServer::start().await;
    let bob = server.user("bob").await;
    let lost = lose(&bob.connect().await);
    let _ = bob.post("/api/auth/logout", json!({})).await.assert_ok(204);
    let auth = json!({ "pid": lost.pid, "offset": lost.offset, "token": bob.token });
    match Device::connect(&server.api.url, auth).await {
        tidings_testkit::actors::Connected::Refused(error) => {
            assert_eq!(error["data"]["code"], "session_ended");
        }
        tidings_testkit::actors::Connected::Yes(_) => panic!("it was let in"),
    }
}
