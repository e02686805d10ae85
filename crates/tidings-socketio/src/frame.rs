//! Frames that are encoded once and sent to many connections.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use crate::codec::websocket::{self, HEADER_BYTES_MAX, Opcode};
use crate::codec::{engine, socket};

/// What a waiting frame costs beside its bytes: its place in the queue and its allocation. Counted so that a flood of
/// tiny frames is bounded too.
const OVERHEAD_BYTES: usize = 64;

/// One complete, encoded packet of the server, with a tag for the application: a WebSocket text frame, and a binary
/// frame for each attachment. Long-polling takes its pieces. Cloning it counts one reference.
#[derive(Clone)]
pub struct SharedFrame(Arc<Encoded>);

struct Encoded {
    tag: u64,
    /// Where the first header begins: it stands directly before the text, and is seldom of its full length.
    start: usize,
    /// The Engine.IO packet in text; empty where the frame is WebSocket's own.
    text: Range<usize>,
    /// The payloads of the binary frames.
    attachments: Box<[Range<usize>]>,
    bytes: Box<[u8]>,
}

impl SharedFrame {
    /// An event for the namespace `/`. `args_json` are the JSON values after the name, separated by commas, possibly
    /// none; they are not checked. `tag` is the application's, 0 for none: see
    /// [`Connection::written_tag`](crate::Connection::written_tag).
    #[must_use]
    pub fn event(name: &str, args_json: &str, tag: u64) -> Self {
        Self::event_in(socket::MAIN_NAMESPACE, name, args_json, &[], tag)
    }

    /// An event for any namespace, with binary attachments. For each, `args_json` has one
    /// `{"_placeholder":true,"num":N}` where it belongs, N counted from 0.
    #[must_use]
    pub fn event_in(namespace: &str, name: &str, args_json: &str, attachments: &[Bytes], tag: u64) -> Self {
        Self::message(tag, attachments, |out| {
            socket::write_event(out, namespace, name, args_json, None, attachments.len());
        })
    }

    /// Engine.IO's message with a Socket.IO packet in it.
    pub(crate) fn message(tag: u64, attachments: &[Bytes], write: impl FnOnce(&mut Vec<u8>)) -> Self {
        Self::encode(Opcode::Text, tag, attachments, |out| {
            out.push(b'4');
            write(out);
        })
    }

    /// An Engine.IO packet.
    pub(crate) fn engine(packet: &str) -> Self {
        Self::encode(Opcode::Text, 0, &[], |out| out.extend_from_slice(packet.as_bytes()))
    }

    /// The same behind other bytes, which are no frame.
    pub(crate) fn engine_behind(before: &[u8], packet: &str) -> Self {
        let (frame, header_bytes) = websocket::encode(Opcode::Text, packet.as_bytes());
        let bytes = [before, &frame].concat().into_boxed_slice();
        let text = before.len() + header_bytes..bytes.len();
        Self(Arc::new(Encoded { tag: 0, start: 0, text, attachments: Box::default(), bytes }))
    }

    /// Engine.IO's binary message.
    pub(crate) fn binary(message: &[u8]) -> Self {
        let (bytes, header_bytes) = websocket::encode(Opcode::Binary, message);
        let payload = header_bytes..bytes.len();
        let attachments = std::iter::once(payload).collect();
        Self(Arc::new(Encoded { tag: 0, start: 0, text: 0..0, attachments, bytes: bytes.into_boxed_slice() }))
    }

    /// Engine.IO's ping, which the client answers.
    pub(crate) fn ping() -> Self {
        Self::engine(engine::PING)
    }

    /// WebSocket's pong, the answer to a client that pings on that layer.
    pub(crate) fn websocket_pong(payload: &[u8]) -> Self {
        Self::encode(Opcode::Pong, 0, &[], |out| out.extend_from_slice(payload))
    }

    /// WebSocket's close, with this status and a word on why, of at most 123 bytes, for who looks into it.
    pub(crate) fn websocket_close(code: u16, why: &str) -> Self {
        let why = &why.as_bytes()[..why.len().min(123)];
        Self::encode(Opcode::Close, 0, &[], |out| {
            out.extend_from_slice(&code.to_be_bytes());
            out.extend_from_slice(why);
        })
    }

