//! RFC 6455 frames, the server's side: an incremental decoder of what clients send, and an encoder of whole frames.
//!
//! The decoder is fed whatever a read returned and owns only what has not become a message yet: an idle connection
//! holds no buffer.

mod decoder;

pub use decoder::{Decoder, Limits};

use crate::close::CloseReason;

/// A complete message or control frame of the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// A text message, its fragments put together.
    Text(String),
    /// A binary message, its fragments put together.
    Binary(Vec<u8>),
    /// A ping to be answered with the same payload.
    Ping(Vec<u8>),
    /// A pong; nobody asked for it.
    Pong,
    /// The close frame.
    Close,
}

/// A frame against the protocol or over a limit. The decoder is of no use afterwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// A client frame without a mask.
    #[error("a client frame is not masked")]
    Unmasked,
    /// An RSV bit although no extension was negotiated.
    #[error("a reserved bit is set")]
    ReservedBits,
    /// An opcode that RFC 6455 does not define.
    #[error("an unknown opcode")]
    UnknownOpcode,
    /// A control frame over 125 bytes or in fragments, or a close frame with a broken status.
    #[error("a malformed control frame")]
    MalformedControl,
    /// A length in more bytes than it needs.
    #[error("a length that is not minimal")]
    MalformedLength,
    /// A continuation of nothing, or a new message inside a fragmented one.
    #[error("fragments out of order")]
    FragmentOrder,
    /// A message over the limit of bytes or fragments.
    #[error("a message over the limit")]
    TooLarge,
    /// Text that is not UTF-8.
    #[error("text that is not UTF-8")]
    InvalidUtf8,
}

impl DecodeError {
    /// The reason the connection closes with.
    #[must_use]
    pub const fn close_reason(self) -> CloseReason {
        match self {
            Self::TooLarge => CloseReason::MessageTooLarge,
            Self::InvalidUtf8 => CloseReason::InvalidUtf8,
            _ => CloseReason::FrameError,
        }
    }
}

/// The kind of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Opcode {
    /// More of the message before.
    Continuation = 0,
    /// UTF-8 text.
    Text = 1,
    /// Bytes.
    Binary = 2,
    /// The last frame of a side.
    Close = 8,
    /// Asks for a pong.
    Ping = 9,
    /// Answers a ping.
    Pong = 10,
}

impl Opcode {
    const fn from_bits(bits: u8) -> Option<Self> {
        Some(match bits {
            0 => Self::Continuation,
            1 => Self::Text,
            2 => Self::Binary,
            8 => Self::Close,
            9 => Self::Ping,
            10 => Self::Pong,
            _ => return None,
        })
    }

    const fn is_control(self) -> bool {
        self as u8 >= 8
    }
}

/// The longest payload of a control frame.
pub const CONTROL_BYTES_MAX: usize = 125;

const BIT_FINAL: u8 = 0x80;

/// The longest header of a frame that a server sends.
pub const HEADER_BYTES_MAX: usize = 10;

/// The header of a whole, unfragmented server frame with a payload of this length, and how many bytes of it count.
#[must_use]
pub fn header(opcode: Opcode, payload_bytes: usize) -> ([u8; HEADER_BYTES_MAX], usize) {
    let mut header = [0; HEADER_BYTES_MAX];
    let length = (payload_bytes as u64).to_be_bytes();
    header[0] = BIT_FINAL | opcode as u8;
    let header_bytes = match payload_bytes {
        0..=125 => {
            header[1] = length[7];
            2
        }
        126..=0xffff => {
            header[1] = 126;
            header[2..4].copy_from_slice(&length[6..]);
            4
        }
        _ => {
            header[1] = 127;
            header[2..].copy_from_slice(&length);
            HEADER_BYTES_MAX
        }
    };
    (header, header_bytes)
}

/// A whole, unfragmented server frame: the header, then the payload. Also the length of the header.
#[must_use]
pub fn encode(opcode: Opcode, payload: &[u8]) -> (Vec<u8>, usize) {
    let (header, header_bytes) = header(opcode, payload.len());
    ([&header[..header_bytes], payload].concat(), header_bytes)
}

#[cfg(test)]
mod tests;
