//! RFC 6455 frames: what a client writes (masked) and reads (not masked, never in fragments here).

use super::Malformed;

pub(crate) const TEXT: u8 = 1;
pub(crate) const CLOSE: u8 = 8;
pub(crate) const PING: u8 = 9;
pub(crate) const PONG: u8 = 10;

/// Longer than anything that a server of ours may send.
const PAYLOAD_BYTES_MAX: usize = 16 * 1024 * 1024;

/// One whole frame.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Frame<'a> {
    pub opcode: u8,
    pub payload: &'a [u8],
    /// What it took of the input.
    pub bytes: usize,
}

/// Reads one frame; nothing when there is not yet all of it.
pub(crate) fn read_frame(input: &[u8]) -> Result<Option<Frame<'_>>, Malformed> {
    let [first, second, rest @ ..] = input else { return Ok(None) };
    if first & 0xf0 != 0x80 || second & 0x80 != 0 {
        return Err(Malformed("a fragment, an extension, or a masked frame"));
    }
    let (extra, length) = match second {
        126 => match rest.first_chunk::<2>() {
            Some(bytes) => (2, usize::from(u16::from_be_bytes(*bytes))),
            None => return Ok(None),
        },
        127 => match rest.first_chunk::<8>() {
            Some(bytes) => (8, usize::try_from(u64::from_be_bytes(*bytes)).unwrap_or(usize::MAX)),
            None => return Ok(None),
        },
        short => (0, usize::from(*short)),
    };
    if length > PAYLOAD_BYTES_MAX {
        return Err(Malformed("a frame without end"));
    }
    let payload = rest.get(extra..extra + length);
    Ok(payload.map(|payload| Frame { opcode: first & 0x0f, payload, bytes: 2 + extra + length }))
}

/// Writes one frame of these parts, masked.
pub(crate) fn write_frame(out: &mut Vec<u8>, opcode: u8, parts: &[&[u8]], mask: [u8; 4]) {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    out.push(0x80 | opcode);
    match length {
        0..126 => out.push(0x80 | length.to_le_bytes()[0]),
        126..0x1_0000 => {
            out.push(0x80 | 126);
            out.extend_from_slice(&length.to_be_bytes()[6..]);
        }
        _ => {
            out.push(0x80 | 127);
            out.extend_from_slice(&length.to_be_bytes());
        }
    }
    out.extend_from_slice(&mask);
    let begin = out.len();
    for part in parts {
        out.extend_from_slice(part);
    }
    for chunk in out[begin..].chunks_mut(4) {
        for (byte, mask) in chunk.iter_mut().zip(mask) {
            *byte ^= mask;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same frame as a server would write it.
    fn unmasked(payload: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        write_frame(&mut out, TEXT, &[payload], [0; 4]);
        let header = out.len() - payload.len() - 4;
        out.drain(header..header + 4);
        out[1] &= 0x7f;
        out
    }

    #[test]
    fn frames_of_every_length_come_back_as_they_went() {
        for length in [0, 1, 125, 126, 127, 65_535, 65_536, 70_001] {
            let payload = vec![b'x'; length];
            let mut input = unmasked(&payload);
            for cut in [0, 1, 2, 3, input.len() - 1] {
                let partial = read_frame(&input[..cut.min(input.len() - 1)]).unwrap();
                assert_eq!(partial, None, "{length} bytes cut at {cut}");
            }
            let bytes = input.len();
            input.extend_from_slice(b"the next");
            assert_eq!(read_frame(&input), Ok(Some(Frame { opcode: TEXT, payload: &payload, bytes })));
        }
    }

    #[test]
    fn what_a_client_writes_is_masked() {
        let mut out = Vec::new();
        write_frame(&mut out, TEXT, &[b"Hel", b"lo"], [0x37, 0xfa, 0x21, 0x3d]);
        // The example of RFC 6455, 5.7.
        assert_eq!(out, [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58]);
    }

    #[test]
    fn what_a_server_must_not_send_is_refused() {
        assert!(read_frame(&[0x01, 0x00]).is_err(), "a fragment");
        assert!(read_frame(&[0xc1, 0x00]).is_err(), "compressed");
        assert!(read_frame(&[0x81, 0x80]).is_err(), "masked");
    }
}
