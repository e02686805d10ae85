//! Through a real listener, hyper, and a client library that is not ours.

use std::net::SocketAddr;

use futures_util::{SinkExt, StreamExt};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tidings_socketio::{Accepted, AllowedOrigins, CloseReason, Config, SharedFrame};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::{self, Message};

use crate::app::TestServer;
use crate::client::{Client, frame};

pub async fn listen(config: Config) -> (TestServer, SocketAddr) {
    let test = TestServer::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = test.server.clone();
    tokio::spawn(async move {
        while let Ok((stream, remote_addr)) = listener.accept().await {
            let server = server.clone();
            let service = service_fn(move |request| {
                let server = server.clone();
                async move { Ok::<_, std::convert::Infallible>(server.handle(request, remote_addr).await) }
            });
            tokio::spawn(
                http1::Builder::new().serve_connection(TokioIo::new(stream), service).with_upgrades(),
            );
        }
    });
    (test, address)
}

/// One request by hand; the status line and the body of the answer.
async fn answer(address: SocketAddr, query: &str, headers: &str) -> (String, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request =
        format!("GET /socket.io/?{query} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.lines().next().unwrap().to_owned(), body.to_owned())
}

#[tokio::test]
async fn a_client_library_connects_talks_and_closes() {
    let (mut server, address) = listen(Config::default()).await;
    let url = format!("ws://{address}/socket.io/?EIO=4&transport=websocket");
    let (mut client, _) = tokio_tungstenite::connect_async(url).await.unwrap();
    assert!(client.next().await.unwrap().unwrap().to_text().unwrap().starts_with("0{"));
    client.send(Message::text(r#"40{"token":"x"}"#)).await.unwrap();
    assert!(client.next().await.unwrap().unwrap().to_text().unwrap().starts_with("40{"));
    assert_eq!(client.next().await.unwrap().unwrap(), Message::text(r#"42["ready",{"token":"x"}]"#));
    let large = "x".repeat(200_000);
    client.send(Message::text(format!(r#"420["echo","{large}"]"#))).await.unwrap();
    assert_eq!(client.next().await.unwrap().unwrap(), Message::text(format!(r#"430["{large}"]"#)));
    client.close(None).await.unwrap();
    while client.next().await.is_some() {}
    drop(client);
    assert_eq!(server.ended().await, CloseReason::TransportClosed);
    server.expect_nothing_left().await;
}

#[tokio::test]
async fn thousands_of_shared_frames_arrive_whole_and_in_order() {
    let (mut server, address) = listen(Config::default()).await;
    let mut client = upgraded(address, "", &frame(0x81, b"40")).await;
    assert!(client.text().await.starts_with("0{"));
    // The CONNECT came with the request: what hyper had read ahead is not lost.
    assert!(client.text().await.starts_with("40{"));
    client.expect(r#"42["ready"]"#).await;
    let connection = server.connection().await;
    for n in 0..3_000 {
        connection.send(SharedFrame::event("n", &n.to_string(), n)).unwrap();
    }
    for n in 0..3_000 {
        client.expect(&format!(r#"42["n",{n}]"#)).await;
    }
    assert_eq!(connection.written_tag(), 2_999);
    assert_eq!(connection.queue_bytes(), 0);
}

/// A raw client whose first frames travel with the upgrade request.
pub async fn upgraded(address: SocketAddr, query: &str, ahead: &[u8]) -> Client<TcpStream> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!(
        "GET /socket.io/?EIO=4&transport=websocket{query} HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\n\
         Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    stream.write_all(&[request.as_bytes(), ahead].concat()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    let head = String::from_utf8(head).unwrap();
    assert!(head.starts_with("HTTP/1.1 101") && head.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{head}");
    Client::new(stream)
}

#[tokio::test]
async fn the_errors_are_those_of_the_node_server() {
    let origins = AllowedOrigins::List(vec!["https://chat.example".into()]);
    let (_server, address) = listen(Config { allowed_origins: origins, ..Config::default() }).await;
    let bad = "HTTP/1.1 400 Bad Request";
    let upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\n";
    for (query, headers, status, body) in [
        ("EIO=4&transport=carrier-pigeon", "", bad, r#"{"code":0,"message":"Transport unknown"}"#),
        ("EIO=4&transport=websocket&sid=x", upgrade, bad, r#"{"code":1,"message":"Session ID unknown"}"#),
        ("EIO=4&transport=websocket", "", bad, r#"{"code":3,"message":"Bad request"}"#),
        ("EIO=3&transport=websocket", upgrade, bad, r#"{"code":5,"message":"Unsupported protocol version"}"#),
        (
            "EIO=4&transport=websocket",
            "Origin: https://evil.example\r\n",
            "HTTP/1.1 403 Forbidden",
            r#"{"code":4,"message":"Forbidden"}"#,
        ),
    ] {
        assert_eq!(answer(address, query, headers).await, (status.into(), body.into()));
    }
}

#[tokio::test]
async fn a_full_server_answers_503_until_somebody_leaves() {
    let (mut server, address) = listen(Config { connections_max: 1, ..Config::default() }).await;
    let url = format!("ws://{address}/socket.io/?EIO=4&transport=websocket");
    let first = upgraded(address, "", b"").await;
    match tokio_tungstenite::connect_async(&url).await {
        Err(tungstenite::Error::Http(response)) => assert_eq!(response.status(), 503),
        other => panic!("{other:?}"),
    }
    drop(first);
    server.expect_nothing_left().await;
    assert!(tokio_tungstenite::connect_async(&url).await.is_ok());
}

#[tokio::test]
async fn a_connection_that_begins_with_its_upgrade_is_taken_and_any_other_is_given_back() {
    let mut test = TestServer::new(Config::default());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let accept = async |begin: &[u8]| {
        let mut client = TcpStream::connect(address).await.unwrap();
        client.write_all(begin).await.unwrap();
        let (stream, remote_addr) = listener.accept().await.unwrap();
        let ours = |path: &str| path == "/socket.io/";
        (client, test.server.accept(stream, remote_addr, ours, || "x-request-id: 7\r\n".to_owned()).await)
    };
    let upgrade = "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n\
        Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    for other in [
        "GET / HTTP/1.1\r\n\r\n".to_owned(),
        upgrade.replace("/socket.io/", "/elsewhere/"),
        upgrade.replace("EIO=4", "EIO=4&sid=AAAAAAAAAAAAAAAAAAAA"),
        upgrade.replace("EIO=4", "EIO=3"),
        upgrade.replace("Version: 13", "Version: 8"),
        upgrade[..100].to_owned(),
        String::new() + "\u{16}\u{3}\u{1}",
    ] {
        let (_client, accepted) = accept(other.as_bytes()).await;
        let Accepted::Http(mut stream) = accepted else { panic!("{other}") };
        let mut unread = vec![0; other.len()];
        stream.read_exact(&mut unread).await.unwrap();
        assert_eq!(unread, other.as_bytes());
    }
    let (mut client, accepted) = accept(&[upgrade.as_bytes(), &frame(0x81, b"40")].concat()).await;
    assert!(matches!(accepted, Accepted::Taken));
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await.unwrap());
    }
    let head = String::from_utf8(head).unwrap();
    assert!(head.starts_with("HTTP/1.1 101 Switching Protocols\r\n"), "{head}");
    for line in
        ["connection: Upgrade", "sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", "x-request-id: 7"]
    {
        assert!(head.contains(&format!("\r\n{line}\r\n")), "{head}");
    }
    let mut client = Client::new(client);
    assert!(client.text().await.starts_with("0{"));
    assert!(client.text().await.starts_with("40{"));
    client.expect(r#"42["ready"]"#).await;
    let connection = test.connection().await;
    connection.emit("a", "").unwrap();
    client.expect(r#"42["a"]"#).await;
}

#[tokio::test]
async fn one_address_has_its_share_of_the_places() {
    let mut server = TestServer::new(Config { address_connections_max: 2, ..Config::default() });
    let come = async |last| server.client_from([192, 0, 2, last], 1_000).await;
    let held = [come(1).await, come(1).await];
    assert!(held.iter().all(Option::is_some));
    assert!(come(1).await.is_none());
    assert!(come(2).await.is_some());
    drop(held);
    server.expect_nothing_left().await;
    assert!(server.client_from([192, 0, 2, 1], 1_000).await.is_some());
}

#[tokio::test]
async fn a_reader_that_sleeps_costs_no_more_than_its_budget() {
    let (mut server, address) = listen(Config::default()).await;
    let mut client = upgraded(address, "", &frame(0x81, b"40")).await;
    assert!(client.text().await.starts_with("0{"));
    let connection = server.connection().await;
    let frame = SharedFrame::event("big", &format!("\"{}\"", "x".repeat(10_000)), 0);
    while connection.send(frame.clone()).is_ok() {
        assert!(connection.queue_bytes() <= Config::default().queue_bytes_max);
        tokio::task::yield_now().await;
    }
    assert_eq!(server.ended().await, CloseReason::QueueFull);
    server.expect_nothing_left().await;
}
