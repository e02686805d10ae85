//! Engine.IO v4 packets: one to a WebSocket message, many to a payload of long-polling.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{self, GeneralPurpose, GeneralPurposeConfig};
use serde::Serialize;

use crate::config::Config;
use crate::id::ConnectionId;

/// An Engine.IO packet in text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packet<'a> {
    /// 0: the server's handshake; a client never sends it.
    Open,
    /// 1: the sender is about to close the transport.
    Close,
    /// 2: in version 4 only servers ping, but for the probe of an upgrade.
    Ping(&'a str),
    /// 3: the answer to a ping.
    Pong(&'a str),
    /// 4: a message for the application: Socket.IO's packet.
    Message(&'a str),
    /// 5: the end of an upgrade.
    Upgrade,
    /// 6: nothing, to end a poll.
    Noop,
}

/// What cannot be read as an Engine.IO packet, or as a payload of some.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The text is empty or begins with no known type.
    #[error("not an Engine.IO packet")]
    NoPacket,
    /// A binary packet of long-polling that is no base64.
    #[error("a binary packet that is not base64")]
    Base64,
    /// More packets in one payload than are taken.
    #[error("too many packets in one payload")]
    TooMany,
}

/// Reads one packet from its text.
pub fn decode(text: &str) -> Result<Packet<'_>, DecodeError> {
    let body = text.get(1..).unwrap_or_default();
    match text.as_bytes().first() {
        Some(b'0') => Ok(Packet::Open),
        Some(b'1') => Ok(Packet::Close),
        Some(b'2') => Ok(Packet::Ping(body)),
        Some(b'3') => Ok(Packet::Pong(body)),
        Some(b'4') => Ok(Packet::Message(body)),
        Some(b'5') => Ok(Packet::Upgrade),
        Some(b'6') => Ok(Packet::Noop),
        _ => Err(DecodeError::NoPacket),
    }
}

/// One packet of a payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PayloadPacket<'a> {
    /// A packet in text, its type still before it.
    Text(&'a str),
    /// A binary message.
    Binary(Vec<u8>),
}

/// Between the packets of a payload.
pub const SEPARATOR: u8 = 0x1e;
/// Before a binary packet of a payload.
const BINARY: char = 'b';

/// The Node server takes base64 with its padding and without.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The packets of a payload, in order. That there are not too many is known before the first is given.
///
/// # Errors
/// [`DecodeError::TooMany`]; each packet may be no base64. Whether a text is a packet is for [`decode`] to say.
pub fn decode_payload(
    payload: &str,
    packets_max: usize,
) -> Result<impl Iterator<Item = Result<PayloadPacket<'_>, DecodeError>>, DecodeError> {
    let separator = char::from(SEPARATOR);
    if payload.split(separator).nth(packets_max).is_some() {
        return Err(DecodeError::TooMany);
    }
    Ok(payload.split(separator).map(|packet| match packet.strip_prefix(BINARY) {
        Some(base64) => decode_base64(base64).map(PayloadPacket::Binary),
        None => Ok(PayloadPacket::Text(packet)),
    }))
}

/// Some clients, Java's for one, break it into lines.
fn decode_base64(base64: &str) -> Result<Vec<u8>, DecodeError> {
    const LINE_ENDS: [char; 2] = ['\r', '\n'];
    let decoded = if base64.contains(LINE_ENDS) {
        BASE64.decode(base64.replace(LINE_ENDS, ""))
    } else {
        BASE64.decode(base64)
    };
    decoded.map_err(|_| DecodeError::Base64)
}

/// Adds a packet to a payload that is being written.
pub fn write_payload_text(payload: &mut Vec<u8>, packet: &[u8]) {
    write_separator(payload);
    payload.extend_from_slice(packet);
}

/// Adds a binary message to a payload that is being written.
pub fn write_payload_binary(payload: &mut Vec<u8>, message: &[u8]) {
    write_separator(payload);
    payload.push(BINARY as u8);
    payload.extend_from_slice(general_purpose::STANDARD.encode(message).as_bytes());
}

fn write_separator(payload: &mut Vec<u8>) {
    if !payload.is_empty() {
        payload.push(SEPARATOR);
    }
}

/// The close packet.
pub const CLOSE: &str = "1";
/// The ping packet.
pub const PING: &str = "2";
/// What a client sends over a new transport, to see whether it works.
pub const PROBE: &str = "probe";
/// The answer to it.
pub const PROBE_ANSWER: &str = "3probe";
/// The packet that says nothing.
pub const NOOP: &str = "6";

/// The open packet: `0{"sid":…,"upgrades":[…],"pingInterval":ms,"pingTimeout":ms,"maxPayload":bytes}`.
#[must_use]
pub fn open(sid: ConnectionId, upgrades: &[&str], config: &Config) -> String {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Handshake<'a> {
        sid: &'a str,
        upgrades: &'a [&'a str],
        ping_interval: u128,
        ping_timeout: u128,
        max_payload: usize,
    }
    let handshake = Handshake {
        sid: sid.as_str(),
        upgrades,
        ping_interval: config.ping_interval.as_millis(),
        ping_timeout: config.ping_timeout.as_millis(),
        max_payload: config.payload_bytes_max,
    };
    // Numbers and strings always serialize.
    format!("0{}", serde_json::to_string(&handshake).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_type_and_refuses_the_rest() {
        assert_eq!(decode("0{}"), Ok(Packet::Open));
        assert_eq!(decode("1"), Ok(Packet::Close));
        assert_eq!(decode("2probe"), Ok(Packet::Ping("probe")));
        assert_eq!(decode("3"), Ok(Packet::Pong("")));
        assert_eq!(decode("42[\"é\"]"), Ok(Packet::Message("2[\"é\"]")));
        assert_eq!(decode("5"), Ok(Packet::Upgrade));
        assert_eq!(decode("6"), Ok(Packet::Noop));
        for text in ["", "7", "é", "a4", " "] {
            assert_eq!(decode(text), Err(DecodeError::NoPacket), "{text:?}");
        }
    }

    #[test]
    fn a_payload_is_packets_between_separators() {
        let read = |payload| -> Vec<_> { decode_payload(payload, 3).unwrap().collect() };
        assert_eq!(
            read("4hello\u{1e}bAQIDBA==\u{1e}bAQI"),
            [
                Ok(PayloadPacket::Text("4hello")),
                Ok(PayloadPacket::Binary(vec![1, 2, 3, 4])),
                Ok(PayloadPacket::Binary(vec![1, 2]))
            ]
        );
        assert_eq!(read(""), [Ok(PayloadPacket::Text(""))]);
        assert_eq!(read("b!"), [Err(DecodeError::Base64)]);
        assert_eq!(decode_payload("3\u{1e}3\u{1e}3\u{1e}3", 3).err(), Some(DecodeError::TooMany));
        let mut written = Vec::new();
        write_payload_text(&mut written, b"4hello");
        write_payload_binary(&mut written, &[1, 2, 3, 4]);
        assert_eq!(written, b"4hello\x1ebAQIDBA==");
    }

    #[test]
    fn the_handshake_has_exactly_the_fields_of_the_protocol() {
        let sid = ConnectionId::random().unwrap();
        let rest = r#""pingInterval":25000,"pingTimeout":20000,"maxPayload":262144}"#;
        let expected = format!(r#"0{{"sid":"{sid}","upgrades":[],{rest}"#);
        assert_eq!(open(sid, &[], &Config::default()), expected);
        let expected = format!(r#"0{{"sid":"{sid}","upgrades":["websocket"],{rest}"#);
        assert_eq!(open(sid, &["websocket"], &Config::default()), expected);
    }
}
