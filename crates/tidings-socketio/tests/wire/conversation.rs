//! CONNECT, events, acknowledgements.

use std::time::Duration;

use tidings_socketio::{AckError, CloseReason, Config, SharedFrame};

use crate::app::TestServer;
use crate::client::Got;

fn server() -> TestServer {
    TestServer::new(Config::default())
}

#[tokio::test]
async fn a_client_connects_with_auth() {
    let mut server = server();
    let mut client = server.client().await;
    client.send(r#"40{"token":"good"}"#).await;
    let answer = client.text().await;
    let connection = server.connection().await;
    assert_eq!(answer, format!(r#"40{{"sid":"{}"}}"#, connection.id()));
    client.expect(r#"42["ready",{"token":"good"}]"#).await;
    assert_eq!(connection.state(), r#"{"token":"good"}"#);
}

#[tokio::test]
async fn a_refused_client_is_told_why_and_may_try_again_but_not_for_ever() {
    let mut server = TestServer::new(Config { refusals_max: 2, ..Config::default() });
    let mut client = server.client().await;
    for _ in 0..2 {
        client.send(r#"40{"token":"bad"}"#).await;
        client.expect(r#"44{"message":"no","data":{"code":"token_invalid"}}"#).await;
    }
    client.expect_close(1000).await;
    drop(client);
    server.expect_nothing_left().await;
}

#[tokio::test]
async fn events_are_acknowledged_only_when_asked() {
    let mut server = server();
    let (mut client, _connection) = server.joined().await;
    client.send(r#"42["echo",1]"#).await;
    client.send(r#"421["silent",1]"#).await;
    client.send(r#"422["echo",{"a": "é"},[2]]"#).await;
    client.expect(r#"432[{"a": "é"},[2]]"#).await;
}

#[tokio::test]
async fn the_server_emits_and_is_acknowledged() {
    let mut server = server();
    let (mut client, connection) = server.joined().await;
    connection.send(SharedFrame::event("message:new", r#"{"n":1}"#, 42)).unwrap();
    client.expect(r#"42["message:new",{"n":1}]"#).await;
    client.send("439[]").await;
    client.send("427[\"ask\",1]").await;
    client.expect(r#"420["question",1]"#).await;
    client.send(r#"430["yes"]"#).await;
    client.expect(r#"437["Ok((\"\\\"yes\\\"\", []))"]"#).await;
    assert_eq!(connection.written_tag(), 42);
    assert_eq!(connection.queue_bytes(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_acknowledgement_that_does_not_come_times_out() {
    let mut server = TestServer::new(Config { acks_outstanding_max: 1, ..Config::default() });
    let (mut client, connection) = server.joined().await;
    let ask = |timeout_s| connection.emit_with_ack("question", "", &[], Duration::from_secs(timeout_s));
    let (first, second) = tokio::join!(ask(1), ask(1));
    assert_eq!((first, second), (Err(AckError::Timeout), Err(AckError::TooMany)));
    client.expect(r#"420["question"]"#).await;
    let (asked, ()) = tokio::join!(ask(9), async { connection.close("over") });
    assert_eq!(asked, Err(AckError::Closed));
}

#[tokio::test]
async fn other_namespaces_are_refused_without_harm() {
    let mut server = server();
    let mut client = server.client().await;
    client.send("40/random").await;
    client.expect(r#"44/random,{"message":"Invalid namespace"}"#).await;
    client.join().await;
    client.send(r#"40/admin,{"token":1}"#).await;
    client.expect(r#"44/admin,{"message":"Invalid namespace"}"#).await;
    client.send(r#"421["echo"]"#).await;
    client.expect("431[]").await;
    client.send(r#"42/admin,["echo"]"#).await;
    client.expect_close(1008).await;
    assert_eq!(server.ended().await, CloseReason::InvalidState);
}

#[tokio::test(start_paused = true)]
async fn after_disconnect_the_transport_lives_until_the_client_closes_it() {
    let config = Config { connect_timeout: Duration::from_secs(60), ..Config::default() };
    let mut server = TestServer::new(config);
    let (mut client, connection) = server.joined().await;
    client.send("41").await;
    assert_eq!(server.ended().await, CloseReason::ClientDisconnect);
    assert!(connection.emit("a", "").is_err());
    client.expect("2").await;
    client.send("3").await;
    client.send_frame(0x88, &1000_u16.to_be_bytes()).await;
    client.expect_close(1000).await;
}

#[tokio::test]
async fn a_websocket_ping_is_answered() {
    let server = server();
    let mut client = server.client().await;
    client.send_frame(0x89, b"are you there").await;
    assert_eq!(client.next().await, Got::Pong(b"are you there".to_vec()));
}
