//! `/api/conversations/:id/messages` and `/api/messages/:id`.

use serde_json::{Value, json};

use crate::harness::TestServer;

const ID: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

#[tokio::test]
async fn a_message_is_sent_once_however_often_it_is_tried() {
    let server = TestServer::start().await;
    let [alice, bob] = server.users(["alice", "bob"]).await;
    let chat = alice.direct_with(&bob).await;
    let mut device = bob.connect().await;
    let first = alice.try_send(&chat, "hi", ID).await;
    assert_eq!(first.headers.get("idempotent-replayed"), None);
    let first = first.assert_ok(201);
    assert_eq!((&first["seq"], &first["version"], &first["type"]), (&json!(1), &json!(1), &json!("text")));
    assert_eq!((&first["clientMessageId"], &first["senderId"]), (&json!(ID), &json!(alice.id)));

    let tries = (0..10).map(|_| alice.try_send(&chat, "hi", ID));
    for again in futures_util::future::join_all(tries).await {
        assert_eq!(again.headers["idempotent-replayed"], "true");
        assert_eq!(again.assert_ok(200), first);
    }
    alice.try_send(&chat, "something else", ID).await.assert_problem(422, "client_message_id_reused");
    let _ = bob.try_send(&chat, "my own id", ID).await.assert_ok(201);
    device.expect_message("hi").await;
    device.expect_message("my own id").await;
    device.expect_nothing().await;
    assert_eq!(bob.texts(&chat).await, ["hi", "my own id"]);
}

#[tokio::test]
async fn a_retry_reaches_the_original_even_after_the_sender_was_removed() {
    let server = TestServer::start().await;
    let [alice, bob] = server.users(["alice", "bob"]).await;
    let group = alice.group_with("Band", &[&bob]).await;
    let sent = bob.try_send(&group, "last words", ID).await.assert_ok(201);
    assert_eq!(alice.remove(&group, &bob).await.status, 204);
    assert_eq!(bob.try_send(&group, "last words", ID).await.assert_ok(200), sent);
}

#[tokio::test]
async fn history_comes_in_pages_from_every_side() {
    let server = TestServer::start().await;
    let [alice, bob] = server.users(["alice", "bob"]).await;
    let chat = alice.direct_with(&bob).await;
    for n in 1..=10 {
        alice.send(&chat, &n.to_string()).await;
    }
    for (query, expected, before, after) in [
        ("?limit=3", vec![8, 9, 10], true, false),
        ("?before=4&limit=2", vec![2, 3], true, true),
        ("?before=3", vec![1, 2], false, true),
        ("?after=8", vec![9, 10], true, false),
        ("?after=0&limit=2", vec![1, 2], false, true),
        ("?around=5&limit=5", vec![3, 4, 5, 6, 7], true, true),
        ("?after=10", vec![], true, false),
        ("?before=1", vec![], false, true),
    ] {
        let page = bob.history(&chat, query).await;
        let seqs: Vec<_> =
            page["messages"].as_array().unwrap().iter().map(|m| m["seq"].as_i64().unwrap()).collect();
        assert_eq!(seqs, expected, "{query}");
        assert_eq!(
            (&page["hasMoreBefore"], &page["hasMoreAfter"]),
            (&json!(before), &json!(after)),
            "{query}"
        );
        assert_eq!(page["pos"], 11, "{query}");
    }
    for query in ["?limit=0", "?limit=201", "?before=x", "?before=1&after=2", "?around=-1"] {
        let reply = bob.get(&format!("/api/conversations/{chat}/messages{query}")).await;
        assert!([400, 422].contains(&reply.status.as_u16()), "{query}: {}", reply.text);
        assert_eq!(reply.pointers().len(), 1, "{query}: {}", reply.text);
    }
    let path = format!("/api/conversations/{chat}/messages?anchor=first_unread");
    bob.get(&path).await.assert_problem(422, "not_supported");
}

