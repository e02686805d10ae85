//! The handshake, the end of a session, and the limits of connections.

use serde_json::{Value, json};
use tidings_testkit::actors::{Connected, Device};

use crate::harness::TestServer;

async fn refusal(server: &TestServer, auth: Value) -> Value {
    match Device::connect(&server.api.url, auth).await {
        Connected::Refused(error) => error,
        Connected::Yes(_) => panic!("it was let in"),
    }
}

#[tokio::test]
async fn a_device_is_told_who_it_is_when_it_is_live() {
    let server = TestServer::start().await;
    let alice = server.user("alice").await;
    let mut device = alice.open(json!({ "token": alice.token })).await;
    let ready = device.expect("ready").await;
    assert_eq!((&ready["userId"], &ready["sessionId"]), (&json!(alice.id), &json!(alice.session)));
    for field in ["connectionId", "next", "serverTime"] {
        assert!(ready[field].is_string(), "{field}");
    }
}

#[tokio::test]
async fn a_handshake_that_is_wrong_says_what_to_do() {
    let server = TestServer::start().await;
    let alice = server.user("alice").await;
    for (auth, code, pointer) in [
        (json!({}), "token_missing", Value::Null),
        (json!({ "token": null }), "token_missing", Value::Null),
        (json!({ "token": 7 }), "wrong_type", json!("/token")),
        (json!({ "token": "x" }), "token_invalid", Value::Null),
        (json!({ "token": alice.refresh_token }), "token_invalid", Value::Null),
        (json!({ "token": alice.token, "colour": "red" }), "unknown_field", json!("/colour")),
    ] {
        let error = refusal(&server, auth.clone()).await;
        assert_eq!(error["data"]["code"], code, "{auth}: {error}");
        assert_eq!(error["data"]["errors"][0]["pointer"], pointer, "{error}");
        assert!(error["data"]["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{error}");
    }
}

#[tokio::test]
async fn an_event_that_does_not_exist_is_refused() {
    let server = TestServer::start().await;
    let alice = server.user("alice").await;
    let mut device = alice.connect().await;
    assert_eq!(device.call("message:explode", json!({})).await["code"], "unknown_event");
    device.expect_nothing().await;
}

#[tokio::test]
async fn an_expired_token_ends_the_socket_and_the_next_one_resumes() {
    let server = TestServer::start().await;
    let [alice, bob] = server.users(["alice", "bob"]).await;
    let chat = alice.direct_with(&bob).await;
    let mut device = bob.connect().await;
    alice.send(&chat, "one").await;
    device.expect_message("one").await;
    server.clock.advance_seconds(601);
    assert_eq!(device.expect("session:expired").await["code"], "token_expired");
    assert_eq!(device.expect_end().await, "disconnect");
    let [alice, bob] = [alice.login_again("x").await, bob.login_again("x").await];
    alice.send(&chat, "two").await;
    let mut device = bob.resume(&device.next.unwrap()).await;
    let missed = device.expect_ready().await;
    let texts: Vec<_> = missed.iter().filter_map(|event| event.body["content"].as_str()).collect();
    assert_eq!(texts, ["two"]);
}

#[tokio::test]
async fn a_socket_that_is_renewed_outlives_its_first_token() {
    let server = TestServer::start().await;
    let [alice, bob] = server.users(["alice", "bob"]).await;
    let chat = alice.direct_with(&bob).await;
    let mut device = bob.connect().await;
    server.clock.advance_seconds(590);
    let renewed = bob.refresh().await;
    let ack = device.call("session:renew", json!({ "token": renewed.token })).await;
    assert_eq!(ack["ok"], true, "{ack}");
    // One that lasts less takes nothing away.
    assert_eq!(
        device.call("session:renew", json!({ "token": bob.token })).await["expiresAt"],
        ack["expiresAt"]
    );
    server.clock.advance_seconds(590);
    alice.refresh().await.send(&chat, "still there").await;
    device.expect_message("still there").await;
    server.clock.advance_seconds(11);
    assert_eq!(device.expect("session:expired").await["code"], "token_expired");
    assert_eq!(device.expect_end().await, "disconnect");
}

#[tokio::test]
async fn a_socket_is_renewed_by_its_own_session_alone() {
    let server = TestServer::start().await;
    let [alice, bob] = server.users(["alice", "bob"]).await;
    let mut device = alice.connect().await;
    let laptop = alice.login_again("laptop").await;
    for (body, code) in [
        (json!({ "token": bob.token }), "token_invalid"),
        (json!({ "token": laptop.token }), "token_invalid"),
        (json!({ "token": alice.refresh_token }), "token_invalid"),
        (json!({}), "missing_field"),
        (json!({ "token": alice.token, "colour": "red" }), "unknown_field"),
    ] {
        assert_eq!(device.call("session:renew", body.clone()).await["code"], code, "{body}");
    }
    server.clock.advance_seconds(601);
    assert_eq!(device.expect("session:expired").await["code"], "token_expired");
}

/// Sockets are looked at once a second; who sends in between is not let through.
#[tokio::test]
async fn what_is_sent_after_the_token_has_expired_is_not_stored() {
    let server = TestServer::start().await;
    let [alice, bob] = server.users(["alice", "bob"]).await;
    let chat = alice.direct_with(&bob).await;
    let mut device = alice.connect().await;
    server.clock.advance_seconds(601);
    device.begin("message:send", &json!({ "conversationId": chat, "content": "too late" })).await;
    assert_eq!(device.expect("session:expired").await["code"], "token_expired");
    assert_eq!(device.expect_end().await, "disconnect");
    assert_eq!(bob.login_again("x").await.texts(&chat).await, [] as [String; 0]);
}

#[tokio::test]
async fn a_user_has_a_bounded_number_of_connections() {
    let server = TestServer::with_limits(&[("user_connections_max", 2)]).await;
    let [alice, bob] = server.users(["alice", "bob"]).await;
    let (first, _second) = (alice.connect().await, alice.connect().await);
    assert_eq!(
        refusal(&server, json!({ "token": alice.token })).await["data"]["code"],
        "too_many_connections"
    );
    bob.connect().await;
    drop(first);
    // The server notices the end a moment later.
    while let Connected::Refused(error) =
        Device::connect(&server.api.url, json!({ "token": alice.token })).await
    {
        assert_eq!(error["data"]["code"], "too_many_connections");
        tokio::task::yield_now().await;
    }
}
