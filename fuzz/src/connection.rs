//! The whole server over a WebSocket: whatever a client does, the application's calls are in order, what waits is
//! bounded, and the connection ends when the client has.

use std::time::Duration;

use http::HeaderMap;
use tidings_socketio::{Peer, Server};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, ReadHalf};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::app::App;
use crate::script::{self, Step};
use crate::transcript::{Transcript, expect_in_order};

/// What is on its way in each direction; the first byte of an input says which.
const PIPE_BYTES: [usize; 4] = [64, 600, 5_000, 64 * 1024];
/// A server that has neither taken a byte nor ended by then never will. Longer than every timeout together.
const PATIENCE: Duration = Duration::from_secs(300);

/// A script, after a byte for the pipe. One that begins with `*` is what the client sends, to the byte.
pub fn check(input: &[u8]) {
    let Some((pipe, script)) = input.split_first() else { return };
    let pipe_bytes = PIPE_BYTES[usize::from(*pipe) % PIPE_BYTES.len()];
    let (steps, sent) = match script.strip_prefix(b"*") {
        Some(raw) => {
            (vec![Step::Send(raw.to_vec())], script::Sent { is_anything: true, ..Default::default() })
        }
        None => script::read(script),
    };
    let app = App::default();
    let got = runtime().block_on(play(&app, pipe_bytes, steps));
    app.expect_all_ended();
    let mut transcript = Transcript::default();
    transcript.read_stream(&got);
    if !sent.is_anything {
        transcript.expect_answers_to(&sent);
        expect_in_order(&app.events(), &sent);
    }
}

/// One thread, and a clock that goes on when nobody has anything to do.
pub fn runtime() -> Runtime {
    Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime")
}

async fn play(app: &App, pipe_bytes: usize, steps: Vec<Step>) -> Vec<u8> {
    let server = app.server();
    let (ours, theirs) = tokio::io::duplex(pipe_bytes);
    let serving = tokio::spawn({
        let server = server.clone();
        async move { server.serve_stream(theirs, peer()).await }
    });
    let (read_half, mut write_half) = tokio::io::split(ours);
    let (is_reading, wants_reading) = watch::channel(true);
    let reading = tokio::spawn(read(read_half, wants_reading));
    for step in steps {
        match step {
            Step::Send(bytes) => {
                let written = timeout(PATIENCE, write_half.write_all(&bytes)).await;
                if written.expect("the server neither reads nor ends").is_err() {
                    break;
                }
            }
            Step::Wait(time) => tokio::time::sleep(time).await,
            Step::StopReading => drop(is_reading.send(false)),
            Step::Read => drop(is_reading.send(true)),
            Step::Shutdown => drop(tokio::spawn(shutdown(server.clone()))),
        }
    }
    let _ = write_half.shutdown().await;
    timeout(PATIENCE, serving).await.expect("the connection does not end").expect("the server panicked");
    assert_eq!(server.connection_count(), 0);
    let _ = is_reading.send(true);
    reading.await.expect("the client panicked")
}

/// Stops a server, and waits for those who are still there.
pub async fn shutdown(server: Server) {
    server.shutdown(Duration::from_secs(1), Duration::from_secs(10)).await;
}

/// Everything up to the end of the stream, but only while reading is wanted.
async fn read(mut stream: ReadHalf<DuplexStream>, mut wants_reading: watch::Receiver<bool>) -> Vec<u8> {
    let mut got = Vec::new();
    loop {
        if wants_reading.wait_for(|wants| *wants).await.is_err() {
            return got;
        }
        tokio::select! {
            read = stream.read_buf(&mut got) => if matches!(read, Ok(0) | Err(_)) { return got },
            _ = wants_reading.changed() => {}
        }
    }
}

fn peer() -> Peer {
    Peer { remote_addr: ([192, 0, 2, 1], 1).into(), headers: HeaderMap::new(), query: "EIO=4".into() }
}