#[tokio::test]
async fn one_message_is_found_by_its_id() {
    let server = TestServer::start().await;
    let [alice, bob] = server.users(["alice", "bob"]).await;
    let chat = alice.direct_with(&bob).await;
    let sent = alice.send(&chat, "hi").await;
    let id = sent["id"].as_str().unwrap();
    assert_eq!(bob.get(&format!("/api/messages/{id}")).await.assert_ok(200), sent);
    for wrong in [format!("1{id}"), id[1..].to_owned(), "x".to_owned(), ID.to_owned()] {
        bob.get(&format!("/api/messages/{wrong}")).await.assert_problem(404, "not_found");
    }
}

#[tokio::test]
async fn what_a_message_may_not_be_is_said_field_by_field() {
    let server = TestServer::start().await;
    let [alice, bob] = server.users(["alice", "bob"]).await;
    let chat = alice.direct_with(&bob).await;
    let path = format!("/api/conversations/{chat}/messages");
    let deep = (0..9).fold(json!(1), |inner, _| json!({ "a": inner }));
    for (body, status, code, pointer) in [
        (json!({ "content": "x".repeat(16 * 1024 + 1) }), 422, "invalid", "/content"),
        (json!({ "content": "  " }), 422, "invalid", "/content"),
        (json!({ "content": "x", "metadata": { "a": "x".repeat(4096) } }), 422, "invalid", "/metadata"),
        (json!({ "content": "x", "metadata": deep }), 400, "too_deep", "/metadata"),
        (json!({ "content": "x", "type": "image" }), 422, "not_supported", "/type"),
        (json!({ "content": "x", "type": "poem" }), 422, "invalid", "/type"),
        (json!({ "content": "x", "replyTo": "abc" }), 422, "not_supported", "/replyTo"),
        (json!({ "content": "x", "threadRootId": "abc" }), 422, "not_supported", "/threadRootId"),
        (json!({ "content": "x", "attachmentIds": [] }), 422, "not_supported", "/attachmentIds"),
        (json!({ "content": "x", "clientMessageId": "1" }), 422, "invalid", "/clientMessageId"),
        (json!({ "content": 7 }), 400, "wrong_type", "/content"),
        (json!({}), 400, "missing_field", "/content"),
        (json!({ "content": "x", "colour": "red" }), 400, "unknown_field", "/colour"),
    ] {
        let reply = alice.post(&path, body).await;
        reply.assert_problem(status, code);
        assert_eq!(reply.pointers(), [pointer], "{}", reply.text);
    }
    assert_eq!(alice.texts(&chat).await, Vec::<String>::new());
    let custom = json!({ "content": "", "type": "custom", "metadata": { "b": 1, "a": [true, null, "é"] } });
    let sent = alice.post(&path, custom).await.assert_ok(201);
    assert_eq!(sent["metadata"], json!({ "a": [true, null, "é"], "b": 1 }));
    assert!(sent["clientMessageId"].is_string(), "the server made one");
    for absent in ["replyTo", "threadRootId", "editedAt", "deletedAt", "deletedBy"] {
        assert_eq!(sent[absent], Value::Null, "{absent}");
    }
}

#[tokio::test]
async fn sends_from_many_devices_at_once_stand_in_one_order_for_everybody() {
    let server = TestServer::start().await;
    let [alice, bob] = server.users(["alice", "bob"]).await;
    let chat = alice.direct_with(&bob).await;
    let (mut on_alice, mut on_bob) = (alice.connect().await, bob.connect().await);
    let texts: Vec<String> = (0..100).map(|n| n.to_string()).collect();
    let sends = texts.iter().enumerate().map(|(n, text)| [&alice, &bob][n % 2].send(&chat, text));
    let mut sent = futures_util::future::join_all(sends).await;
    sent.sort_by_key(|message| message["seq"].as_u64());
    let seqs: Vec<_> = sent.iter().map(|message| message["seq"].as_u64().unwrap()).collect();
    assert_eq!(seqs, (1..=100).collect::<Vec<_>>());
    for device in [&mut on_alice, &mut on_bob] {
        for message in &sent {
            assert_eq!(device.expect("message:new").await["id"], message["id"]);
        }
    }
}
