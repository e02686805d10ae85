//! `message:send`, and what everybody is shown.

use serde_json::json;

use crate::harness::TestServer;

const ID: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

#[tokio::test]
async fn a_message_goes_from_its_sender_to_every_device_once_and_in_order() {
    let server = TestServer::start().await;
    let [alice, bob] = server.users(["alice", "bob"]).await;
    let chat = alice.direct_with(&bob).await;
    let (mut phone, mut laptop, mut on_bob) =
        (alice.connect().await, alice.connect().await, bob.connect().await);
    let sent = phone.send(&chat, "hi").await;
    assert_eq!(sent["seq"], 1);
    on_bob.send(&chat, "hello").await;
    alice.send(&chat, "by REST").await;
    for device in [&mut phone, &mut laptop, &mut on_bob] {
        let hi = device.expect_message("hi").await;
        assert_eq!((&hi["id"], &hi["pos"], &hi["span"]), (&sent["id"], &json!(2), &json!(1)));
        assert_eq!(hi["stream"], format!("conversation:{chat}"));
        assert_eq!(hi.get("mine"), None, "a frame is the same for all its receivers");
        device.expect_message("hello").await;
        device.expect_message("by REST").await;
        device.expect_nothing().await;
    }
}

#[tokio::test]
async fn a_retry_over_any_transport_gets_the_original() {
    let server = TestServer::start().await;
    let [alice, bob] = server.users(["alice", "bob"]).await;
    let chat = alice.direct_with(&bob).await;
    let mut device = alice.connect().await;
    let body = json!({ "conversationId": chat, "content": "hi", "clientMessageId": ID });
    let first = device.call("message:send", body.clone()).await;
    assert_eq!(device.call("message:send", body).await, first);
    assert_eq!(alice.try_send(&chat, "hi", ID).await.assert_ok(200), first["message"]);
    let other = json!({ "conversationId": chat, "content": "ho", "clientMessageId": ID });
    assert_eq!(device.call("message:send", other).await["code"], "client_message_id_reused");
    assert_eq!(bob.texts(&chat).await, ["hi"]);
}

#[tokio::test]
async fn the_sends_of_one_connection_keep_their_order_without_waiting_for_acks() {
    let server = TestServer::start().await;
    let [alice, bob] = server.users(["alice", "bob"]).await;
    let chat = alice.direct_with(&bob).await;
    let (mut device, mut on_bob) = (alice.connect().await, bob.connect().await);
    let mut acks = Vec::new();
    for n in 0..200 {
        let body = json!({ "conversationId": chat, "content": n.to_string() });
        acks.push(device.begin("message:send", &body).await);
    }
    for (n, id) in acks.into_iter().enumerate() {
        let ack = device.ack(id).await;
        assert_eq!((&ack["ok"], &ack["message"]["seq"]), (&json!(true), &json!(n + 1)));
    }
    for n in 0..200 {
        on_bob.expect_message(&n.to_string()).await;
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_send_stands_in_its_ack() {
    let server = TestServer::start().await;
    let [alice, bob, eve] = server.users(["alice", "bob", "eve"]).await;
    let chat = alice.direct_with(&bob).await;
    let mut device = alice.connect().await;
    for (body, code, pointer) in [
        (json!({ "conversationId": chat }), "missing_field", "/content"),
        (json!({ "content": "x" }), "missing_field", "/conversationId"),
        (json!({ "conversationId": chat, "content": "" }), "invalid", "/content"),
        (json!({ "conversationId": chat, "content": "x", "mine": true }), "unknown_field", "/mine"),
        (json!({ "conversationId": chat, "content": "x", "replyTo": "y" }), "not_supported", "/replyTo"),
        (json!({ "conversationId": chat, "content": "a\u{0}b" }), "invalid", "/content"),
    ] {
        let ack = device.call("message:send", body).await;
        assert_eq!((&ack["ok"], &ack["code"]), (&json!(false), &json!(code)), "{ack}");
        assert_eq!(ack["errors"][0]["pointer"], pointer, "{ack}");
    }
    assert_eq!(device.call("message:send", json!("hi")).await["code"], "wrong_type");
    let mut on_eve = eve.connect().await;
    let body = json!({ "conversationId": chat, "content": "let me in" });
    assert_eq!(on_eve.call("message:send", body).await["code"], "not_found");
    assert_eq!(bob.texts(&chat).await, Vec::<String>::new());
}
