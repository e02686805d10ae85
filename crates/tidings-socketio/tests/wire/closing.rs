//! Who closes, how the client sees it, and what the application hears.

use std::time::Duration;

use tidings_socketio::{CloseReason, Config, SendError};
use tokio::io::AsyncWriteExt;

use crate::app::TestServer;
use crate::client::Got;

fn server() -> TestServer {
    TestServer::new(Config::default())
}

#[tokio::test]
async fn close_writes_what_is_queued_and_closes_only_the_transport() {
    let mut server = server();
    let (mut client, connection) = server.joined().await;
    connection.emit("last", "1").unwrap();
    connection.close("maintenance");
    assert_eq!(connection.emit("late", ""), Err(SendError::Closed));
    client.expect(r#"42["last",1]"#).await;
    client.expect_close(1000).await;
    assert_eq!(server.ended().await, CloseReason::ServerClosed("maintenance"));
}

#[tokio::test]
async fn disconnect_says_so_first() {
    let mut server = server();
    let (mut client, connection) = server.joined().await;
    connection.emit("last", "1").unwrap();
    connection.disconnect("session_ended");
    client.expect(r#"42["last",1]"#).await;
    client.expect("41").await;
    client.expect_close(1000).await;
    assert_eq!(server.ended().await, CloseReason::ServerDisconnected("session_ended"));
    drop(client);
    server.expect_nothing_left().await;
}

#[tokio::test]
async fn handlers_in_flight_are_dropped_when_the_client_goes() {
    let mut server = server();
    let (mut client, _connection) = server.joined().await;
    client.send(r#"421["gated"]"#).await;
    client.send(r#"422["forever"]"#).await;
    client.send(r#"423["echo"]"#).await;
    client.expect("433[]").await;
    assert_eq!(std::sync::Arc::strong_count(&server.app.gate), 3);
    client.send_frame(0x88, b"").await;
    client.expect_close(1000).await;
    assert_eq!(server.ended().await, CloseReason::TransportClosed);
    assert_eq!(std::sync::Arc::strong_count(&server.app.gate), 1);
}

#[tokio::test]
async fn a_client_that_just_vanishes() {
    let mut server = server();
    let (client, _connection) = server.joined().await;
    drop(client);
    assert_eq!(server.ended().await, CloseReason::TransportClosed);
    server.expect_nothing_left().await;
}

#[tokio::test]
async fn a_handler_that_panics_ends_its_connection_and_the_application_is_told() {
    let mut server = server();
    let (mut client, _connection) = server.joined().await;
    client.send(r#"42["panic"]"#).await;
    assert_eq!(client.next().await, Got::End);
    assert_eq!(server.ended().await, CloseReason::Internal);
    server.expect_nothing_left().await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_close_its_side_is_not_waited_for() {
    let mut server = server();
    let (mut client, connection) = server.joined().await;
    connection.close("bye");
    client.expect_close(1000).await;
    // It goes on sending, as if nothing were.
    while client.io.write_all(b"noise").await.is_ok() {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    server.ended().await;
    server.expect_nothing_left().await;
}

#[tokio::test(start_paused = true)]
async fn shutdown_closes_everybody_and_waits() {
    let mut server = server();
    let (mut joined, _connection) = server.joined().await;
    let mut opening = server.client().await;
    let shutdown = server.server.shutdown(Duration::ZERO, Duration::from_secs(5));
    let clients = async {
        joined.expect_close(1001).await;
        opening.expect_close(1001).await;
        drop((joined, opening));
    };
    let (cut_off, ()) = tokio::join!(shutdown, clients);
    assert_eq!(cut_off, 0);
    assert_eq!(server.ended().await, CloseReason::ServerShutdown);
    server.expect_nothing_left().await;
}

#[tokio::test(start_paused = true)]
async fn shutdown_cuts_off_who_does_not_read() {
    let mut server = server();
    let mut client = server.client_with_pipe(1_000).await;
    client.join().await;
    let connection = server.connection().await;
    connection.emit("big", &format!("\"{}\"", "x".repeat(10_000))).unwrap();
    assert_eq!(server.server.shutdown(Duration::ZERO, Duration::from_secs(5)).await, 1);
    assert_eq!(server.ended().await, CloseReason::ServerShutdown);
    server.expect_nothing_left().await;
}
