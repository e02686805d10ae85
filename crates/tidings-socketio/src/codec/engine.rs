//! Engine.IO v4 packets in text messages: one digit, then the body.

use serde::Serialize;

use crate::config::Config;
use crate::id::ConnectionId;

/// An Engine.IO packet that came in a text message.
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
    /// 4: a Socket.IO packet.
    Message(&'a str),
    /// 5: the end of an upgrade.
    Upgrade,
    /// 6: nothing, to end a poll.
    Noop,
}

/// The text is empty or begins with no known type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an Engine.IO packet")]
pub struct DecodeError;

/// Reads one packet from the text of one message.
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
        _ => Err(DecodeError),
    }
}

/// The ping packet, as text.
pub const PING: &str = "2";

/// The open packet: `0{"sid":…,"upgrades":[],"pingInterval":ms,"pingTimeout":ms,"maxPayload":bytes}`.
#[must_use]
pub fn open(sid: &ConnectionId, config: &Config) -> String {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Handshake<'a> {
        sid: &'a str,
        upgrades: [&'static str; 0],
        ping_interval: u128,
        ping_timeout: u128,
        max_payload: usize,
    }
    let handshake = Handshake {
        sid: sid.as_str(),
        upgrades: [],
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
            assert_eq!(decode(text), Err(DecodeError), "{text:?}");
        }
    }

    #[test]
    fn the_handshake_has_exactly_the_fields_of_the_protocol() {
        let sid = ConnectionId::random().unwrap();
        let expected = format!(
            r#"0{{"sid":"{sid}","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":262144}}"#
        );
        assert_eq!(open(&sid, &Config::default()), expected);
    }
}
