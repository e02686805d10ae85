//! From bytes, in any pieces, to messages.

use super::{BIT_FINAL, CONTROL_BYTES_MAX, DecodeError, Message, Opcode};
use crate::codec::mask;

const HEADER_BYTES_MAX: usize = 14;
const MASK_BYTES: usize = 4;
const BITS_RESERVED: u8 = 0x70;
pub(super) const BIT_MASKED: u8 = 0x80;

/// What one message may weigh.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// All fragments of a message together.
    pub message_bytes_max: usize,
    /// Frames of one message.
    pub fragments_max: u32,
}

/// The incremental decoder of one connection.
#[derive(Debug)]
pub struct Decoder {
    limits: Limits,
    header: [u8; HEADER_BYTES_MAX],
    header_bytes: u8,
    frame: Option<Frame>,
    /// The data message so far, over all its fragments.
    data: Vec<u8>,
    /// What the message is, while fragments of it are missing.
    data_opcode: Option<Opcode>,
    fragments: u32,
    /// The control frame so far: it may come between the fragments of a message.
    control: Vec<u8>,
}

/// A frame whose header is known and whose payload is arriving.
#[derive(Clone, Copy, Debug)]
struct Frame {
    opcode: Opcode,
    is_final: bool,
    mask: [u8; MASK_BYTES],
    length: usize,
    received: usize,
}

impl Decoder {
    /// A decoder at the beginning of a stream.
    #[must_use]
    pub const fn new(limits: Limits) -> Self {
        Self {
            limits,
            header: [0; HEADER_BYTES_MAX],
            header_bytes: 0,
            frame: None,
            data: Vec::new(),
            data_opcode: None,
            fragments: 0,
            control: Vec::new(),
        }
    }

    /// Takes bytes from the front of `input` until one message is complete. `None`: all of `input` was taken, and the
    /// message needs more.
    pub fn decode(&mut self, input: &mut &[u8]) -> Result<Option<Message>, DecodeError> {
        loop {
            let Some(mut frame) = self.frame.take() else {
                match self.decode_header(input)? {
                    Some(frame) => self.frame = Some(frame),
                    None => return Ok(None),
                }
                continue;
            };
            self.take_payload(&mut frame, input);
            if frame.received < frame.length {
                self.frame = Some(frame);
                return Ok(None);
            }
            if let Some(message) = self.finish(frame)? {
                return Ok(Some(message));
            }
        }
    }

    /// Bytes that wait in this decoder for the rest of their message.
    #[must_use]
    pub const fn buffer_bytes(&self) -> usize {
        self.data.capacity() + self.control.capacity()
    }

    fn decode_header(&mut self, input: &mut &[u8]) -> Result<Option<Frame>, DecodeError> {
        loop {
            let have = usize::from(self.header_bytes);
            // The first two bytes tell how long the rest is, and already whether the frame is refused.
            let need = if have < 2 { 2 } else { 2 + extended_bytes(self.header[1]) + MASK_BYTES };
            if have == need {
                self.header_bytes = 0;
                return self.admit(need).map(Some);
            }
            let taken = input.len().min(need - have);
            if taken == 0 {
                return Ok(None);
            }
            let (head, rest) = input.split_at(taken);
            self.header[have..have + taken].copy_from_slice(head);
            *input = rest;
            self.header_bytes = u8::try_from(have + taken).unwrap_or(u8::MAX);
            if have < 2 && have + taken == 2 {
                check_start(self.header[0], self.header[1])?;
            }
        }
    }

    /// A complete header becomes a frame, if the limits and the order of fragments allow it.
    fn admit(&mut self, header_bytes: usize) -> Result<Frame, DecodeError> {
        let header = &self.header[..header_bytes];
        let opcode = Opcode::from_bits(header[0] & 0x0f).ok_or(DecodeError::UnknownOpcode)?;
        let (extended, mask) = header[2..].split_at(header_bytes - 2 - MASK_BYTES);
        let length = payload_length(header[1], extended)?;
        let frame = Frame {
            opcode,
            is_final: header[0] & BIT_FINAL != 0,
            mask: [mask[0], mask[1], mask[2], mask[3]],
            length,
            received: 0,
        };
        if opcode.is_control() {
            return Ok(frame);
        }
        if (opcode == Opcode::Continuation) != self.data_opcode.is_some() {
            return Err(DecodeError::FragmentOrder);
        }
        self.fragments += 1;
        let too_many = self.fragments > self.limits.fragments_max;
        if too_many || length > self.limits.message_bytes_max - self.data.len() {
            return Err(DecodeError::TooLarge);
        }
        self.data_opcode.get_or_insert(opcode);
        Ok(frame)
    }

