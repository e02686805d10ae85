//! What the floor writes and reads: RFC 6455 from the server's side.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use sha1::{Digest as _, Sha1};

use crate::bare::message::Sent;
use crate::wire::Malformed;

/// RFC 6455, 1.3.
const ACCEPT_GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/// Engine.IO's opening, with the intervals of every server that is measured.
const OPEN: &str = "0{\"sid\":\"floor\",\"upgrades\":[],\"pingInterval\":25000,\"pingTimeout\":20000,\"maxPayload\":1000000}";
/// A client's masked frame with a length of two bytes; the generator writes no longer ones.
const HEADER_BYTES_MAX: usize = 8;

/// One frame of a client, unmasked.
pub(super) struct Frame<'a> {
    pub payload: &'a [u8],
    /// What it took of the input.
    pub bytes: usize,
}

/// Reads one frame and unmasks it where it stands; nothing when there is not yet all of it.
pub(super) fn read_frame(input: &mut [u8]) -> Result<Option<Frame<'_>>, Malformed> {
    let [_, second, ..] = *input else { return Ok(None) };
    let header_bytes = if second & 0x7f == 126 { HEADER_BYTES_MAX } else { 6 };
    let Some((header, rest)) = input.split_at_mut_checked(header_bytes) else { return Ok(None) };
    let length = match second & 0x7f {
        126 => usize::from(u16::from_be_bytes([header[2], header[3]])),
        127 => return Err(Malformed("longer than the generator writes")),
        short => usize::from(short),
    };
    let Some(payload) = rest.get_mut(..length) else { return Ok(None) };
    let mask = &header[header_bytes - 4..];
    for chunk in payload.chunks_mut(4) {
        for (byte, mask) in chunk.iter_mut().zip(mask) {
            *byte ^= mask;
        }
    }
    Ok(Some(Frame { payload, bytes: header_bytes + length }))
}

/// Frames that are being written, in buffers that are kept.
#[derive(Default)]
pub(super) struct Frames {
    text: String,
    event: Vec<u8>,
    packet: Vec<u8>,
}

impl Frames {
    /// The answer to an upgrade, and the opening right behind it.
    pub(super) fn upgraded(key: &str) -> Vec<u8> {
        let accept = BASE64_STANDARD.encode(Sha1::digest([key, ACCEPT_GUID].concat()));
        let mut out = format!(
            "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\
             sec-websocket-accept: {accept}\r\n\r\n"
        )
        .into_bytes();
        write_text(&mut out, &[OPEN]);
        out
    }

    /// The one frame of a message.
    pub(super) fn event(&mut self, sent: &Sent<'_>, seq: u64) -> &[u8] {
        self.text.clear();
        sent.write_args(&mut self.text, seq);
        self.event.clear();
        write_text(&mut self.event, &["42[\"message:new\",", &self.text, "]"]);
        &self.event
    }

    pub(super) fn ack(&mut self, ack: &str, sent: &Sent<'_>, seq: u64) -> &[u8] {
        self.text.clear();
        sent.write_ack(&mut self.text, seq);
        self.packet.clear();
        write_text(&mut self.packet, &["43", ack, "[", &self.text, "]"]);
        &self.packet
    }

    pub(super) fn packet(&mut self, parts: &[&str]) -> &[u8] {
        self.packet.clear();
        write_text(&mut self.packet, parts);
        &self.packet
    }
}

fn write_text(out: &mut Vec<u8>, parts: &[&str]) {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    out.push(0x81);
    match u8::try_from(length) {
        Ok(short @ 0..126) => out.push(short),
        _ => {
            out.push(126);
            // Nothing that the floor says is longer than 64 KiB.
            out.extend_from_slice(&length.to_be_bytes()[6..]);
        }
    }
    for part in parts {
        out.extend_from_slice(part.as_bytes());
    }
}
