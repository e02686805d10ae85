//! A socket that somebody sends on, any number of messages in flight.

use std::collections::HashMap;

use serde_json::json;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::ANSWER_PATIENCE;
use super::socket::{Socket, read_ack};
use super::wire::Ack;
use crate::history::{Answer, Outgoing};

/// Messages that wait to be written.
const WAITING_MAX: usize = 1024;

/// Cheap to clone.
#[derive(Clone)]
pub(super) struct Line {
    waiting: mpsc::Sender<Waiting>,
}

struct Waiting {
    args: String,
    answer: oneshot::Sender<Answer>,
}

impl Line {
    pub fn over(socket: Socket) -> Self {
        let (waiting, receiver) = mpsc::channel(WAITING_MAX);
        tokio::spawn(run(socket, receiver));
        Self { waiting }
    }

    pub fn is_open(&self) -> bool {
        !self.waiting.is_closed()
    }

    /// Unknown when the connection ends before the answer.
    pub async fn send(&self, message: &Outgoing) -> Answer {
        let body = json!({
            "conversationId": message.conversation,
            "content": message.text,
            "clientMessageId": message.client_id,
        });
        let (answer, answered) = oneshot::channel();
        if self.waiting.send(Waiting { args: body.to_string(), answer }).await.is_err() {
            return Answer::Unknown;
        }
        timeout(ANSWER_PATIENCE, answered).await.ok().and_then(Result::ok).unwrap_or(Answer::Unknown)
    }
}

/// Until the connection ends or nobody sends any more. Whoever waits for an answer then gets none.
async fn run(mut socket: Socket, mut waiting: mpsc::Receiver<Waiting>) {
    let mut in_flight: HashMap<u64, oneshot::Sender<Answer>> = HashMap::new();
    let mut number = 0;
    loop {
        tokio::select! {
            packet = socket.packet() => {
                let Some(packet) = packet else { return };
                // Events are for the user's devices; this socket only sends.
                if let Some((number, ack)) = read_ack::<Ack>(&packet)
                    && let Some(answer) = in_flight.remove(&number)
                {
                    // Who has given up waiting does not mind.
                    let _ = answer.send(ack.answer());
                }
            }
            next = waiting.recv() => {
                let Some(Waiting { args, answer }) = next else { return };
                in_flight.insert(number, answer);
                if socket.say(format!("42{number}[\"message:send\",{args}]")).await.is_none() {
                    return;
                }
                number += 1;
            }
        }
    }
}
