//! Frames that are encoded once and sent to many connections.

use std::fmt;
use std::sync::Arc;

use crate::codec::websocket::{self, Opcode};
use crate::codec::{engine, socket};

/// What a waiting frame costs beside its bytes: its place in the queue and its allocation. Counted so that a flood of
/// tiny frames is bounded too.
const OVERHEAD_BYTES: usize = 64;

/// One complete, encoded server frame, with a tag for the application. Cloning it counts one reference.
#[derive(Clone)]
pub struct SharedFrame(Arc<Encoded>);

struct Encoded {
    tag: u64,
    header_bytes: usize,
    bytes: Box<[u8]>,
}

impl SharedFrame {
    /// An event for the namespace `/`. `args_json` are the JSON values after the name, separated by commas, possibly
    /// none; they are not checked. `tag` is the application's, 0 for none: see
    /// [`Connection::written_tag`](crate::Connection::written_tag).
    #[must_use]
    pub fn event(name: &str, args_json: &str, tag: u64) -> Self {
        Self::packet(&socket::event(name, args_json, None), tag)
    }

    /// An event that asks for the acknowledgement with this id.
    pub(crate) fn event_with_ack(name: &str, args_json: &str, ack_id: u64) -> Self {
        Self::packet(&socket::event(name, args_json, Some(ack_id)), 0)
    }

    /// The acknowledgement of the client's event with this id.
    #[must_use]
    pub fn ack(id: u64, args_json: &str) -> Self {
        Self::packet(&socket::ack(id, args_json), 0)
    }

    /// A Socket.IO packet in an Engine.IO message.
    pub(crate) fn packet(socket_packet: &str, tag: u64) -> Self {
        Self::encode(Opcode::Text, format!("4{socket_packet}").as_bytes(), tag)
    }

    /// Engine.IO's open packet.
    pub(crate) fn open(handshake: &str) -> Self {
        Self::encode(Opcode::Text, handshake.as_bytes(), 0)
    }

    /// Engine.IO's ping, which the client answers.
    pub(crate) fn ping() -> Self {
        Self::encode(Opcode::Text, engine::PING.as_bytes(), 0)
    }

    /// WebSocket's pong, the answer to a client that pings on that layer.
    pub(crate) fn websocket_pong(payload: &[u8]) -> Self {
        Self::encode(Opcode::Pong, payload, 0)
    }

    /// WebSocket's close, with this status and a word on why, of at most 123 bytes, for who looks into it.
    pub(crate) fn websocket_close(code: u16, why: &str) -> Self {
        let why = &why.as_bytes()[..why.len().min(123)];
        Self::encode(Opcode::Close, &[&code.to_be_bytes(), why].concat(), 0)
    }

    fn encode(opcode: Opcode, payload: &[u8], tag: u64) -> Self {
        let (bytes, header_bytes) = websocket::encode(opcode, payload);
        Self(Arc::new(Encoded { tag, header_bytes, bytes: bytes.into_boxed_slice() }))
    }

    /// The application's tag, 0 for none.
    #[must_use]
    pub fn tag(&self) -> u64 {
        self.0.tag
    }

    /// The bytes of the WebSocket frame.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0.bytes
    }

    /// The Engine.IO packet alone, such as `42["name",1]`: UTF-8 text, as long-polling sends it.
    #[must_use]
    pub fn engine_packet(&self) -> &[u8] {
        &self.0.bytes[self.0.header_bytes..]
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

    #[test]
    fn an_event_is_one_whole_text_frame_and_gives_its_packet_back() {
        let frame = SharedFrame::event("message:new", r#"{"a":1},"next""#, 7);
        assert_eq!(frame.engine_packet(), br#"42["message:new",{"a":1},"next"]"#);
        assert_eq!(frame.as_bytes()[..2], [0x81, 32]);
        assert_eq!(frame.tag(), 7);
        let long = SharedFrame::event("a", &format!("\"{}\"", "x".repeat(70_000)), 0);
        assert!(long.engine_packet().starts_with(b"42[\"a\",\"xx"));
    }

    #[test]
    fn acks_and_control_frames() {
        assert_eq!(SharedFrame::ack(3, "true").engine_packet(), b"433[true]");
        assert_eq!(SharedFrame::ping().as_bytes(), [0x81, 1, b'2']);
        assert_eq!(SharedFrame::websocket_close(1009, "too").as_bytes(), [0x88, 5, 3, 241, b't', b'o', b'o']);
    }
}