    fn encode(opcode: Opcode, tag: u64, attachments: &[Bytes], write: impl FnOnce(&mut Vec<u8>)) -> Self {
        let mut bytes = vec![0; HEADER_BYTES_MAX];
        write(&mut bytes);
        let text = HEADER_BYTES_MAX..bytes.len();
        let (header, header_bytes) = websocket::header(opcode, text.len());
        let start = HEADER_BYTES_MAX - header_bytes;
        bytes[start..HEADER_BYTES_MAX].copy_from_slice(&header[..header_bytes]);
        let attachments = attachments.iter().map(|attachment| {
            let (header, header_bytes) = websocket::header(Opcode::Binary, attachment.len());
            bytes.extend_from_slice(&header[..header_bytes]);
            bytes.extend_from_slice(attachment);
            bytes.len() - attachment.len()..bytes.len()
        });
        let attachments = attachments.collect();
        let text = if opcode == Opcode::Text { text } else { 0..0 };
        Self(Arc::new(Encoded { tag, start, text, attachments, bytes: bytes.into_boxed_slice() }))
    }

    /// The application's tag, 0 for none.
    #[must_use]
    pub fn tag(&self) -> u64 {
        self.0.tag
    }

    /// The bytes of the WebSocket frames.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0.bytes[self.0.start..]
    }

    /// The Engine.IO packet alone, such as `42["name",1]`: UTF-8 text. Empty for a binary message.
    #[must_use]
    pub fn engine_packet(&self) -> &[u8] {
        &self.0.bytes[self.0.text.clone()]
    }

    /// How many packets of a payload it makes.
    pub(crate) fn packets(&self) -> usize {
        usize::from(!self.0.text.is_empty()) + self.0.attachments.len()
    }

    /// Adds its packets to a payload of long-polling, which has none for what is WebSocket's own.
    pub(crate) fn write_to_payload(&self, payload: &mut Vec<u8>) {
        if !self.0.text.is_empty() {
            engine::write_payload_text(payload, self.engine_packet());
        }
        for attachment in &self.0.attachments {
            engine::write_payload_binary(payload, &self.0.bytes[attachment.clone()]);
        }
    }

    /// What the frame takes from a queue's budget.
    #[must_use]
    pub fn cost_bytes(&self) -> usize {
        self.0.bytes.len() + OVERHEAD_BYTES
    }
}

impl fmt::Debug for SharedFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the content: frames hold what people write, and logs must not.
        f.debug_struct("SharedFrame").field("tag", &self.0.tag).field("bytes", &self.0.bytes.len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payload(frames: &[SharedFrame]) -> String {
        let mut payload = Vec::new();
        for frame in frames {
            frame.write_to_payload(&mut payload);
        }
        String::from_utf8(payload).unwrap()
    }

    #[test]
    fn an_event_is_one_whole_text_frame_and_gives_its_packet_back() {
        let frame = SharedFrame::event("message:new", r#"{"a":1},"next""#, 7);
        assert_eq!(frame.engine_packet(), br#"42["message:new",{"a":1},"next"]"#);
        assert_eq!(frame.as_bytes()[..2], [0x81, 32]);
        assert_eq!(frame.tag(), 7);
        for length in [200, 70_000] {
            let long = SharedFrame::event("a", &format!("\"{}\"", "x".repeat(length)), 0);
            assert_eq!(long.as_bytes(), websocket::encode(Opcode::Text, long.engine_packet()).0);
            assert!(long.engine_packet().starts_with(b"42[\"a\",\"xx"));
        }
    }

    #[test]
    fn attachments_are_frames_after_the_text_and_base64_in_a_payload() {
        let attachments = [Bytes::from_static(&[1, 2, 3]), Bytes::from_static(&[4])];
        let frame = SharedFrame::event_in("/a", "b", "1", &attachments, 0);
        let text = r#"452-/a,["b",1]"#;
        let expected = [&[0x81, 14], text.as_bytes(), &[0x82, 3, 1, 2, 3], &[0x82, 1, 4]].concat();
        assert_eq!(frame.as_bytes(), expected);
        assert_eq!(payload(&[frame, SharedFrame::ping()]), format!("{text}\u{1e}bAQID\u{1e}bBA==\u{1e}2"));
        assert_eq!(payload(&[SharedFrame::binary(&[1, 2, 3])]), "bAQID");
    }

    #[test]
    fn control_frames_are_websockets_alone() {
        assert_eq!(SharedFrame::ping().as_bytes(), [0x81, 1, b'2']);
        let close = SharedFrame::websocket_close(1009, "too");
        assert_eq!(close.as_bytes(), [0x88, 5, 3, 241, b't', b'o', b'o']);
        assert_eq!(payload(&[close, SharedFrame::websocket_pong(b"x")]), "");
    }
}
