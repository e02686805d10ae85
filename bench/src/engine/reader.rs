//! What the bytes of a link say, and where in its life it stands.

use crate::wire::socketio::{Packet, read_packet};
use crate::wire::{Malformed, http, websocket};

/// How far a link has come.
#[derive(Debug)]
pub(super) enum Reader {
    /// Requests and answers, for ever.
    Http,
    /// The upgrade is asked for, and with an `auth` what follows it.
    Upgrading { auth: Option<String> },
    /// Frames.
    Socket { auth: String },
    /// What comes after the upgrade is not looked at.
    Deaf,
}

/// One thing that the server said.
pub(super) enum Said<'a> {
    Answer {
        status: u16,
        body: &'a [u8],
    },
    Connected,
    Event(&'a [u8]),
    Ack(u64, &'a [u8]),
    /// To be answered with this packet.
    Say(String),
    /// To be answered with a pong of this payload.
    Pong(&'a [u8]),
    Nothing,
    End(String),
}

impl Reader {
    /// The next whole thing and how many bytes it took.
    pub(super) fn next<'a>(&mut self, input: &'a [u8]) -> Result<Option<(usize, Said<'a>)>, Malformed> {
        match self {
            Self::Http => Ok(http::read_answer(input)?
                .map(|answer| (answer.bytes, Said::Answer { status: answer.status, body: answer.body }))),
            Self::Upgrading { auth } => {
                let Some(answer) = http::read_answer(input)? else { return Ok(None) };
                if answer.status != 101 {
                    let body = String::from_utf8_lossy(answer.body);
                    let reason = format!("no upgrade: {} {body}", answer.status);
                    return Ok(Some((answer.bytes, Said::End(reason))));
                }
                let bytes = answer.bytes;
                let Some(auth) = auth.take() else {
                    *self = Self::Deaf;
                    return Ok(Some((bytes, Said::Connected)));
                };
                *self = Self::Socket { auth };
                Ok(Some((bytes, Said::Nothing)))
            }
            Self::Deaf if input.is_empty() => Ok(None),
            Self::Deaf => Ok(Some((input.len(), Said::Nothing))),
            Self::Socket { auth } => {
                let Some(frame) = websocket::read_frame(input)? else { return Ok(None) };
                let said = match frame.opcode {
                    websocket::TEXT => said(read_packet(frame.payload)?, auth),
                    websocket::PING => Said::Pong(frame.payload),
                    websocket::CLOSE => {
                        let text = String::from_utf8_lossy(frame.payload.get(2..).unwrap_or_default());
                        Said::End(format!("the server closed: {text}"))
                    }
                    websocket::PONG => Said::Nothing,
                    _ => return Err(Malformed("a frame that nobody asked for")),
                };
                Ok(Some((frame.bytes, said)))
            }
        }
    }
}

fn said<'a>(packet: Packet<'a>, auth: &mut String) -> Said<'a> {
    match packet {
        Packet::Open => Said::Say(format!("40{}", std::mem::take(auth))),
        Packet::Ping => Said::Say("3".to_owned()),
        Packet::Connected => Said::Connected,
        Packet::Event(event) => Said::Event(event),
        Packet::Ack(number, args) => Said::Ack(number, args),
        Packet::Refused(reason) => Said::End(format!("refused: {}", String::from_utf8_lossy(reason))),
        Packet::Disconnect => Said::End("the server disconnected".to_owned()),
    }
}
