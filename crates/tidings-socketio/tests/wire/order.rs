//! Events of one connection: begun in order, up to 32 at once, and never more.

use std::time::Duration;

use tidings_socketio::{CloseReason, Config};
use tokio::io::AsyncWriteExt;

use crate::app::TestServer;
use crate::client::frame;

#[tokio::test]
async fn events_begin_in_order_and_acknowledgements_may_overtake() {
    let mut server = TestServer::new(Config::default());
    let (mut client, _connection) = server.joined().await;
    for n in 0..20 {
        client.send(&format!(r#"42{n}["gated",{n}]"#)).await;
    }
    client.send(r#"42100["echo",100]"#).await;
    client.expect("43100[100]").await;
    let mut expected: Vec<_> = (0..20).map(|n| format!("gated:{n}")).collect();
    expected.push("echo:100".into());
    assert_eq!(server.begun(), expected);
    server.app.gate.add_permits(20);
    for n in 0..20 {
        client.expect(&format!("43{n}[{n}]")).await;
    }
}

#[tokio::test]
async fn a_handler_runs_to_its_first_wait_before_the_next_event_is_taken() {
    let mut server = TestServer::new(Config::default());
    let (mut client, _connection) = server.joined().await;
    let both = [frame(0x81, br#"42["gated",1]"#), frame(0x81, br#"420["gated",2]"#)].concat();
    client.io.write_all(&both).await.unwrap();
    server.app.gate.add_permits(2);
    client.expect("430[2]").await;
    assert_eq!(server.log(), ["take gated:1", "begin gated:1", "take gated:2", "begin gated:2"]);
}

#[tokio::test]
async fn at_the_limit_no_further_event_is_taken_until_one_is_done() {
    let mut server = TestServer::new(Config { in_flight_max: 4, ..Config::default() });
    let (mut client, connection) = server.joined().await;
    for n in 0..10 {
        client.send(&format!(r#"42{n}["gated",{n}]"#)).await;
    }
    // What the server writes meanwhile goes out all the same.
    connection.emit("meanwhile", "").unwrap();
    client.expect(r#"42["meanwhile"]"#).await;
    assert_eq!(server.begun().len(), 4);
    server.app.gate.add_permits(1);
    client.expect("430[0]").await;
    assert_eq!(server.begun().len(), 5);
    server.app.gate.add_permits(100);
    for n in 1..10 {
        client.expect(&format!("43{n}[{n}]")).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_whose_pong_is_not_read_is_not_given_up() {
    let mut server = TestServer::new(Config { in_flight_max: 1, ..Config::default() });
    let (mut client, _connection) = server.joined().await;
    client.send(r#"420["gated",0]"#).await;
    client.expect("2").await;
    client.send("3").await;
    tokio::time::sleep(Duration::from_secs(150)).await;
    server.app.gate.add_permits(1);
    client.expect("430[0]").await;
    client.expect("2").await;
    // Now it is read again, and silence counts.
    assert_eq!(server.ended().await, CloseReason::PingTimeout);
}

#[tokio::test]
async fn thousands_of_events_in_one_piece_are_all_taken_in_order() {
    let mut server = TestServer::new(Config::default());
    let (mut client, _connection) = server.joined().await;
    for n in 0..3_000 {
        client.send(&format!(r#"42["silent",{n}]"#)).await;
    }
    client.send(r#"420["echo"]"#).await;
    client.expect("430[]").await;
    let expected: Vec<_> = (0..3_000).map(|n| format!("silent:{n}")).collect();
    assert_eq!(server.begun()[..3_000], expected);
}

#[tokio::test]
async fn frames_that_are_written_piece_by_piece_arrive_whole_and_in_order() {
    let mut server = TestServer::new(Config::default());
    let mut client = server.client_with_pipe(7).await;
    client.join().await;
    let connection = server.connection().await;
    let values: Vec<String> = (0..40).map(|n| format!("\"{}{n}\"", "x".repeat(n * 9))).collect();
    for value in &values {
        connection.emit("n", value).unwrap();
    }
    for value in &values {
        client.expect(&format!(r#"42["n",{value}]"#)).await;
    }
}
