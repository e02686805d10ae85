//! A packet of a client, whatever transport it came by.

use crate::close::CloseReason;
use crate::codec::engine::{self, PayloadPacket};

/// One packet, owned.
#[derive(Debug)]
pub(super) enum Packet {
    /// A packet in text, its type still before it: the text is copied nowhere.
    Text(String),
    Binary(Vec<u8>),
}

/// What the application's side of a session is given.
#[derive(Debug)]
pub(crate) enum Message {
    /// The text of the whole packet; the message begins after [`Message::TYPE_BYTES`].
    Text(String),
    /// A binary message.
    Binary(Vec<u8>),
}

impl Message {
    /// What stands before the message in its packet.
    pub(crate) const TYPE_BYTES: usize = 1;
}

/// Every packet of a payload, or what is wrong with any of them.
pub(super) fn read_payload(payload: &str, packets_max: usize) -> Result<Vec<Packet>, CloseReason> {
    let packets = engine::decode_payload(payload, packets_max).map_err(|_| CloseReason::MessageTooLarge)?;
    let own = |packet| match packet {
        Ok(PayloadPacket::Text(text)) => Ok(Packet::Text(text.to_owned())),
        Ok(PayloadPacket::Binary(bytes)) => Ok(Packet::Binary(bytes)),
        Err(_) => Err(CloseReason::ParseError),
    };
    packets.map(own).collect()
}
