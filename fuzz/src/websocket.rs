//! WebSocket frames: the decoder against a model, in any pieces, within its memory; and what the encoder writes.

mod model;

use tidings_socketio::codec::mask;
use tidings_socketio::codec::websocket::{
    CONTROL_BYTES_MAX, DecodeError, Decoder, Limits, Message, Opcode, encode,
};

use crate::planted::is_planted;

/// The first bytes of an input say how it is cut.
const CUT_BYTES: usize = 3;
const LIMITS: [Limits; 2] = [
    Limits { message_bytes_max: 64, fragments_max: 3 },
    Limits { message_bytes_max: 128 * 1024, fragments_max: 256 },
];
/// Round the lengths at which a header grows.
const LENGTHS: [usize; 8] = [0, 1, 125, 126, 127, 0xffff, 0x1_0000, 0x1_0001];

/// Any bytes as a stream, at once and in the pieces that the first bytes say; and as the payload of a message.
pub fn check(input: &[u8]) {
    let Some((cut, stream)) = input.split_first_chunk::<CUT_BYTES>() else { return };
    for limits in LIMITS {
        let expected = model::decode(stream, limits);
        assert_eq!(decode(stream, limits, [usize::MAX].into_iter()), expected, "at once");
        assert_eq!(decode(stream, limits, std::iter::repeat(1)), expected, "byte by byte");
        let pieces = cut.iter().cycle().map(|bytes| usize::from(*bytes) + 1);
        assert_eq!(decode(stream, limits, pieces), expected, "in pieces of {cut:?}");
    }
    check_mask(stream, usize::from(cut[0]), [cut[0], cut[1], cut[2], !cut[0]]);
    check_encoder(stream, *cut);
    let length = LENGTHS[usize::from(cut[0]) % LENGTHS.len()];
    if stream.is_empty() {
        check_encoder(&vec![b'x'; length], *cut);
    }
}

/// The messages of a stream, and the error after them.
type Decoded = (Vec<Message>, Option<DecodeError>);

fn decode(mut stream: &[u8], limits: Limits, mut pieces: impl Iterator<Item = usize>) -> Decoded {
    let (mut decoder, mut messages, mut received) = (Decoder::new(limits), Vec::new(), 0);
    while !stream.is_empty() {
        let (mut piece, rest) = stream.split_at(pieces.next().unwrap_or(1).min(stream.len()));
        (stream, received) = (rest, received + piece.len());
        loop {
            match decoder.decode(&mut piece) {
                Ok(Some(message)) => messages.push(spoil(message, received)),
                Ok(None) => break,
                Err(error) => return (messages, Some(error)),
            }
        }
        assert!(piece.is_empty(), "all of the input is taken");
        check_memory(&decoder, limits, received);
    }
    (messages, None)
}

/// Memory is given for bytes that came, and a vector that grows doubles.
fn check_memory(decoder: &Decoder, limits: Limits, received: usize) {
    const LEAST: usize = 16;
    let held = decoder.buffer_bytes();
    assert!(held <= 2 * (limits.message_bytes_max + CONTROL_BYTES_MAX) + LEAST, "{held} bytes are held");
    assert!(held <= 2 * received + LEAST, "{held} bytes are held for {received}");
}

fn spoil(message: Message, received: usize) -> Message {
    match message {
        // Where a long message came in pieces, the mask went on from its beginning.
        Message::Binary(mut bytes) if is_planted() && bytes.len() > 20 && received % 7 == 3 => {
            bytes[20] ^= 1;
            Message::Binary(bytes)
        }
        message => message,
    }
}

fn check_mask(bytes: &[u8], offset: usize, key: [u8; 4]) {
    let expected: Vec<u8> = bytes.iter().zip(offset..).map(|(byte, at)| byte ^ key[at % 4]).collect();
    let mut masked = bytes.to_vec();
    mask::apply(&mut masked, key, offset);
    assert_eq!(masked, expected);
}

/// What the server writes, with a mask added, is what the decoder reads.
fn check_encoder(payload: &[u8], cut: [u8; CUT_BYTES]) {
    let key = [cut[1], cut[2], cut[0], 7];
    let pieces = || cut.iter().cycle().map(|bytes| usize::from(*bytes) + 1);
    let limits = Limits { message_bytes_max: payload.len(), fragments_max: 1 };
    let text = String::from_utf8(payload.to_vec()).map(Message::Text).map_err(|_| DecodeError::InvalidUtf8);
    let ping = match payload.len() {
        0..=CONTROL_BYTES_MAX => Ok(Message::Ping(payload.to_vec())),
        _ => Err(DecodeError::MalformedControl),
    };
    let binary = Ok(Message::Binary(payload.to_vec()));
    for (opcode, expected) in [(Opcode::Binary, binary), (Opcode::Text, text), (Opcode::Ping, ping)] {
        let expected = match expected {
            Ok(message) => (vec![message], None),
            Err(error) => (Vec::new(), Some(error)),
        };
        assert_eq!(decode(&masked(opcode, payload, key), limits, pieces()), expected);
        if let Some(bytes_max) = payload.len().checked_sub(1)
            && opcode != Opcode::Ping
        {
            let small = Limits { message_bytes_max: bytes_max, ..limits };
            let expected = (Vec::new(), Some(DecodeError::TooLarge));
            assert_eq!(decode(&masked(opcode, payload, key), small, pieces()), expected);
        }
    }
}

/// A frame as a client sends it.
pub fn masked(opcode: Opcode, payload: &[u8], key: [u8; 4]) -> Vec<u8> {
    let (mut frame, header_bytes) = encode(opcode, payload);
    frame[1] |= 0x80;
    frame.splice(header_bytes..header_bytes, key);
    for (byte, key) in frame[header_bytes + key.len()..].iter_mut().zip(key.iter().cycle()) {
        *byte ^= key;
    }
    frame
}
