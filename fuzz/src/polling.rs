//! The whole server by long-polling: bodies of requests with packets, polls that overlap, come late or are given up.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use tidings_socketio::Server;
use tokio::task::JoinSet;

use crate::app::App;
use crate::connection::{runtime, shutdown};
use crate::script::{self, STEPS_MAX, Sent, Step};
use crate::transcript::{Transcript, expect_in_order};

/// Between the requests of an input: what stands between packets is of the bodies.
const SEPARATOR: u8 = 0x1d;
/// A client that does not poll is gone after a ping and its timeout.
const GONE_AFTER: Duration = Duration::from_secs(60);
/// And after four times that where as many handlers wait for it as may, so that nothing more is read of it.
const UNREAD_GONE_AFTER: Duration = Duration::from_secs(200);
/// Every request is answered by then.
const PATIENCE: Duration = Duration::from_secs(300);

/// Requests: `G` polls, `C` gives the polls up, `W` waits for them, `O` sends bytes as such, `D` sends a body twice at
/// once, `.` lets time pass, `^` stops the server; anything else is the body of a POST.
pub fn check(input: &[u8]) {
    let app = App::default();
    let mut sent = Sent::default();
    let transcript = runtime().block_on(play(&app, input, &mut sent));
    app.expect_all_ended();
    transcript.expect_answers_to(&sent);
    expect_in_order(&app.events(), &sent);
}

async fn play(app: &App, input: &[u8], sent: &mut Sent) -> Transcript {
    let server = app.server();
    let client = Client { server: server.clone(), query: open(&server).await, got: Arc::default() };
    let mut polls = JoinSet::new();
    for step in input.split(|byte| *byte == SEPARATOR).take(STEPS_MAX) {
        let (kind, rest) = step.split_first().unwrap_or((&b'G', &[]));
        match kind {
            b'G' => drop(polls.spawn(client.clone().poll())),
            b'C' => polls.abort_all(),
            b'W' => while polls.join_next().await.is_some() {},
            b'^' => drop(tokio::spawn(shutdown(server.clone()))),
            b'O' => {
                let _ = client.post(rest, "application/octet-stream").await;
            }
            b'D' => {
                note(rest, sent);
                let both = tokio::join!(client.post(rest, "text/plain"), client.post(rest, "text/plain"));
                let taken = [both.0, both.1].iter().filter(|status| **status == StatusCode::OK).count();
                // One that says goodbye to a session which is just ending by itself has done what it should.
                let packets = rest.split(|byte| *byte == tidings_socketio::codec::engine::SEPARATOR);
                let goodbyes = packets.filter(|packet| *packet == b"1").count().min(1);
                assert!(taken <= goodbyes, "two at once end the session");
            }
            b'.' => {
                if let Step::Wait(time) = script::wait(rest) {
                    tokio::time::sleep(time).await;
                }
            }
            _ => {
                note(step, sent);
                let _ = client.post(step, "text/plain;charset=UTF-8").await;
            }
        }
    }
    tokio::time::timeout(PATIENCE, async { while polls.join_next().await.is_some() {} })
        .await
        .expect("a poll is never answered");
    tokio::time::sleep(GONE_AFTER).await;
    if app.is_full() {
        tokio::time::sleep(UNREAD_GONE_AFTER - GONE_AFTER).await;
    }
    assert_eq!(server.connection_count(), 0, "the session does not end");
    let got = std::mem::take(&mut *client.got.lock().unwrap_or_else(PoisonError::into_inner));
    let mut transcript = Transcript::default();
    got.iter().for_each(|payload| transcript.read_payload(payload));
    transcript
}

fn note(body: &[u8], sent: &mut Sent) {
    body.split(|byte| *byte == tidings_socketio::codec::engine::SEPARATOR)
        .for_each(|packet| sent.note(packet));
}

/// The query that names a new session.
async fn open(server: &Server) -> String {
    const QUERY: &str = "EIO=4&transport=polling";
    let request = Request::get(format!("/?{QUERY}")).body(Full::default()).expect("a request");
    let answer = body(server.handle(request, ([192, 0, 2, 1], 1).into()).await).await;
    let open: serde_json::Value = serde_json::from_slice(&answer[1..]).expect("an open packet");
    format!("{QUERY}&sid={}", open["sid"].as_str().expect("an id"))
}

#[derive(Clone)]
struct Client {
    server: Server,
    query: String,
    /// The payloads that came, in order.
    got: Arc<Mutex<Vec<Bytes>>>,
}

impl Client {
    async fn poll(self) {
        let (status, answer) = self.ask(Request::get(self.uri()), &[]).await;
        if status == StatusCode::OK {
            self.got.lock().unwrap_or_else(PoisonError::into_inner).push(answer);
        }
    }

    async fn post(&self, packets: &[u8], content_type: &str) -> StatusCode {
        let request = Request::post(self.uri()).header("content-type", content_type);
        let (status, answer) = self.ask(request, packets).await;
        assert!(status != StatusCode::OK || answer == "ok");
        assert!(status != StatusCode::OK || std::str::from_utf8(packets).is_ok());
        status
    }

    fn uri(&self) -> String {
        format!("/?{}", self.query)
    }

    async fn ask(&self, request: http::request::Builder, packets: &[u8]) -> (StatusCode, Bytes) {
        let request = request.body(Full::new(Bytes::copy_from_slice(packets))).expect("a request");
        let answer = self.server.handle(request, ([192, 0, 2, 1], 1).into());
        let answer = tokio::time::timeout(PATIENCE, answer).await.expect("a request is never answered");
        let status = answer.status();
        assert!(matches!(status.as_u16(), 200 | 400 | 413), "{status}");
        (status, body(answer).await)
    }
}

async fn body(answer: Response<Full<Bytes>>) -> Bytes {
    answer.into_body().collect().await.expect("an answer is whole").to_bytes()
}
