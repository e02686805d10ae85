//! Rude clients: each is closed with the right status, and only it.

use std::time::Duration;

use tidings_socketio::{CloseReason, Config, Peer, SendError, SharedFrame};
use tokio::io::AsyncWriteExt;

use crate::app::TestServer;
use crate::client::{Client, Got, frame};

/// A joined client sends one frame: the status it is closed with, and what the application hears.
async fn closed_by(first: u8, payload: &[u8]) -> (Got, CloseReason) {
    let config = Config { payload_bytes_max: 1_000, fragments_max: 4, ..Config::default() };
    let mut server = TestServer::new(config);
    let (mut client, _connection) = server.joined().await;
    client.send_frame(first, payload).await;
    (client.next().await, server.ended().await)
}

async fn closed_by_text(text: &str) -> (Got, CloseReason) {
    closed_by(0x81, text.as_bytes()).await
}

#[tokio::test]
async fn frames_and_messages_against_the_rules() {
    assert_eq!(closed_by(0x81, &[b'x'; 1_001]).await, (Got::Close(1009), CloseReason::MessageTooLarge));
    assert_eq!(closed_by(0x81, &[b'4', 0xff]).await, (Got::Close(1007), CloseReason::InvalidUtf8));
    assert_eq!(closed_by(0xc1, b"3").await, (Got::Close(1002), CloseReason::FrameError));
    assert_eq!(closed_by(0x80, b"3").await, (Got::Close(1002), CloseReason::FrameError));
    assert_eq!(closed_by(0x82, b"bytes").await, (Got::Close(1008), CloseReason::ParseError));
}

