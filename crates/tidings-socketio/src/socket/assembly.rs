//! A packet and its attachments, which come as messages of their own.

use std::ops::Range;

use bytes::Bytes;

use crate::close::CloseReason;
use crate::codec::socket;
use crate::config::Config;
use crate::engine::Incoming;

/// A packet that may still want attachments.
pub(super) struct Assembly {
    packet: Packet,
    wanted: usize,
    bytes: usize,
}

/// A packet of which everything has come, its text where it was.
pub(super) struct Packet {
    pub(super) text: String,
    namespace: Range<usize>,
    pub(super) body: Body,
    pub(super) attachments: Vec<Bytes>,
}

/// What it says; ranges are pieces of the text.
pub(super) enum Body {
    Connect(Option<Range<usize>>),
    Disconnect,
    Event {
        ack_id: Option<u64>,
        name: Box<str>,
        args: Range<usize>,
        first: Range<usize>,
    },
    /// The id, and the JSON values of the acknowledgement.
    Ack(u64, Range<usize>),
}

impl Packet {
    pub(super) fn namespace(&self) -> &str {
        // The main one does not stand in the text.
        if self.namespace.is_empty() { socket::MAIN_NAMESPACE } else { &self.text[self.namespace.clone()] }
    }
}

impl Assembly {
    /// Reads the text of an Engine.IO message.
    pub(super) fn begin(text: String, config: &Config) -> Result<Self, CloseReason> {
        let limits = socket::Limits {
            json_depth_max: config.json_depth_max,
            event_name_bytes_max: config.event_name_bytes_max,
            attachments_max: config.attachments_max,
        };
        let message = &text[Incoming::TYPE_BYTES..];
        let packet = socket::decode(message, limits).map_err(|_| CloseReason::ParseError)?;
        let start = text.as_ptr() as usize;
        let range = |piece: &str| {
            let begin = piece.as_ptr() as usize - start;
            begin..begin + piece.len()
        };
        let shift =
            |range: Range<usize>| range.start + Incoming::TYPE_BYTES..range.end + Incoming::TYPE_BYTES;
        let body = match packet.body {
            socket::Body::Connect(auth) => Body::Connect(auth.map(range)),
            socket::Body::Disconnect => Body::Disconnect,
            socket::Body::Event(event) => Body::Event {
                ack_id: event.ack_id,
                name: event.name.into(),
                args: shift(event.args),
                first: shift(event.first),
            },
            socket::Body::Ack(id, array) => {
                let array = range(array);
                Body::Ack(id, array.start + 1..array.end - 1)
            }
            // Only servers send these.
            socket::Body::ConnectError => return Err(CloseReason::InvalidState),
        };
        let is_main = packet.namespace == socket::MAIN_NAMESPACE;
        let namespace = if is_main { 0..0 } else { range(packet.namespace) };
        let (wanted, bytes) = (packet.attachments, text.len());
        Ok(Self { packet: Packet { text, namespace, body, attachments: Vec::new() }, wanted, bytes })
    }

    pub(super) fn namespace(&self) -> &str {
        self.packet.namespace()
    }

    pub(super) fn is_complete(&self) -> bool {
        self.packet.attachments.len() == self.wanted
    }

    pub(super) fn add(&mut self, attachment: Vec<u8>, bytes_max: usize) -> Result<(), CloseReason> {
        self.bytes += attachment.len();
        if self.bytes > bytes_max {
            return Err(CloseReason::MessageTooLarge);
        }
        self.packet.attachments.push(attachment.into());
        Ok(())
    }

    pub(super) fn finish(self) -> Packet {
        self.packet
    }
}
