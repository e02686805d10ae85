//! Engine.IO and Socket.IO packets, as far as a client of the default namespace needs them.

use super::Malformed;

/// What a text frame of the server says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Packet<'a> {
    /// Engine.IO's opening.
    Open,
    /// To be answered with a pong.
    Ping,
    /// The namespace is connected.
    Connected,
    /// It is not, for this reason.
    Refused(&'a [u8]),
    /// An event: a JSON array of its name and arguments.
    Event(&'a [u8]),
    /// The answer to the event of this number: a JSON array of its arguments.
    Ack(u64, &'a [u8]),
    /// The server is done with us.
    Disconnect,
}

/// Reads the payload of a text frame.
pub(crate) fn read_packet(payload: &[u8]) -> Result<Packet<'_>, Malformed> {
    match payload {
        [b'4', b'2', rest @ ..] => Ok(Packet::Event(rest)),
        [b'4', b'3', rest @ ..] => {
            let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
            let number = rest[..digits].iter().fold(0, |number, digit| number * 10 + u64::from(digit - b'0'));
            if (1..=18).contains(&digits) {
                Ok(Packet::Ack(number, &rest[digits..]))
            } else {
                Err(Malformed("an ack"))
            }
        }
        b"2" => Ok(Packet::Ping),
        [b'0', ..] => Ok(Packet::Open),
        [b'4', b'0', ..] => Ok(Packet::Connected),
        [b'4', b'4', rest @ ..] => Ok(Packet::Refused(rest)),
        b"41" | b"1" => Ok(Packet::Disconnect),
        _ => Err(Malformed("an unknown packet")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_packet_is_known_by_its_first_characters() {
        let packets: [(&[u8], Packet<'_>); 7] = [
            (b"0{\"sid\":\"x\"}", Packet::Open),
            (b"2", Packet::Ping),
            (b"40{\"sid\":\"x\"}", Packet::Connected),
            (b"44{\"message\":\"no\"}", Packet::Refused(b"{\"message\":\"no\"}")),
            (b"42[\"a\",1]", Packet::Event(b"[\"a\",1]")),
            (b"43812[{}]", Packet::Ack(812, b"[{}]")),
            (b"41", Packet::Disconnect),
        ];
        for (payload, packet) in packets {
            assert_eq!(read_packet(payload), Ok(packet));
        }
        for payload in [&b""[..], b"43[]", b"6", b"450-[]"] {
            assert!(read_packet(payload).is_err(), "{payload:?}");
        }
    }
}
