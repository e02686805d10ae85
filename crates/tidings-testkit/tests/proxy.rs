//! The proxy does to real connections what it is told, and nothing else.

#![expect(clippy::unwrap_used, reason = "a test says what went wrong by panicking")]

use std::time::{Duration, Instant};

use tidings_testkit::proxy::{Fault, Proxy, Way};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(10);
/// That nothing arrives can only be waited for.
const NOTHING_FOR: Duration = Duration::from_millis(150);

/// Answers every line with itself, and tells what it was asked.
async fn echo() -> (String, mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (asked, asks) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let asked = asked.clone();
            tokio::spawn(async move {
                let mut piece = [0; 64 * 1024];
                while let Ok(length @ 1..) = client.read(&mut piece).await {
                    let _ = asked.send(String::from_utf8_lossy(&piece[..length]).into_owned());
                    if client.write_all(&piece[..length]).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    (url, asks)
}

async fn connect(proxy: &Proxy) -> TcpStream {
    TcpStream::connect(proxy.url.trim_start_matches("http://")).await.unwrap()
}

/// The answer; empty when the connection was cut.
async fn ask(stream: &mut TcpStream, what: &str) -> String {
    if stream.write_all(what.as_bytes()).await.is_err() {
        return String::new();
    }
    let mut answer = vec![0; what.len()];
    match timeout(PATIENCE, stream.read_exact(&mut answer)).await.expect("an answer or an end") {
        Ok(_) => String::from_utf8(answer).unwrap(),
        Err(_) => String::new(),
    }
}

#[tokio::test]
async fn without_a_fault_everything_passes() {
    let (url, _asks) = echo().await;
    let proxy = Proxy::before(&url, 1).await;
    let mut stream = connect(&proxy).await;
    for what in ["one", "two", &"x".repeat(50_000)] {
        assert_eq!(ask(&mut stream, what).await, what);
    }
    assert_eq!(proxy.dropped(), 0);
}

#[tokio::test]
async fn a_dropped_answer_was_given_and_the_connection_is_cut() {
    let (url, mut asks) = echo().await;
    let proxy = Proxy::before(&url, 1).await;
    let mut stream = connect(&proxy).await;
    assert_eq!(ask(&mut stream, "one").await, "one");
    proxy.does(Fault::DropAnswers { of_100: 100 });
    assert_eq!(ask(&mut stream, "two").await, "");
    assert_eq!(
        [asks.recv().await.unwrap(), asks.recv().await.unwrap()],
        ["one", "two"],
        "the server was asked"
    );
    assert_eq!(proxy.dropped(), 1);
}

#[tokio::test]
async fn so_many_of_a_hundred_answers_are_dropped_and_the_same_ones_by_seed() {
    let (url, _asks) = echo().await;
    let mut runs = Vec::new();
    for _ in 0..2 {
        let proxy = Proxy::before(&url, 7).await;
        proxy.does(Fault::DropAnswers { of_100: 30 });
        let mut dropped = Vec::new();
        for n in 0..200 {
            let mut stream = connect(&proxy).await;
            if ask(&mut stream, "one").await.is_empty() {
                dropped.push(n);
            }
        }
        assert!((30..90).contains(&dropped.len()), "{dropped:?}");
        assert_eq!(proxy.dropped(), dropped.len() as u64);
        runs.push(dropped);
    }
    assert_eq!(runs[0], runs[1]);
}

#[tokio::test]
async fn a_connection_is_cut_within_what_the_server_says() {
    let (url, _asks) = echo().await;
    let proxy = Proxy::before(&url, 1).await;
    proxy.does(Fault::CutAfter { bytes: 10..11 });
    let mut stream = connect(&proxy).await;
    assert_eq!(ask(&mut stream, "12345678").await, "12345678");
    stream.write_all(b"abcdefgh").await.unwrap();
    let mut rest = Vec::new();
    // Whether the end is a reset or an orderly one is the kernel's to say.
    let _ = timeout(PATIENCE, stream.read_to_end(&mut rest)).await.unwrap();
    assert_eq!(rest, b"ab");
}

#[tokio::test]
async fn a_delay_holds_every_piece_up() {
    let (url, _asks) = echo().await;
    let proxy = Proxy::before(&url, 1).await;
    let by = Duration::from_millis(40);
    proxy.does(Fault::Delay { by });
    let mut stream = connect(&proxy).await;
    let begin = Instant::now();
    assert_eq!(ask(&mut stream, "one").await, "one");
    assert!(begin.elapsed() >= 2 * by, "both ways");
}

#[tokio::test]
async fn one_way_stalls_and_nobody_is_told() {
    for (way, is_asked) in [(Way::ToServer, false), (Way::ToClient, true)] {
        let (url, mut asks) = echo().await;
        let proxy = Proxy::before(&url, 1).await;
        proxy.does(Fault::Stall(way));
        let mut stream = connect(&proxy).await;
        stream.write_all(b"one").await.unwrap();
        let asked = if is_asked { PATIENCE } else { NOTHING_FOR };
        assert_eq!(timeout(asked, asks.recv()).await.is_ok(), is_asked, "{way:?}");
        let mut answer = [0; 3];
        assert!(
            timeout(NOTHING_FOR, stream.read_exact(&mut answer)).await.is_err(),
            "{way:?}: no answer, no end"
        );
    }
}

#[tokio::test]
async fn refusing_cuts_who_is_in_and_lets_nobody_in() {
    let (url, _asks) = echo().await;
    let proxy = Proxy::before(&url, 1).await;
    let mut stream = connect(&proxy).await;
    assert_eq!(ask(&mut stream, "one").await, "one");
    proxy.does(Fault::Refuse);
    let mut rest = Vec::new();
    let _ = timeout(PATIENCE, stream.read_to_end(&mut rest)).await.unwrap();
    assert_eq!(ask(&mut connect(&proxy).await, "two").await, "");
    proxy.does(Fault::None);
    assert_eq!(ask(&mut connect(&proxy).await, "three").await, "three");
}
