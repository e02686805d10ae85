//! What a client got: that it can be read, in its order, and answers what was asked.

use tidings_socketio::codec::engine::{self, PayloadPacket};
use tidings_socketio::codec::socket;

use crate::script::Sent;

/// What the client's side would take of the server's packets.
const LIMITS: socket::Limits =
    socket::Limits { json_depth_max: 16, event_name_bytes_max: 64, attachments_max: 3 };
/// More packets than a server can answer with.
const PACKETS_MAX: usize = 1 << 20;

/// The packets that came, read one after another.
#[derive(Debug, Default)]
pub struct Transcript {
    /// Attachments that must come before anything else.
    attachments: usize,
    ack_ids: Vec<(String, u64)>,
}

impl Transcript {
    /// Server frames, the last of them perhaps cut off.
    pub fn read_stream(&mut self, mut stream: &[u8]) {
        while let Some((opcode, payload)) = take_frame(&mut stream) {
            match opcode {
                1 => self.text(std::str::from_utf8(payload).expect("text is UTF-8")),
                2 => self.binary(),
                8 => {
                    assert!(stream.is_empty(), "nothing comes after the close");
                    assert!(payload.len() >= 2 && std::str::from_utf8(&payload[2..]).is_ok());
                }
                10 => assert_eq!(self.attachments, 0, "attachments come directly after their packet"),
                _ => panic!("a server sends no frame {opcode}"),
            }
        }
    }

    /// The answer to a poll.
    pub fn read_payload(&mut self, payload: &[u8]) {
        let payload = std::str::from_utf8(payload).expect("a payload is UTF-8");
        for packet in engine::decode_payload(payload, PACKETS_MAX).expect("not too many packets") {
            match packet.expect("a payload of the server can be read") {
                PayloadPacket::Text(text) => self.text(text),
                PayloadPacket::Binary(_) => self.binary(),
            }
        }
        assert_eq!(self.attachments, 0, "attachments are in the answer of their packet");
    }

    fn text(&mut self, text: &str) {
        assert_eq!(self.attachments, 0, "attachments come directly after their packet");
        let engine::Packet::Message(message) = engine::decode(text).expect("a packet of Engine.IO") else {
            return;
        };
        let packet = socket::decode(message, LIMITS).expect("a packet of Socket.IO");
        self.attachments = packet.attachments;
        if let socket::Body::Ack(id, _) = packet.body {
            self.ack_ids.push((packet.namespace.to_owned(), id));
        }
    }

    fn binary(&mut self) {
        self.attachments = self.attachments.checked_sub(1).expect("a packet says what follows");
    }

    /// Every acknowledgement was asked for, and none came twice.
    pub fn expect_answers_to(&self, sent: &Sent) {
        let mut asked = sent.ack_ids.clone();
        for answered in &self.ack_ids {
            let index = asked.iter().position(|asked| asked == answered);
            asked.swap_remove(
                index.unwrap_or_else(|| panic!("{answered:?} was not asked for, or twice answered")),
            );
        }
    }
}

/// What the application saw was sent, and in this order; not all of what was sent need have been seen.
pub fn expect_in_order(seen: &[(String, String)], sent: &Sent) {
    let mut sent = sent.events.iter();
    for event in seen {
        assert!(sent.any(|sent| sent == event), "{event:?} was not sent, or not in this order");
    }
}

/// An unmasked, unfragmented frame.
fn take_frame<'a>(stream: &mut &'a [u8]) -> Option<(u8, &'a [u8])> {
    let (&[first, second], rest) = stream.split_first_chunk()?;
    assert_eq!(first & 0xf0, 0x80, "one frame a message, and no extension");
    let (length, rest) = match second {
        0..=125 => (u64::from(second), rest),
        126 => {
            rest.split_first_chunk().map(|(length, rest)| (u64::from(u16::from_be_bytes(*length)), rest))?
        }
        127 => rest.split_first_chunk().map(|(length, rest)| (u64::from_be_bytes(*length), rest))?,
        _ => panic!("a server does not mask"),
    };
    let (payload, rest) = rest.split_at_checked(usize::try_from(length).expect("a frame fits"))?;
    *stream = rest;
    Some((first & 0x0f, payload))
}
