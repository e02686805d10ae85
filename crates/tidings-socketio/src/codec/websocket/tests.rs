use proptest::prelude::*;

use super::decoder::BIT_MASKED;
use super::*;
use crate::codec::mask;

const LIMITS: Limits = Limits { message_bytes_max: 100_000, fragments_max: 8 };

/// A client frame, masked.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [0xa1, 0x07, 0x3c, 0xff];
    let mut bytes = encode(Opcode::Text, payload).0;
    let header_bytes = bytes.len() - payload.len();
    bytes[0] = first;
    bytes[1] |= BIT_MASKED;
    bytes.splice(header_bytes..header_bytes, mask);
    mask::apply(&mut bytes[header_bytes + 4..], mask, 0);
    bytes
}

fn text(payload: &str) -> Vec<u8> {
    frame(0x81, payload.as_bytes())
}

/// Everything that comes out when the stream arrives in these pieces.
fn decode_all<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<Message>, DecodeError> {
    let mut decoder = Decoder::new(LIMITS);
    let mut messages = Vec::new();
    for mut piece in pieces {
        while let Some(message) = decoder.decode(&mut piece)? {
            messages.push(message);
        }
        assert!(piece.is_empty());
    }
    Ok(messages)
}

fn refused(bytes: &[u8]) -> DecodeError {
    decode_all([bytes]).unwrap_err()
}

#[test]
fn messages_of_every_length_encoding() {
    for length in [0, 1, 125, 126, 65_535, 65_536, 100_000] {
        let payload = "x".repeat(length);
        assert_eq!(decode_all([&text(&payload)[..]]), Ok(vec![Message::Text(payload)]));
    }
}

#[test]
fn control_frames_between_fragments() {
    let stream = [frame(0x01, b"he"), frame(0x89, b"?"), frame(0x00, b"l"), frame(0x80, b"lo")].concat();
    let expected = vec![Message::Ping(b"?".to_vec()), Message::Text("hello".into())];
    assert_eq!(decode_all([&stream[..]]), Ok(expected));
}

#[test]
fn a_character_may_be_split_between_fragments() {
    let stream = [frame(0x01, &[0xc3]), frame(0x80, &[0xa9])].concat();
    assert_eq!(decode_all([&stream[..]]), Ok(vec![Message::Text("é".into())]));
}

#[test]
fn frames_against_the_protocol() {
    assert_eq!(refused(&[0x81, 0x01, b'x']), DecodeError::Unmasked);
    assert_eq!(refused(&frame(0xc1, b"x")), DecodeError::ReservedBits);
    assert_eq!(refused(&frame(0x83, b"x")), DecodeError::UnknownOpcode);
    assert_eq!(refused(&frame(0x89, &[0; 126])), DecodeError::MalformedControl);
    assert_eq!(refused(&frame(0x09, b"x")), DecodeError::MalformedControl);
    assert_eq!(refused(&frame(0x80, b"x")), DecodeError::FragmentOrder);
    assert_eq!(refused(&[frame(0x01, b"x"), text("y")].concat()), DecodeError::FragmentOrder);
    assert_eq!(refused(&[0x81, 0xfe, 0, 5, 0, 0, 0, 0]), DecodeError::MalformedLength);
    assert_eq!(refused(&frame(0x81, &[0xff])), DecodeError::InvalidUtf8);
    assert_eq!(refused(&frame(0x88, &[3])), DecodeError::MalformedControl);
    assert_eq!(refused(&frame(0x88, &1005_u16.to_be_bytes())), DecodeError::MalformedControl);
    assert_eq!(refused(&frame(0x88, &[3, 232, 0xff])), DecodeError::InvalidUtf8);
    assert_eq!(decode_all([&frame(0x88, &[])[..]]), Ok(vec![Message::Close]));
    assert_eq!(decode_all([&frame(0x88, &[3, 232])[..]]), Ok(vec![Message::Close]));
}

