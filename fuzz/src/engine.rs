//! Engine.IO's packets and payloads: what is accepted, what comes out, and that it can be written and read again.

use tidings_socketio::codec::engine::{
    DecodeError, Packet, PayloadPacket, SEPARATOR, decode, decode_payload, write_payload_binary,
    write_payload_text,
};

use crate::planted::is_planted;

const PACKETS_MAX: usize = 16;

/// Any bytes as a message, and where they are text as a packet and as a payload.
pub fn check(input: &[u8]) {
    check_binary(input);
    if let Ok(text) = std::str::from_utf8(input) {
        check_packet(text);
        check_payload(text);
    }
}

fn check_binary(message: &[u8]) {
    let mut payload = Vec::new();
    write_payload_binary(&mut payload, message);
    write_payload_binary(&mut payload, message);
    let payload = String::from_utf8(payload).expect("a payload is text");
    let expected = PayloadPacket::Binary(message.to_vec());
    assert_eq!(read(&payload), Ok(vec![Ok(expected.clone()), Ok(expected)]));
}

fn check_packet(text: &str) {
    let (kind, body) = match decode(text) {
        Ok(Packet::Open) => ('0', None),
        Ok(Packet::Close) => ('1', None),
        Ok(Packet::Ping(body)) => ('2', Some(body)),
        Ok(Packet::Pong(body)) => ('3', Some(body)),
        Ok(Packet::Message(body)) => ('4', Some(body)),
        Ok(Packet::Upgrade) => ('5', None),
        Ok(Packet::Noop) => ('6', None),
        Err(error) => {
            assert_eq!(error, DecodeError::NoPacket);
            return assert!(!text.starts_with(|c| ('0'..='6').contains(&c)), "{text:?} is a packet");
        }
    };
    assert!(text.starts_with(kind));
    if let Some(body) = body {
        assert_eq!(body, &text[1..]);
    }
}

fn check_payload(payload: &str) {
    let pieces: Vec<&str> = payload.split(char::from(SEPARATOR)).collect();
    let packets = match read(payload) {
        Ok(packets) => packets,
        Err(error) => {
            assert_eq!(error, DecodeError::TooMany);
            return assert!(pieces.len() > PACKETS_MAX);
        }
    };
    assert!(pieces.len() <= PACKETS_MAX);
    assert_eq!(packets.len(), pieces.len());
    let mut again = Vec::new();
    for (piece, packet) in pieces.iter().zip(&packets) {
        let expected = match piece.strip_prefix('b') {
            Some(base64) => decode_base64(base64).map(PayloadPacket::Binary).ok_or(DecodeError::Base64),
            None => Ok(PayloadPacket::Text(piece)),
        };
        assert_eq!(*packet, expected);
        match packet {
            Ok(PayloadPacket::Text(text)) => write_payload_text(&mut again, text.as_bytes()),
            Ok(PayloadPacket::Binary(message)) => write_payload_binary(&mut again, message),
            // Nothing to write: the payload is refused as a whole.
            Err(_) => return,
        }
        if again.is_empty() {
            // The writers have no empty packets; they are none of Engine.IO's.
            return;
        }
    }
    let again = String::from_utf8(again).expect("a payload is text");
    assert_eq!(read(&again), Ok(packets));
}

type Packets<'a> = Vec<Result<PayloadPacket<'a>, DecodeError>>;

fn read(payload: &str) -> Result<Packets<'_>, DecodeError> {
    let mut packets: Packets<'_> = decode_payload(payload, PACKETS_MAX)?.collect();
    if is_planted() && packets.len() > 1 {
        // The last byte is lost where its group of base64 is not full.
        for packet in packets.iter_mut().skip(1).flatten() {
            if let PayloadPacket::Binary(message) = packet
                && message.len() % 3 == 2
            {
                message.pop();
            }
        }
    }
    Ok(packets)
}

/// RFC 4648 by its definition: six bits a symbol, padding may be missing, no bit may be left over; in lines or not.
fn decode_base64(text: &str) -> Option<Vec<u8>> {
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let text: String = text.chars().filter(|c| !matches!(c, '\r' | '\n')).collect();
    let symbols = text.trim_end_matches('=');
    let padding = text.len() - symbols.len();
    if padding > (4 - symbols.len() % 4) % 4 {
        return None;
    }
    let (mut message, mut bits, mut count) = (Vec::new(), 0_u32, 0);
    for symbol in symbols.chars() {
        bits = bits << 6 | u32::try_from(ALPHABET.find(symbol)?).ok()?;
        count += 6;
        if count >= 8 {
            count -= 8;
            message.push(u8::try_from(bits >> count).ok()?);
            bits &= (1 << count) - 1;
        }
    }
    (count < 6 && bits == 0).then_some(message)
}
