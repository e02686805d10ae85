//! Long-polling, request by request, on a listener of its own.

use std::net::SocketAddr;
use std::time::Duration;

use tidings_socketio::{AllowedOrigins, CloseReason, Config};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::app::TestServer;
use crate::http::listen;

/// One request on a connection of its own.
pub struct Asked(TcpStream);

/// A client of one session.
pub struct Poller {
    pub address: SocketAddr,
    pub sid: String,
}

/// The status, the head and the body of an answer.
pub type Answer = (u16, String, String);

pub async fn ask(address: SocketAddr, request: &str, headers: &str, body: &[u8]) -> Asked {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let length = body.len();
    let head = format!(
        "{request} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}Content-Length: {length}\r\n\r\n"
    );
    stream.write_all(&[head.as_bytes(), body].concat()).await.unwrap();
    Asked(stream)
}

impl Asked {
    pub async fn answer(mut self) -> Answer {
        let mut answer = String::new();
        self.0.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, head.to_lowercase(), body.to_owned())
    }
}

impl Poller {
    pub async fn open(address: SocketAddr) -> Self {
        let request = "GET /socket.io/?EIO=4&transport=polling";
        let (status, head, body) = ask(address, request, "", b"").await.answer().await;
        assert_eq!(status, 200, "{body}");
        assert!(head.contains("content-type: text/plain; charset=utf-8"), "{head}");
        let open: serde_json::Value = serde_json::from_str(body.strip_prefix('0').unwrap()).unwrap();
        assert_eq!(open["upgrades"], serde_json::json!(["websocket"]));
        Self { address, sid: open["sid"].as_str().unwrap().to_owned() }
    }

    /// A poll whose answer is not waited for.
    pub async fn begin_poll(&self) -> Asked {
        let request = format!("GET /socket.io/?EIO=4&transport=polling&sid={}", self.sid);
        ask(self.address, &request, "", b"").await
    }

    /// The status and the payload.
    pub async fn poll(&self) -> (u16, String) {
        let (status, _, body) = self.begin_poll().await.answer().await;
        (status, body)
    }

    pub async fn expect(&self, payload: &str) {
        assert_eq!(self.poll().await, (200, payload.to_owned()));
    }

    pub async fn post(&self, payload: impl AsRef<[u8]>) -> u16 {
        let request = format!("POST /socket.io/?EIO=4&transport=polling&sid={}", self.sid);
        let (status, _, body) = ask(self.address, &request, "", payload.as_ref()).await.answer().await;
        assert!(status != 200 || body == "ok", "{body}");
        status
    }

