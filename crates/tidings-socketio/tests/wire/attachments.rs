//! Binary events and acknowledgements, both ways.

use std::time::Duration;

use bytes::Bytes;
use tidings_socketio::{CloseReason, Config};

use crate::app::TestServer;
use crate::client::{Client, Got};

const TWO: &str = r#"{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}"#;

async fn expect_binary(client: &mut Client<tokio::io::DuplexStream>, bytes: &[u8]) {
    assert_eq!(client.next().await, Got::Binary(bytes.to_vec()));
}

#[tokio::test]
async fn an_event_waits_for_its_attachments_and_is_acknowledged_with_some() {
    let mut server = TestServer::new(Config::default());
    let (mut client, _connection) = server.joined().await;
    client.send(&format!(r#"452-7["echo",{TWO}]"#)).await;
    client.send_frame(0x82, &[1, 2, 3]).await;
    assert_eq!(server.log(), [] as [String; 0]);
    client.send_frame(0x82, &[]).await;
    client.expect(&format!("462-7[{TWO}]")).await;
    expect_binary(&mut client, &[1, 2, 3]).await;
    expect_binary(&mut client, &[]).await;
}

#[tokio::test]
async fn the_server_emits_attachments_and_takes_an_acknowledgement_with_some() {
    let mut server = TestServer::new(Config::default());
    let (mut client, connection) = server.joined().await;
    connection.emit_binary("photo", TWO, &[Bytes::from_static(&[1]), Bytes::from_static(&[2])]).unwrap();
    client.expect(&format!(r#"452-["photo",{TWO}]"#)).await;
    expect_binary(&mut client, &[1]).await;
    expect_binary(&mut client, &[2]).await;
    let attachments = [Bytes::from_static(&[9, 9])];
    let one = r#"{"_placeholder":true,"num":0}"#;
    let ask = connection.emit_with_ack("question", one, &attachments, Duration::from_secs(5));
    let answer = async {
        client.expect(&format!(r#"451-0["question",{one}]"#)).await;
        expect_binary(&mut client, &[9, 9]).await;
        client.send(&format!("461-0[{one},2]")).await;
        client.send_frame(0x82, &[7]).await;
    };
    let (reply, ()) = tokio::join!(ask, answer);
    let reply = reply.unwrap();
    assert_eq!((reply.args_json, reply.attachments.concat()), (format!("{one},2"), vec![7]));
}

#[tokio::test]
async fn attachments_that_nobody_announced_or_that_do_not_follow_close() {
    for between in [r#"42["echo"]"#, "41", "40/custom"] {
        let mut server = TestServer::new(Config::default());
        let (mut client, _connection) = server.joined().await;
        client.send(&format!(r#"452-["echo",{TWO}]"#)).await;
        client.send_frame(0x82, &[1]).await;
        client.send(between).await;
        client.expect_close(1008).await;
        assert_eq!(server.ended().await, CloseReason::ParseError);
        assert_eq!(server.log(), [] as [String; 0]);
    }
    let mut server = TestServer::new(Config::default());
    let (mut client, _connection) = server.joined().await;
    client.send_frame(0x82, &[1]).await;
    client.expect_close(1008).await;
    assert_eq!(server.ended().await, CloseReason::ParseError);
}

#[tokio::test]
async fn a_packet_and_its_attachments_are_bounded_together() {
    let config = Config { packet_bytes_max: 2_000, payload_bytes_max: 1_500, ..Config::default() };
    let mut server = TestServer::new(config);
    let (mut client, _connection) = server.joined().await;
    client.send(&format!(r#"452-["echo",{TWO}]"#)).await;
    client.send_frame(0x82, &[0; 1_000]).await;
    client.send_frame(0x82, &[0; 1_000]).await;
    client.expect_close(1009).await;
    assert_eq!(server.ended().await, CloseReason::MessageTooLarge);
}

#[tokio::test]
async fn the_heartbeat_goes_on_between_attachments() {
    let mut server = TestServer::new(Config::default());
    let (mut client, _connection) = server.joined().await;
    client.send(r#"451-1["echo",{"_placeholder":true,"num":0}]"#).await;
    client.send("3").await;
    client.send_frame(0x89, b"ping").await;
    assert_eq!(client.next().await, Got::Pong(b"ping".to_vec()));
    client.send_frame(0x82, &[5]).await;
    client.expect(r#"461-1[{"_placeholder":true,"num":0}]"#).await;
}

/// X2: nothing is kept of a packet for a namespace that was not joined.
#[tokio::test]
async fn attachments_of_one_who_has_not_joined_are_not_waited_for() {
    for namespace in ["", "/custom,"] {
        let server = TestServer::new(Config::default());
        let mut client = server.client().await;
        if !namespace.is_empty() {
            client.join().await;
        }
        client.send(&format!(r#"4510-{namespace}["echo",{{"_placeholder":true,"num":0}}]"#)).await;
        client.expect_close(1008).await;
    }
}