#[tokio::test]
async fn packets_against_the_rules() {
    let deep = format!(r#"42["a",{}1{}]"#, "[".repeat(40), "]".repeat(40));
    let binary = r#"4511-["a",{"_placeholder":true,"num":0}]"#;
    for text in ["", "x", "2", "0{}", "4", "4x", "42", "42{}", r#"42["connect"]"#, binary, &deep] {
        assert_eq!(closed_by_text(text).await, (Got::Close(1008), CloseReason::ParseError), "{text}");
    }
    for text in ["40", r#"40{"token":"again"}"#, r#"44{"message":"no"}"#] {
        assert_eq!(closed_by_text(text).await, (Got::Close(1008), CloseReason::InvalidState), "{text}");
    }
    assert_eq!(closed_by_text("1").await, (Got::Close(1000), CloseReason::TransportClosed));
}

#[tokio::test]
async fn an_unmasked_frame_is_refused() {
    let mut server = TestServer::new(Config::default());
    let (mut client, _connection) = server.joined().await;
    client.io.write_all(SharedFrame::event("echo", "", 0).as_bytes()).await.unwrap();
    client.expect_close(1002).await;
    assert_eq!(server.ended().await, CloseReason::FrameError);
}

#[tokio::test]
async fn an_event_before_connect_closes_and_the_application_hears_nothing() {
    let mut server = TestServer::new(Config::default());
    for text in [r#"42["echo"]"#, "41", "430[]"] {
        let mut client = server.client().await;
        client.send(text).await;
        client.expect_close(1008).await;
    }
    let mut client = server.client().await;
    client.send(r#"40{"token":"never"}"#).await;
    client.send(r#"42["echo"]"#).await;
    client.expect_close(1008).await;
    drop(client);
    server.expect_nothing_left().await;
    assert!(server.begun().is_empty());
}

#[tokio::test]
async fn endless_fragments_end() {
    let mut server = TestServer::new(Config { fragments_max: 4, ..Config::default() });
    let (mut client, _connection) = server.joined().await;
    client.send_frame(0x01, b"").await;
    for _ in 0..4 {
        client.send_frame(0x00, b"").await;
    }
    client.expect_close(1009).await;
    assert_eq!(server.ended().await, CloseReason::MessageTooLarge);
}

#[tokio::test]
async fn a_queue_over_its_budget_closes_the_connection_and_is_freed() {
    let config = Config { queue_bytes_max: 100_000, ..Config::default() };
    let mut server = TestServer::new(config);
    let mut client = server.client_with_pipe(1_000).await;
    client.join().await;
    let connection = server.connection().await;
    let frame = SharedFrame::event("big", &format!("\"{}\"", "x".repeat(1_000)), 0);
    let mut sent = 0;
    let refusal = loop {
        match connection.send(frame.clone()) {
            Ok(()) => sent += 1,
            Err(error) => break error,
        }
        assert!(connection.queue_bytes() <= 100_000);
        tokio::task::yield_now().await;
    };
    assert_eq!(refusal, SendError::QueueFull);
    assert!((85..=95).contains(&sent), "{sent} frames of 1,078 bytes and 1,000 in the pipe");
    assert_eq!(server.ended().await, CloseReason::QueueFull);
    server.expect_nothing_left().await;
    assert_eq!(connection.queue_bytes(), 0);
    assert_eq!(connection.send(frame), Err(SendError::Closed));
}

#[tokio::test]
async fn a_flood_of_pings_that_nobody_reads_the_answers_of_is_bounded() {
    let mut server = TestServer::new(Config { queue_bytes_max: 10_000, ..Config::default() });
    let mut client = server.client_with_pipe(4_096).await;
    client.join().await;
    let flood = frame(0x89, b"");
    while client.io.write_all(&flood).await.is_ok() {}
    assert_eq!(server.ended().await, CloseReason::QueueFull);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_stops_reading_is_closed_after_the_write_timeout() {
    let mut server = TestServer::new(Config::default());
    let mut client = server.client_with_pipe(1_000).await;
    client.join().await;
    let connection = server.connection().await;
    connection.emit("big", &format!("\"{}\"", "x".repeat(10_000))).unwrap();
    let start = tokio::time::Instant::now();
    assert_eq!(server.ended().await, CloseReason::WriteTimeout);
    assert_eq!(start.elapsed().as_secs(), Duration::from_secs(20).as_secs());
}

#[tokio::test]
async fn acknowledgements_that_nobody_waits_for_are_ignored_however_many() {
    let mut server = TestServer::new(Config::default());
    let (mut client, connection) = server.joined().await;
    let flood: Vec<u8> = (0..100_000).flat_map(|id| frame(0x81, format!("43{id}[]").as_bytes())).collect();
    client.io.write_all(&flood).await.unwrap();
    client.send(r#"421["echo"]"#).await;
    client.expect("431[]").await;
    assert_eq!(connection.queue_bytes(), 0);
}

/// A stream that keeps what it has taken, as TLS does, is flushed.
#[tokio::test]
async fn a_stream_that_buffers_is_flushed() {
    let mut test = TestServer::new(Config::default());
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    let server = test.server.clone();
    let peer = Peer {
        remote_addr: ([127, 0, 0, 1], 1).into(),
        headers: ::http::HeaderMap::new(),
        query: Box::default(),
    };
    tokio::spawn(async move { server.serve_stream(tokio::io::BufStream::new(theirs), peer).await });
    let mut client = Client::new(ours);
    assert!(client.text().await.starts_with("0{"));
    client.join().await;
    test.connection().await.emit("news", "1").unwrap();
    client.expect(r#"42["news",1]"#).await;
}

/// A pong that came in time counts, also behind more messages than one turn takes.
#[tokio::test]
async fn a_pong_behind_other_messages_counts() {
    let config = Config {
        ping_interval: Duration::from_millis(200),
        ping_timeout: Duration::from_millis(200),
        ..Config::default()
    };
    let mut server = TestServer::new(config);
    let (mut client, _connection) = server.joined().await;
    client.expect("2").await;
    let mut bytes = frame(0x81, br#"42["silent"]"#).repeat(600);
    bytes.extend(frame(0x81, b"3"));
    client.io.write_all(&bytes).await.unwrap();
    // The process stands still.
    std::thread::sleep(Duration::from_millis(300));
    client.send(r#"421["echo"]"#).await;
    client.expect("431[]").await;
}