#[test]
fn a_message_over_the_limit_is_refused_by_its_header_alone() {
    let mut header = vec![0x81, 0xff];
    header.extend_from_slice(&100_001_u64.to_be_bytes());
    header.extend_from_slice(&[0; 4]);
    assert_eq!(refused(&header), DecodeError::TooLarge);
    // The largest length there is must not wrap around when it is added to what has come.
    let mut header = [frame(0x01, b"x"), vec![0x80, 0xff]].concat();
    header.extend_from_slice(&(i64::MAX as u64).to_be_bytes());
    header.extend_from_slice(&[0; 4]);
    assert_eq!(refused(&header), DecodeError::TooLarge);
}

#[test]
fn fragments_together_are_bounded_in_bytes_and_in_number() {
    let half = "x".repeat(60_000);
    let stream = [frame(0x01, half.as_bytes()), frame(0x80, half.as_bytes())].concat();
    assert_eq!(refused(&stream), DecodeError::TooLarge);
    let endless = [frame(0x01, b""), frame(0x00, b"").repeat(8)].concat();
    assert_eq!(refused(&endless), DecodeError::TooLarge);
}

#[test]
fn memory_is_given_for_bytes_that_came_and_released_with_the_message() {
    let mut decoder = Decoder::new(LIMITS);
    let bytes = text(&"x".repeat(90_000));
    assert_eq!(decoder.decode(&mut &bytes[..100]), Ok(None));
    assert!(decoder.buffer_bytes() < 1_000);
    assert!(decoder.decode(&mut &bytes[100..]).unwrap().is_some());
    assert_eq!(decoder.buffer_bytes(), 0);
}

#[test]
fn a_server_frame_is_a_header_and_the_payload() {
    assert_eq!(encode(Opcode::Text, b"2"), (vec![0x81, 1, b'2'], 2));
    assert_eq!(encode(Opcode::Close, &1000_u16.to_be_bytes()), (vec![0x88, 2, 3, 232], 2));
    assert_eq!(encode(Opcode::Text, &[0; 300]).0[..4], [0x81, 126, 1, 44]);
    assert_eq!(encode(Opcode::Binary, &[0; 70_000]).0[..10], [0x82, 127, 0, 0, 0, 0, 0, 1, 0x11, 0x70]);
}

proptest! {
    #[test]
    fn any_split_of_the_stream_gives_the_same_messages(
        payloads in prop::collection::vec(("[a-zé]{0,200}", 1_usize..4), 1..8),
        cuts in prop::collection::vec(1_usize..40, 1..200),
    ) {
        let mut stream = Vec::new();
        for (payload, fragments) in &payloads {
            let chunks: Vec<&[u8]> = payload.as_bytes().chunks(payload.len() / fragments + 1).collect();
            let last = chunks.len().saturating_sub(1);
            if chunks.is_empty() {
                stream.extend(text(""));
            }
            for (i, chunk) in chunks.into_iter().enumerate() {
                let first = u8::from(i == 0) | if i == last { BIT_FINAL } else { 0 };
                stream.extend(frame(first, chunk));
                if i < last {
                    stream.extend(frame(0x8a, b"between"));
                }
            }
        }
        let mut pieces = Vec::new();
        let mut rest = &stream[..];
        for cut in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (piece, more) = rest.split_at(rest.len().min(*cut));
            pieces.push(piece);
            rest = more;
        }
        let whole = decode_all([&stream[..]]).unwrap();
        let texts: Vec<&str> =
            whole.iter().filter_map(|m| if let Message::Text(text) = m { Some(&text[..]) } else { None }).collect();
        prop_assert_eq!(texts, payloads.iter().map(|(payload, _)| &payload[..]).collect::<Vec<_>>());
        prop_assert_eq!(decode_all(pieces), Ok(whole));
    }

    #[test]
    fn no_bytes_make_the_decoder_panic_or_grow(bytes in prop::collection::vec(any::<u8>(), 0..2_000)) {
        let mut decoder = Decoder::new(Limits { message_bytes_max: 500, fragments_max: 3 });
        let mut input = &bytes[..];
        while let Ok(Some(_)) = decoder.decode(&mut input) {}
        prop_assert!(decoder.buffer_bytes() <= 2_000);
    }
}
