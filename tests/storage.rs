//! What a client is told when the disk is full or fails.

use reqwest::Method;
use serde_json::{Value, json};
use tidings_testkit::actors::Reply;
use tidings_testkit::disk::FaultyDisk;

use crate::harness::TestServer;

/// A client message id for the n-th message of a test.
fn id(n: usize) -> String {
    format!("01890a5d-ac96-774b-bcce-{n:012}")
}

#[tokio::test]
async fn a_full_disk_refuses_and_nothing_is_half_done() {
    let disk = FaultyDisk::new();
    let server = TestServer::on_disk(&disk).await;
    let [alice, bob] = server.users(["alice", "bob"]).await;
    let chat = alice.direct_with(&bob).await;
    let mut device = alice.connect().await;
    disk.full(true);
    // What the write-ahead log holds already may be overwritten without growing: sooner or later there is no room.
    let large = "x".repeat(16 * 1024);
    let mut stored = Vec::new();
    let refused: Reply = loop {
        let reply = alice.try_send(&chat, &large, &id(stored.len())).await;
        if !reply.status.is_success() {
            break reply;
        }
        stored.push(large.clone());
    };
    refused.assert_problem(507, "storage_full");
    let body = json!({ "conversationId": chat, "content": large });
    assert_eq!(device.call("message:send", body).await["code"], "storage_full");
    assert_eq!(bob.texts(&chat).await, stored, "reading goes on");

    disk.full(false);
    let _ = alice.try_send(&chat, &large, &id(stored.len())).await.assert_ok(201);
    stored.push(large);
    assert_eq!(bob.texts(&chat).await, stored);
    for _ in &stored {
        device.expect("message:new").await;
    }
    device.expect_nothing().await;
}

#[tokio::test]
async fn after_a_failed_fsync_nothing_is_acknowledged() {
    let disk = FaultyDisk::new();
    let server = TestServer::on_disk(&disk).await;
    let [alice, bob] = server.users(["alice", "bob"]).await;
    let chat = alice.direct_with(&bob).await;
    let (mut on_alice, mut on_bob) = (alice.connect().await, bob.connect().await);
    let ready = || alice.api.request(Method::GET, "/health/ready", None, Value::Null);
    assert_eq!(ready().await.status, 200);
    disk.fail_syncs_always();
    alice.try_send(&chat, "perhaps", &id(1)).await.assert_problem(503, "outcome_unknown");
    // The disk is well again; this process still says nothing that it cannot know.
    disk.fail_syncs(0);
    for text in ["perhaps", "another"] {
        let reply = alice.try_send(&chat, text, &id(text.len())).await;
        assert!(reply.status.is_server_error(), "{}", reply.text);
    }
    let body = json!({ "conversationId": chat, "content": "hello?" });
    assert_eq!(on_alice.call("message:send", body).await["ok"], false);
    on_bob.expect_nothing().await;
    ready().await.assert_problem(503, "overloaded");
}