    fn take_payload(&mut self, frame: &mut Frame, input: &mut &[u8]) {
        let taken = input.len().min(frame.length - frame.received);
        let (payload, rest) = input.split_at(taken);
        *input = rest;
        let buffer = if frame.opcode.is_control() { &mut self.control } else { &mut self.data };
        let start = buffer.len();
        if start == 0 && frame.received == 0 && taken == frame.length {
            // All there, as nearly always: exactly as much memory as the message.
            buffer.reserve_exact(taken);
        }
        // Never the announced length: memory is given for bytes that came, not for promises.
        buffer.extend_from_slice(payload);
        mask::apply(&mut buffer[start..], frame.mask, frame.received);
        frame.received += taken;
    }

    /// The frame is complete; so is a message, unless more fragments follow. Hands the buffer over with it.
    fn finish(&mut self, frame: Frame) -> Result<Option<Message>, DecodeError> {
        if frame.opcode.is_control() {
            let payload = std::mem::take(&mut self.control);
            return control_message(frame.opcode, payload).map(Some);
        }
        if !frame.is_final {
            return Ok(None);
        }
        let payload = std::mem::take(&mut self.data);
        self.fragments = 0;
        match self.data_opcode.take() {
            Some(Opcode::Text) => {
                String::from_utf8(payload).map(Message::Text).map(Some).map_err(|_| DecodeError::InvalidUtf8)
            }
            _ => Ok(Some(Message::Binary(payload))),
        }
    }
}

/// Everything that the first two bytes of a frame can break.
fn check_start(first: u8, second: u8) -> Result<(), DecodeError> {
    if first & BITS_RESERVED != 0 {
        return Err(DecodeError::ReservedBits);
    }
    let opcode = Opcode::from_bits(first & 0x0f).ok_or(DecodeError::UnknownOpcode)?;
    if second & BIT_MASKED == 0 {
        return Err(DecodeError::Unmasked);
    }
    let is_long = usize::from(second & !BIT_MASKED) > CONTROL_BYTES_MAX;
    if opcode.is_control() && (is_long || first & BIT_FINAL == 0) {
        return Err(DecodeError::MalformedControl);
    }
    Ok(())
}

const fn extended_bytes(second: u8) -> usize {
    match second & !BIT_MASKED {
        126 => 2,
        127 => 8,
        _ => 0,
    }
}

fn payload_length(second: u8, extended: &[u8]) -> Result<usize, DecodeError> {
    let length = match extended.len() {
        0 => return Ok(usize::from(second & !BIT_MASKED)),
        _ => extended.iter().fold(0_u64, |length, byte| length << 8 | u64::from(*byte)),
    };
    let least = if extended.len() == 2 { 126 } else { 1 << 16 };
    if length < least || length > i64::MAX as u64 {
        return Err(DecodeError::MalformedLength);
    }
    usize::try_from(length).map_err(|_| DecodeError::TooLarge)
}

fn control_message(opcode: Opcode, payload: Vec<u8>) -> Result<Message, DecodeError> {
    match opcode {
        Opcode::Ping => Ok(Message::Ping(payload)),
        Opcode::Pong => Ok(Message::Pong),
        _ => check_close(&payload).map(|()| Message::Close),
    }
}

/// A close frame holds nothing, or a status and a text.
fn check_close(payload: &[u8]) -> Result<(), DecodeError> {
    let [high, low, text @ ..] = payload else {
        return if payload.is_empty() { Ok(()) } else { Err(DecodeError::MalformedControl) };
    };
    match u16::from_be_bytes([*high, *low]) {
        1000..=1003 | 1007..=1014 | 3000..=4999 => {
            std::str::from_utf8(text).map(|_| ()).map_err(|_| DecodeError::InvalidUtf8)
        }
        _ => Err(DecodeError::MalformedControl),
    }
}
