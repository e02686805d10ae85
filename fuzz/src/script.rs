//! What a client does over a WebSocket, written in an input: steps with Engine.IO's separator between them, so that a
//! payload of long-polling is a script too.

use std::time::Duration;

use tidings_socketio::codec::engine::{self, SEPARATOR};
use tidings_socketio::codec::socket::{self, Body};
use tidings_socketio::codec::websocket::Opcode;

use crate::app::LIMITS;
use crate::websocket::masked;

/// Steps that are played; the rest of an input is not read.
pub const STEPS_MAX: usize = 48;

const KEY: [u8; 4] = [0x3d, 0x11, 0xfe, 0x99];
const BIT_FINAL: u8 = 0x80;

/// What a client does next.
#[derive(Debug)]
pub enum Step {
    /// Sends these bytes.
    Send(Vec<u8>),
    /// Does nothing for so long.
    Wait(Duration),
    /// Reads nothing from here on.
    StopReading,
    /// Reads again.
    Read,
    /// The server is told to stop.
    Shutdown,
}

/// What a client has sent that the application may see.
#[derive(Debug, Default)]
pub struct Sent {
    /// Names and values of events, in order.
    pub events: Vec<(String, String)>,
    /// Namespaces and ids of those that ask for an acknowledgement.
    pub ack_ids: Vec<(String, u64)>,
    /// Bytes of its own are among them: it may have sent anything.
    pub is_anything: bool,
}

impl Sent {
    /// Notes a text message.
    pub fn note(&mut self, text: &[u8]) {
        let Ok(text) = std::str::from_utf8(text) else { return };
        let Ok(engine::Packet::Message(message)) = engine::decode(text) else { return };
        let Ok(packet) = socket::decode(message, LIMITS) else { return };
        let Body::Event(event) = packet.body else { return };
        self.events.push((event.name.into_owned(), message[event.args].to_owned()));
        self.ack_ids.extend(event.ack_id.map(|id| (packet.namespace.to_owned(), id)));
    }
}

/// The steps of a script, and what is sent in them.
pub fn read(script: &[u8]) -> (Vec<Step>, Sent) {
    let mut sent = Sent::default();
    let steps = script.split(|byte| *byte == SEPARATOR).take(STEPS_MAX);
    let steps = steps.map(|step| read_step(step, &mut sent)).collect();
    (steps, sent)
}

fn read_step(step: &[u8], sent: &mut Sent) -> Step {
    let (kind, rest) = step.split_first().unwrap_or((&b'.', &[]));
    Step::Send(match kind {
        b'.' => return wait(rest),
        b'-' => return Step::StopReading,
        b'+' => return Step::Read,
        b'^' => return Step::Shutdown,
        b'b' => masked(Opcode::Binary, rest, KEY),
        b'?' => masked(Opcode::Ping, rest, KEY),
        b'!' => masked(Opcode::Close, rest, KEY),
        b'~' => {
            sent.is_anything = true;
            rest.to_vec()
        }
        b'/' => {
            sent.note(rest);
            in_fragments(rest)
        }
        _ => {
            sent.note(step);
            masked(Opcode::Text, step, KEY)
        }
    })
}

/// So many tenths of a second; a second where none are given.
pub fn wait(tenths: &[u8]) -> Step {
    let tenths = tenths.first().copied().unwrap_or(10);
    Step::Wait(Duration::from_millis(u64::from(tenths) * 100))
}

/// A text message in two frames, with a ping between them.
fn in_fragments(text: &[u8]) -> Vec<u8> {
    let (start, end) = text.split_at(text.len() / 2);
    let mut start = masked(Opcode::Text, start, KEY);
    start[0] &= !BIT_FINAL;
    [start, masked(Opcode::Ping, b"between", KEY), masked(Opcode::Continuation, end, KEY)].concat()
}
