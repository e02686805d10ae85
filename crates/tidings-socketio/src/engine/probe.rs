//! A WebSocket that is to take over a session of long-polling: `2probe`, `3probe`, `5`, and whatever else comes
//! instead.

use std::task::{Context, Poll};

use tokio::time::Instant;

use super::incoming::{Stop, Verdict, WebSocketInput};
use crate::close::CloseReason;
use crate::codec::engine::{self, Packet};
use crate::codec::websocket::Message;
use crate::frame::SharedFrame;

/// The new transport, until it has proved itself.
pub(super) struct Probe {
    input: WebSocketInput,
    deadline: Instant,
    is_answered: bool,
}

/// How far it has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Probed {
    /// The client has to say more.
    Waiting,
    /// It is the transport now.
    Upgraded,
    /// It did not work; the session goes on as it was.
    Failed,
}

/// What the client has said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    Probe,
    Upgrade,
    Other,
}

impl Probe {
    pub(super) fn new(input: WebSocketInput, deadline: Instant) -> Self {
        Self { input, deadline, is_answered: false }
    }

    /// The client has been told that the transport works, and should stop polling.
    pub(super) const fn is_answered(&self) -> bool {
        self.is_answered
    }

    pub(super) const fn deadline(&self) -> Instant {
        self.deadline
    }

    /// The stream, and what has come behind the upgrade.
    pub(super) fn into_input(self) -> WebSocketInput {
        self.input
    }

    /// Looks at what the client has said before it asked for something else on another connection.
    pub(super) fn read_now(&mut self) {
        self.input.read_now();
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>, now: Instant) -> Probed {
        loop {
            let mut said = None;
            let received = self.input.poll_receive(cx, |message| {
                said = Some(read(&message));
                // One at a time: what comes behind the upgrade is the session's.
                Verdict::Break(Stop::Full)
            });
            match (said, received) {
                (Some(Said::Probe), _) if !self.is_answered => {
                    let frame = SharedFrame::engine(engine::PROBE_ANSWER);
                    if !self.input.stream.write_now(cx, frame.as_bytes()) {
                        return Probed::Failed;
                    }
                    self.is_answered = true;
                }
                (Some(Said::Upgrade), _) if self.is_answered => return Probed::Upgraded,
                (None, Poll::Pending) if now < self.deadline => return Probed::Waiting,
                _ => {
                    say_goodbye(&mut self.input, cx);
                    return Probed::Failed;
                }
            }
        }
    }

    /// Closes a stream that came for a session which cannot use it.
    pub(super) fn refuse(mut input: WebSocketInput, cx: &mut Context<'_>) {
        say_goodbye(&mut input, cx);
    }
}

fn read(message: &Message) -> Said {
    let Message::Text(text) = message else { return Said::Other };
    match engine::decode(text) {
        Ok(Packet::Ping(engine::PROBE)) => Said::Probe,
        Ok(Packet::Upgrade) => Said::Upgrade,
        _ => Said::Other,
    }
}

/// Not waited for: the stream is closed behind it.
fn say_goodbye(input: &mut WebSocketInput, cx: &mut Context<'_>) {
    let reason = CloseReason::InvalidState;
    let frame = SharedFrame::websocket_close(reason.websocket_code().unwrap_or(1008), reason.code());
    if input.stream.write_now(cx, frame.as_bytes()) {
        let _ = input.stream.poll_shutdown(cx);
    }
}
