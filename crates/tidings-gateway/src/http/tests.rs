use std::net::SocketAddr;
use std::time::Duration;

use axum::body::Body;
use http_body_util::BodyExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use super::*;

/// Reads the body and answers 200.
struct Reader {
    connections_max: usize,
}

impl Application for Reader {
    async fn take(&self, stream: TcpStream, _: SocketAddr) -> Accepted {
        Accepted::Http(stream)
    }

    async fn serve(&self, request: Request<Incoming>, _: SocketAddr) -> Response {
        let body = request.into_body().collect().await;
        Response::new(Body::from(body.map(http_body_util::Collected::to_bytes).unwrap_or_default()))
    }

    async fn serve_reserved(&self, request: Request<Incoming>, _: SocketAddr) -> Response {
        let status = if request.uri().path() == "/health" { 200 } else { 503 };
        Response::builder().status(status).body(Body::from("full")).unwrap()
    }

    fn upgraded_count(&self) -> usize {
        0
    }

    fn connections_max(&self) -> usize {
        self.connections_max
    }

    fn address_connections_max(&self) -> usize {
        1
    }
}

/// A server on a free port, and what drains it.
fn start(
    connections_max: usize,
    drain_deadline: Duration,
) -> (SocketAddr, watch::Sender<bool>, JoinHandle<usize>) {
    let listener = bind(([127, 0, 0, 1], 0).into()).unwrap();
    let address = listener.local_addr().unwrap();
    let (drain, draining) = watch::channel(false);
    let serving = serve(listener, None, Arc::new(Reader { connections_max }), draining, drain_deadline);
    (address, drain, tokio::spawn(serving))
}

const SOON: Duration = Duration::from_secs(5);

/// Everything that the server says until it closes.
async fn read_to_end(stream: &mut TcpStream) -> String {
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    text
}

#[tokio::test]
async fn a_full_server_says_so_and_serves_again_when_there_is_room() {
    let (address, _drain, _serving) = start(1, SOON);
    let mut first = TcpStream::connect(address).await.unwrap();
    first.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut some = [0; 12];
    first.read_exact(&mut some).await.unwrap();
    assert_eq!(&some, b"HTTP/1.1 200");
    // Who watches the server is answered in its reserved places, and nobody else is; when those are taken, too, nobody.
    let ask = |path: &'static str| async move {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes()).await.unwrap();
        read_to_end(&mut stream).await
    };
    assert!(ask("/health").await.starts_with("HTTP/1.1 200"));
    assert!(ask("/").await.starts_with("HTTP/1.1 503"));
    let mut silent = Vec::new();
    for _ in 0..RESERVED {
        silent.push(TcpStream::connect(address).await.unwrap());
    }
    let mut last = TcpStream::connect(address).await.unwrap();
    let refusal = read_to_end(&mut last).await;
    assert!(refusal.starts_with("HTTP/1.1 503"), "{refusal}");
    // They are not to be waited in.
    for stream in &mut silent {
        assert!(!read_to_end(stream).await.starts_with("HTTP/1.1 200"));
    }
    assert!(ask("/health").await.starts_with("HTTP/1.1 200"));
    drop(first);
    loop {
        let mut third = TcpStream::connect(address).await.unwrap();
        third.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
        // The server learns of the end of the first one in its own time.
        if read_to_end(&mut third).await.starts_with("HTTP/1.1 200") {
            break;
        }
    }
}

#[tokio::test]
async fn a_connection_has_what_its_listener_was_given() {
    let listener = bind(([127, 0, 0, 1], 0).into()).unwrap();
    let _client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (accepted, _) = listener.accept().await.unwrap();
    let socket = SockRef::from(&accepted);
    assert!(socket.tcp_nodelay().unwrap());
    assert_eq!(socket.tcp_user_timeout().unwrap(), Some(UNACKNOWLEDGED_MAX));
    assert_eq!(socket.tcp_notsent_lowat().unwrap(), UNSENT_BYTES_MAX);
}

#[tokio::test]
async fn draining_finishes_the_request_in_flight_and_takes_no_new_ones() {
    let (address, drain, serving) = start(10, SOON);
    let mut idle = TcpStream::connect(address).await.unwrap();
    let mut busy = TcpStream::connect(address).await.unwrap();
    busy.write_all(b"POST / HTTP/1.1\r\nhost: x\r\n").await.unwrap();
    busy.write_all(b"expect: 100-continue\r\ncontent-length: 2\r\n\r\n").await.unwrap();
    let mut go_on = [0; 25];
    busy.read_exact(&mut go_on).await.unwrap();
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    drain.send(true).unwrap();
    assert_eq!(read_to_end(&mut idle).await, "");
    busy.write_all(b"{}").await.unwrap();
    let answer = read_to_end(&mut busy).await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("connection: close"), "{answer}");
    assert_eq!(serving.await.unwrap(), 0);
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn what_has_not_finished_at_the_deadline_is_cut_off_and_counted() {
    let (address, drain, serving) = start(10, Duration::ZERO);
    let mut stuck = TcpStream::connect(address).await.unwrap();
    stuck
        .write_all(b"POST / HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n")
        .await
        .unwrap();
    let mut go_on = [0; 25];
    stuck.read_exact(&mut go_on).await.unwrap();
    drain.send(true).unwrap();
    assert_eq!(serving.await.unwrap(), 1);
}

#[tokio::test(start_paused = true)]
async fn who_connects_and_says_nothing_is_closed() {
    let (address, _drain, _serving) = start(10, SOON);
    let began = tokio::time::Instant::now();
    let mut silent = TcpStream::connect(address).await.unwrap();
    assert_eq!(read_to_end(&mut silent).await, "");
    let mut slow = TcpStream::connect(address).await.unwrap();
    slow.write_all(b"GET / HTTP/1.1\r\nx: ").await.unwrap();
    assert_eq!(read_to_end(&mut slow).await, "");
    assert!(began.elapsed() >= connection::FIRST_REQUEST_TIMEOUT * 2);
}

#[tokio::test]
async fn headers_without_an_end_are_refused() {
    let (address, _drain, _serving) = start(10, SOON);
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nx: ").await.unwrap();
    let _ = stream.write_all(&[b'a'; 40 * 1024]).await;
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 431");
}

#[tokio::test(start_paused = true)]
async fn who_has_asked_may_stay_and_ask_again() {
    let (address, _drain, _serving) = start(10, SOON);
    let mut stream = TcpStream::connect(address).await.unwrap();
    for request in 1..=4 {
        stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            let read = stream.read_buf(&mut answer).await.unwrap();
            assert_ne!(read, 0, "closed at request {request}");
        }
        tokio::time::sleep(connection::FIRST_REQUEST_TIMEOUT * 2).await;
    }
}