    pub async fn join(&self) {
        assert_eq!(self.post("40").await, 200);
        let (status, payload) = self.poll().await;
        assert_eq!(status, 200);
        let (connect, ready) = payload.split_once('\u{1e}').unwrap();
        assert!(connect.starts_with(r#"40{"sid":""#) && ready == r#"42["ready"]"#, "{payload}");
    }

    pub async fn expect_gone(&self) {
        assert_eq!(self.poll().await.0, 400);
        assert_eq!(self.post("3").await, 400);
    }
}

async fn joined(config: Config) -> (TestServer, Poller) {
    let (mut server, address) = listen(config).await;
    let client = Poller::open(address).await;
    client.join().await;
    server.connection().await;
    (server, client)
}

#[tokio::test]
async fn a_session_talks_by_requests() {
    let (mut server, address) = listen(Config::default()).await;
    let client = Poller::open(address).await;
    client.join().await;
    let connection = server.connection().await;
    assert_eq!(client.post("421[\"echo\",1]\u{1e}422[\"echo\",\"é\"]\u{1e}3").await, 200);
    client.expect("431[1]\u{1e}432[\"é\"]").await;
    // A poll that waits is answered as soon as there is something.
    let poll = client.begin_poll().await;
    sleep(Duration::from_millis(20)).await;
    connection.emit("news", "1").unwrap();
    assert_eq!(poll.answer().await.2, r#"42["news",1]"#);
    assert_eq!(connection.queue_bytes(), 0);
    connection.emit("a", "").unwrap();
    connection.emit("b", "").unwrap();
    client.expect("42[\"a\"]\u{1e}42[\"b\"]").await;
}

/// The Python client reads no more than 16 in one payload.
#[tokio::test]
async fn an_answer_has_few_packets_and_the_next_has_the_rest() {
    let (mut server, address) = listen(Config::default()).await;
    let client = Poller::open(address).await;
    client.join().await;
    let connection = server.connection().await;
    let one = r#"{"_placeholder":true,"num":0}"#;
    for n in 0..12 {
        connection.emit_binary("n", &format!("{n},{one}"), &[vec![n].into()]).unwrap();
    }
    let mut packets = Vec::new();
    while packets.len() < 24 {
        let (status, payload) = client.poll().await;
        let few: Vec<_> = payload.split('\u{1e}').map(str::to_owned).collect();
        assert!(status == 200 && few.len() <= 16, "{status} {}", few.len());
        packets.extend(few);
    }
    for (n, event) in packets.chunks(2).enumerate() {
        assert_eq!(event[0], format!(r#"451-["n",{n},{one}]"#));
    }
}

/// The Java client breaks its base64 into lines, as mails do.
#[tokio::test]
async fn base64_in_lines_is_base64() {
    let (_server, client) = joined(Config::default()).await;
    let one = r#"{"_placeholder":true,"num":0}"#;
    assert_eq!(client.post(format!("451-7[\"echo\",{one}]\u{1e}bAQID\r\nBA==\n")).await, 200);
    client.expect(&format!("461-7[{one}]\u{1e}bAQIDBA==")).await;
}

#[tokio::test]
async fn attachments_travel_as_base64() {
    let (_server, client) = joined(Config::default()).await;
    let one = r#"{"_placeholder":true,"num":0}"#;
    assert_eq!(client.post(format!("451-7[\"echo\",{one}]\u{1e}bAQIDBA==")).await, 200);
    client.expect(&format!("461-7[{one}]\u{1e}bAQIDBA==")).await;
}

#[tokio::test]
async fn what_cannot_be_read_ends_the_session() {
    let too_many = "3\u{1e}".repeat(100_000);
    let config = Config { payload_packets_max: 1_000, ..Config::default() };
    for (payload, status, reason) in [
        (&b"abc"[..], 400, CloseReason::ParseError),
        (b"", 400, CloseReason::ParseError),
        (b"3\x1e", 400, CloseReason::ParseError),
        (b"b!", 400, CloseReason::ParseError),
        (b"42[\"echo\"]\x1e4x", 400, CloseReason::ParseError),
        (b"2", 400, CloseReason::ParseError),
        (b"bAQID", 400, CloseReason::ParseError),
        (b"40", 400, CloseReason::InvalidState),
        (b"42[\"\xff\"]", 400, CloseReason::InvalidUtf8),
        (too_many.as_bytes(), 413, CloseReason::MessageTooLarge),
        (&[b'x'; 262_145], 413, CloseReason::MessageTooLarge),
    ] {
        let (mut server, client) = joined(config.clone()).await;
        let shown = String::from_utf8_lossy(&payload[..payload.len().min(20)]).into_owned();
        assert_eq!(client.post(payload).await, status, "{shown}");
        assert_eq!(server.ended().await, reason, "{shown}");
        client.expect_gone().await;
        server.expect_nothing_left().await;
    }
}

#[tokio::test]
async fn a_body_without_a_length_is_bounded_too() {
    let (mut server, client) = joined(Config::default()).await;
    let mut stream = TcpStream::connect(client.address).await.unwrap();
    let head = format!(
        "POST /socket.io/?EIO=4&transport=polling&sid={} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
        client.sid
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let chunk = [b"10000\r\n".as_slice(), &[b'4'; 0x10000], b"\r\n"].concat();
    // The server may have closed before it has read everything.
    for _ in 0..5 {
        let _ = stream.write_all(&chunk).await;
    }
    assert_eq!(server.ended().await, CloseReason::MessageTooLarge);
    client.expect_gone().await;
}

#[tokio::test]
async fn a_second_poll_beside_the_first_ends_the_session() {
    let (mut server, client) = joined(Config::default()).await;
    let first = client.begin_poll().await;
    sleep(Duration::from_millis(20)).await;
    assert_eq!(client.poll().await.0, 400);
    assert_eq!(first.answer().await.2, "1");
    assert_eq!(server.ended().await, CloseReason::PollOverlap);
    client.expect_gone().await;
}

#[tokio::test]
async fn a_poll_that_is_cancelled_ends_the_session() {
    let (mut server, client) = joined(Config::default()).await;
    let poll = client.begin_poll().await;
    sleep(Duration::from_millis(20)).await;
    drop(poll);
    assert_eq!(server.ended().await, CloseReason::TransportError);
    client.expect_gone().await;
}

#[tokio::test]
async fn a_post_that_breaks_off_or_overlaps_ends_the_session() {
    let begin = |address, sid: &str| {
        let request = format!(
            "POST /socket.io/?EIO=4&transport=polling&sid={sid} HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n42"
        );
        async move {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(request.as_bytes()).await.unwrap();
            sleep(Duration::from_millis(20)).await;
            stream
        }
    };
    let (mut server, client) = joined(Config::default()).await;
    drop(begin(client.address, &client.sid).await);
    assert_eq!(server.ended().await, CloseReason::TransportError);
    let (mut server, client) = joined(Config::default()).await;
    let slow = begin(client.address, &client.sid).await;
    assert_eq!(client.post("3").await, 400);
    assert_eq!(server.ended().await, CloseReason::PollOverlap);
    drop(slow);
    let config = Config { body_timeout: Duration::from_millis(50), ..Config::default() };
    let (mut server, client) = joined(config).await;
    let _slow = begin(client.address, &client.sid).await;
    assert_eq!(server.ended().await, CloseReason::TransportError);
}

#[tokio::test]
async fn a_post_waits_while_the_handlers_are_busy() {
    let (server, client) = joined(Config { in_flight_max: 2, ..Config::default() }).await;
    let request = format!("POST /socket.io/?EIO=4&transport=polling&sid={}", client.sid);
    let payload = ["421[\"gated\"]", "422[\"gated\"]", "423[\"gated\"]"].join("\u{1e}");
    let post = ask(client.address, &request, "", payload.as_bytes()).await;
    let answer = tokio::spawn(post.answer());
    while server.begun().len() < 2 {
        sleep(Duration::from_millis(1)).await;
    }
    sleep(Duration::from_millis(20)).await;
    assert_eq!(server.begun().len(), 2, "no more than are worked on at once");
    assert!(!answer.is_finished());
    server.app.gate.add_permits(3);
    assert_eq!(answer.await.unwrap().0, 200);
}

#[tokio::test]
async fn the_client_closes_and_its_poll_is_let_go() {
    let (mut server, client) = joined(Config::default()).await;
    let poll = client.begin_poll().await;
    sleep(Duration::from_millis(20)).await;
    assert_eq!(client.post("1").await, 200);
    assert_eq!(poll.answer().await.2, "6");
    assert_eq!(server.ended().await, CloseReason::TransportClosed);
    client.expect_gone().await;
    // One that was on its way when the session ended.
    let (_server, client) = joined(Config::default()).await;
    assert_eq!(client.post("1").await, 200);
    client.expect("6").await;
    client.expect_gone().await;
}

#[tokio::test]
async fn the_heartbeat_goes_by_polls() {
    let config = Config {
        ping_interval: Duration::from_millis(100),
        ping_timeout: Duration::from_millis(100),
        ..Config::default()
    };
    let (mut server, client) = joined(config).await;
    for _ in 0..3 {
        client.expect("2").await;
        assert_eq!(client.post("3").await, 200);
    }
    assert_eq!(timeout(Duration::from_secs(5), server.ended()).await, Ok(CloseReason::PingTimeout));
    client.expect_gone().await;
}

#[tokio::test]
async fn the_application_says_goodbye_by_the_next_poll() {
    let (mut server, address) = listen(Config::default()).await;
    let client = Poller::open(address).await;
    client.join().await;
    let connection = server.connection().await;
    connection.emit("last", "").unwrap();
    connection.disconnect("over");
    // Apart, because the JavaScript client takes a close before what stands beside it, and would come back.
    client.expect("42[\"last\"]\u{1e}41").await;
    client.expect("1").await;
    assert_eq!(server.ended().await, CloseReason::ServerDisconnected("over"));
    client.expect_gone().await;
    server.expect_nothing_left().await;
}

#[tokio::test]
async fn a_large_queue_is_given_in_pieces() {
    let config = Config { queue_bytes_max: 4 * 1024 * 1024, ..Config::default() };
    let (mut server, address) = listen(config).await;
    let client = Poller::open(address).await;
    client.join().await;
    let connection = server.connection().await;
    let large = format!("\"{}\"", "x".repeat(100_000));
    for _ in 0..10 {
        connection.emit("large", &large).unwrap();
    }
    let mut packets = 0;
    while packets < 10 {
        let (status, payload) = client.poll().await;
        assert_eq!(status, 200);
        assert!(payload.len() < 400_000, "{}", payload.len());
        packets += payload.split('\u{1e}').count();
    }
    assert_eq!((packets, connection.queue_bytes()), (10, 0));
}

#[tokio::test]
async fn pages_of_allowed_origins_may_ask() {
    let origins = AllowedOrigins::List(vec!["https://chat.example".into()]);
    let (_server, address) = listen(Config { allowed_origins: origins, ..Config::default() }).await;
    let ask = |request: &'static str, origin: &'static str| async move {
        let headers = format!("Origin: {origin}\r\n");
        ask(address, request, &headers, b"").await.answer().await
    };
    let allowed = "access-control-allow-origin: https://chat.example";
    for (request, status) in [
        ("GET /socket.io/?EIO=4&transport=polling", 200),
        ("OPTIONS /socket.io/?EIO=4&transport=polling", 204),
        ("GET /socket.io/?EIO=4&transport=polling&sid=gone", 400),
    ] {
        let (got, head, _) = ask(request, "https://chat.example").await;
        assert!(got == status && head.contains(allowed), "{head}");
        for origin in ["https://evil.example", "null", "https://chat.example.evil.example"] {
            let (got, head, _) = ask(request, origin).await;
            assert!(got == 403 && !head.contains("access-control"), "{head}");
        }
    }
}

/// As socket.io-client does: it closes its side by a POST, and polls no more.
#[tokio::test]
async fn one_who_was_disconnected_and_says_goodbye_is_gone_at_once() {
    let (mut server, address) = listen(Config::default()).await;
    let client = Poller::open(address).await;
    client.join().await;
    let connection = server.connection().await;
    let poll = client.begin_poll().await;
    sleep(Duration::from_millis(20)).await;
    connection.disconnect("kicked");
    assert_eq!(poll.answer().await.2, "41");
    assert_eq!(timeout(Duration::from_secs(5), client.post("1")).await, Ok(200));
    assert_eq!(server.ended().await, CloseReason::ServerDisconnected("kicked"));
    server.expect_nothing_left().await;
}

/// A server that stops takes no new connections, so most clients can send no other poll.
#[tokio::test(start_paused = true)]
async fn a_shutdown_does_not_wait_long_for_a_poll() {
    let (server, client) = joined(Config::default()).await;
    let begun = tokio::time::Instant::now();
    assert_eq!(server.server.shutdown(Duration::ZERO, Duration::from_secs(20)).await, 0);
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    drop(client);
}

#[tokio::test]
async fn a_preflight_lets_the_headers_through_that_it_asks_for() {
    let (_server, address) = listen(Config::default()).await;
    let headers = "Origin: https://a.example\r\nAccess-Control-Request-Headers: x-tenant\r\n";
    let asked = ask(address, "OPTIONS /socket.io/?EIO=4&transport=polling", headers, b"").await;
    let (status, head, _) = asked.answer().await;
    assert!(status == 204 && head.contains("access-control-allow-headers: x-tenant"), "{head}");
}

#[tokio::test]
async fn packets_for_a_session_that_has_just_ended_are_refused_at_once() {
    let (mut server, address) = listen(Config::default()).await;
    let client = Poller::open(address).await;
    client.join().await;
    server.connection().await.close("over");
    assert_eq!(server.ended().await, CloseReason::ServerClosed("over"));
    assert_eq!(timeout(Duration::from_secs(5), client.post("3")).await, Ok(400));
    client.expect("1").await;
    client.expect_gone().await;
}
