//! Heartbeats and deadlines, with the clock stopped.

use std::time::Duration;

use tidings_socketio::{CloseReason, Config};
use tokio::time::Instant;

use crate::app::TestServer;

#[tokio::test(start_paused = true)]
async fn the_first_ping_comes_after_the_interval_and_pongs_keep_alive() {
    let mut server = TestServer::new(Config::default());
    let (mut client, _connection) = server.joined().await;
    for _ in 0..3 {
        let start = Instant::now();
        client.expect("2").await;
        assert_eq!(start.elapsed().as_secs(), 25);
        client.send("3").await;
    }
    client.expect("2").await;
    let start = Instant::now();
    assert_eq!(server.ended().await, CloseReason::PingTimeout);
    assert_eq!(start.elapsed().as_secs(), 20);
}

#[tokio::test(start_paused = true)]
async fn no_connect_in_time_closes() {
    let mut server = TestServer::new(Config::default());
    let mut client = server.client().await;
    let start = Instant::now();
    client.expect_close(1008).await;
    assert_eq!(start.elapsed().as_secs(), 10);
    drop(client);
    server.expect_nothing_left().await;
}

#[tokio::test(start_paused = true)]
async fn an_application_that_never_decides_runs_into_the_same_timeout() {
    let server = TestServer::new(Config::default());
    let mut client = server.client().await;
    client.send(r#"40{"token":"never"}"#).await;
    client.expect_close(1008).await;
}

#[tokio::test(start_paused = true)]
async fn heartbeats_go_on_while_the_application_decides() {
    let config = Config { ping_interval: Duration::from_secs(1), ..Config::default() };
    let server = TestServer::new(config);
    let mut client = server.client().await;
    client.send(r#"40{"token":"slow"}"#).await;
    for _ in 0..2 {
        client.expect("2").await;
        client.send("3").await;
    }
    assert!(client.text().await.starts_with("40{\"sid\""));
}

#[tokio::test(start_paused = true)]
async fn a_frame_wakes_a_connection_that_sleeps() {
    let mut server = TestServer::new(Config::default());
    let (mut client, connection) = server.joined().await;
    for _ in 0..2 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let start = Instant::now();
        connection.emit("now", "").unwrap();
        client.expect(r#"42["now"]"#).await;
        assert!(start.elapsed() < Duration::from_secs(1));
    }
}
