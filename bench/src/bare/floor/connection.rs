//! One client of the floor.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::TcpStream;

use memchr::memmem;

use super::frame::read_frame;
use crate::bare::message::Sent;
use crate::wire::Malformed;

/// What may wait for a client that does not read, in bytes; then it is closed.
const UNSENT_BYTES_MAX: usize = 1024 * 1024;

pub(super) struct Connection {
    pub stream: TcpStream,
    /// What has arrived and is not whole yet.
    pub left: Vec<u8>,
    is_upgraded: bool,
    /// What the kernel did not take.
    unsent: Vec<u8>,
}

/// What a client wants.
pub(super) enum Asked<'a> {
    Upgrade { key: &'a str },
    Connect,
    Join { ack: &'a str, room: &'a str },
    Send { ack: &'a str, sent: Sent<'a> },
    Nothing,
}

impl Connection {
    pub(super) fn new(stream: TcpStream) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, left: Vec::new(), is_upgraded: false, unsent: Vec::new() })
    }

    /// Reads once; nothing when nothing is there, an error also at the end.
    pub(super) fn read(&mut self, scratch: &mut [u8]) -> io::Result<Option<usize>> {
        match self.stream.read(scratch) {
            Ok(0) => Err(ErrorKind::UnexpectedEof.into()),
            Ok(count) => Ok(Some(count)),
            Err(error) if [ErrorKind::WouldBlock, ErrorKind::Interrupted].contains(&error.kind()) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The next whole thing and how many bytes it took.
    pub(super) fn next<'a>(&mut self, input: &'a mut [u8]) -> Result<Option<(usize, Asked<'a>)>, Malformed> {
        if self.is_upgraded {
            let Some(frame) = read_frame(input)? else { return Ok(None) };
            return Ok(Some((frame.bytes, asked(frame.payload)?)));
        }
        let Some(end) = memmem::find(input, b"\r\n\r\n") else { return Ok(None) };
        self.is_upgraded = true;
        Ok(Some((end + 4, Asked::Upgrade { key: key_of(&input[..end])? })))
    }

    /// Bytes wait for the client to read.
    pub(super) fn is_blocked(&self) -> bool {
        !self.unsent.is_empty()
    }

    /// One `send()`, or none where something waits already.
    pub(super) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut sent = 0;
        if self.unsent.is_empty() {
            match self.stream.write(bytes) {
                Ok(count) => sent = count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        self.unsent.extend_from_slice(&bytes[sent..]);
        if self.unsent.len() > UNSENT_BYTES_MAX { Err(ErrorKind::OutOfMemory.into()) } else { Ok(()) }
    }

    /// The client reads again.
    pub(super) fn write_on(&mut self) -> io::Result<()> {
        match self.stream.write(&self.unsent) {
            Ok(count) => {
                self.unsent.drain(..count);
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        if self.unsent.is_empty() {
            self.unsent = Vec::new();
        }
        Ok(())
    }
}

fn key_of(head: &[u8]) -> Result<&str, Malformed> {
    let head = std::str::from_utf8(head).map_err(|_| Malformed("a head that is no text"))?;
    let mut lines = head.lines().filter_map(|line| line.split_once(": "));
    let found = lines.find(|(name, _)| name.eq_ignore_ascii_case("sec-websocket-key"));
    found.map(|(_, key)| key).ok_or(Malformed("no upgrade"))
}

fn asked(payload: &[u8]) -> Result<Asked<'_>, Malformed> {
    let Some(packet) = payload.strip_prefix(b"42") else {
        return Ok(if payload.starts_with(b"40") { Asked::Connect } else { Asked::Nothing });
    };
    let packet = std::str::from_utf8(packet).map_err(|_| Malformed("an event that is no text"))?;
    let (ack, event) = packet.split_at(packet.find('[').ok_or(Malformed("an event that is no array"))?);
    if let Some(args) = event.strip_prefix("[\"message:send\",") {
        let sent = Sent::read(args.as_bytes()).ok_or(Malformed("a send"))?;
        Ok(Asked::Send { ack, sent })
    } else {
        let room = event.strip_prefix("[\"join\",\"").and_then(|room| room.strip_suffix("\"]"));
        Ok(Asked::Join { ack, room: room.ok_or(Malformed("an unknown event"))? })
    }
}
