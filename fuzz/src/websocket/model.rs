//! RFC 6455 for a stream that is all there, read plainly.

use tidings_socketio::codec::websocket::{DecodeError, Limits, Message};

/// Its messages, and the error that ends them.
pub fn decode(stream: &[u8], limits: Limits) -> (Vec<Message>, Option<DecodeError>) {
    let mut messages = Vec::new();
    let mut reader = Reader { stream, limits, fragments: 0, message: None };
    loop {
        match reader.frame() {
            Ok(Read::Message(message)) => messages.push(message),
            Ok(Read::Fragment) => {}
            Ok(Read::End) => return (messages, None),
            Err(error) => return (messages, Some(error)),
        }
    }
}

enum Read {
    Message(Message),
    Fragment,
    /// What is left is not a whole frame.
    End,
}

struct Reader<'a> {
    stream: &'a [u8],
    limits: Limits,
    fragments: u32,
    /// The fragments of a message so far, and whether it is text.
    message: Option<(bool, Vec<u8>)>,
}

impl<'a> Reader<'a> {
    fn frame(&mut self) -> Result<Read, DecodeError> {
        let Some(&[first, second]) = self.take(2) else { return Ok(Read::End) };
        let (is_final, opcode) = (first & 0x80 != 0, first & 0x0f);
        let is_control = opcode >= 8;
        if first & 0x70 != 0 {
            return Err(DecodeError::ReservedBits);
        }
        if !matches!(opcode, 0..=2 | 8..=10) {
            return Err(DecodeError::UnknownOpcode);
        }
        if second & 0x80 == 0 {
            return Err(DecodeError::Unmasked);
        }
        let short = second & 0x7f;
        if is_control && (!is_final || short > 125) {
            return Err(DecodeError::MalformedControl);
        }
        let extended_bytes = match short {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let Some(header) = self.take(extended_bytes + 4) else { return Ok(Read::End) };
        let (extended, key) = header.split_at(extended_bytes);
        let length = match extended.len() {
            0 => u64::from(short),
            _ => extended.iter().fold(0, |length, byte| length * 256 + u64::from(*byte)),
        };
        let is_minimal = match extended.len() {
            0 => true,
            2 => length > 125,
            _ => length > 0xffff && length < 1 << 63,
        };
        if !is_minimal {
            return Err(DecodeError::MalformedLength);
        }
        if !is_control {
            self.admit(opcode, length)?;
        }
        let length = usize::try_from(length).map_err(|_| DecodeError::TooLarge)?;
        let Some(masked) = self.take(length) else { return Ok(Read::End) };
        let payload: Vec<u8> = masked.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key).collect();
        self.finish(opcode, is_final, payload)
    }

    /// Whether a frame of data may come now, and of this length.
    fn admit(&mut self, opcode: u8, length: u64) -> Result<(), DecodeError> {
        let is_continued = opcode == 0;
        if is_continued != self.message.is_some() {
            return Err(DecodeError::FragmentOrder);
        }
        let so_far = self.message.get_or_insert((opcode == 1, Vec::new())).1.len() as u64;
        self.fragments = if is_continued { self.fragments + 1 } else { 1 };
        if self.fragments > self.limits.fragments_max
            || so_far + length > self.limits.message_bytes_max as u64
        {
            return Err(DecodeError::TooLarge);
        }
        Ok(())
    }

    fn finish(&mut self, opcode: u8, is_final: bool, payload: Vec<u8>) -> Result<Read, DecodeError> {
        let message = match opcode {
            8 => {
                check_close(&payload)?;
                Message::Close
            }
            9 => Message::Ping(payload),
            10 => Message::Pong,
            _ => {
                if let Some((_, message)) = &mut self.message {
                    message.extend(payload);
                }
                if !is_final {
                    return Ok(Read::Fragment);
                }
                match self.message.take() {
                    Some((true, text)) => {
                        Message::Text(String::from_utf8(text).map_err(|_| DecodeError::InvalidUtf8)?)
                    }
                    Some((false, bytes)) => Message::Binary(bytes),
                    None => return Ok(Read::Fragment),
                }
            }
        };
        Ok(Read::Message(message))
    }

    /// `None`: that much is not there.
    fn take(&mut self, bytes: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.stream.split_at_checked(bytes)?;
        self.stream = rest;
        Some(taken)
    }
}

/// A close frame is empty, or has one of the codes that may be sent and a text (RFC 6455, 7.4, and its registry).
fn check_close(payload: &[u8]) -> Result<(), DecodeError> {
    if payload.is_empty() {
        return Ok(());
    }
    let Some((code, text)) = payload.split_first_chunk() else { return Err(DecodeError::MalformedControl) };
    let code = u16::from_be_bytes(*code);
    let may_not_be_sent = matches!(code, 1004..=1006 | 1015);
    let is_known = (1000..=1015).contains(&code) || (3000..5000).contains(&code);
    if may_not_be_sent || !is_known {
        return Err(DecodeError::MalformedControl);
    }
    std::str::from_utf8(text).map(|_| ()).map_err(|_| DecodeError::InvalidUtf8)
}
