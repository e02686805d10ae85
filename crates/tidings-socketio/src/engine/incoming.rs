//! The way into a session by WebSocket: messages out of a stream, as many as there is room for.

use std::ops::ControlFlow;
use std::task::{Context, Poll, ready};

use super::stream::Stream;
use crate::close::CloseReason;
use crate::codec::websocket::{DecodeError, Decoder, Limits, Message};
use crate::config::Config;

/// Reads of one poll; then other connections get their turn.
const READS_PER_TURN_MAX: usize = 8;
/// Messages of one poll, for the same reason: a read may hold thousands of small ones.
const MESSAGES_PER_TURN_MAX: usize = 256;

/// The receiver has taken a message; whether it wants another.
pub(super) type Verdict = ControlFlow<Stop>;

/// Why no more messages are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// There is no room for one more: the rest must wait in the transport.
    Full,
    /// The connection ends.
    Close(CloseReason),
}

/// Why receiving paused, when it did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Received {
    /// No room; call again when there is.
    Full,
    /// More has come than one turn may take; call again soon.
    More,
}

/// A stream whose WebSocket handshake is done, and what was read of it.
pub(super) struct WebSocketInput {
    pub(super) stream: Stream,
    decoder: Decoder,
    /// Bytes that were read while there was no room for their messages, and how many of them have been taken since.
    unread: Vec<u8>,
    taken: usize,
}

impl WebSocketInput {
    /// `read_ahead` is what the HTTP server read beyond the upgrade request.
    pub(super) fn new(stream: Stream, read_ahead: &[u8], config: &Config) -> Self {
        let limits =
            Limits { message_bytes_max: config.payload_bytes_max, fragments_max: config.fragments_max };
        Self { stream, decoder: Decoder::new(limits), unread: read_ahead.to_vec(), taken: 0 }
    }

    /// Gives every message that has come to `take`, in order. Pending: nothing more has come yet.
    pub(super) fn poll_receive(
        &mut self,
        cx: &mut Context<'_>,
        mut take: impl FnMut(Message) -> Verdict,
    ) -> Poll<Result<Received, CloseReason>> {
        let Self { stream, decoder, unread, taken } = self;
        let mut decode = Decode { decoder, room: MESSAGES_PER_TURN_MAX, take: &mut take };
        let mut input = &unread[*taken..];
        if let Some(received) = decode.run(&mut input)? {
            *taken = unread.len() - input.len();
            return Poll::Ready(Ok(received));
        }
        (*unread, *taken) = (Vec::new(), 0);
        for _ in 0..READS_PER_TURN_MAX {
            let read = ready!(stream.poll_read(cx, |mut bytes| {
                if bytes.is_empty() {
                    return Err(CloseReason::TransportClosed);
                }
                let received = decode.run(&mut bytes)?;
                // Empty unless it stopped before the end.
                *unread = bytes.to_vec();
                Ok(received)
            }));
            if let Some(received) = read.map_err(|_| CloseReason::TransportError)?? {
                return Poll::Ready(Ok(received));
            }
        }
        Poll::Ready(Ok(Received::More))
    }

    /// Takes in what is there at this instant, for the next look.
    pub(super) fn read_now(&mut self) {
        let unread = &mut self.unread;
        if unread.is_empty() {
            self.stream.read_now(|bytes| unread.extend_from_slice(bytes));
        }
    }

    /// Reads and forgets until the client has closed its side: closing on unread bytes would reset the connection, and
    /// what was written last could be lost with it.
    pub(super) fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        for _ in 0..READS_PER_TURN_MAX {
            match ready!(self.stream.poll_read(cx, <[u8]>::len)) {
                Ok(1..) => {}
                Ok(0) | Err(_) => return Poll::Ready(()),
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

struct Decode<'a, T> {
    decoder: &'a mut Decoder,
    /// Messages that this turn may still take.
    room: usize,
    take: &'a mut T,
}

impl<T: FnMut(Message) -> Verdict> Decode<'_, T> {
    /// Takes messages from the front. `Some`: not all of them could be taken, and the rest is left.
    fn run(&mut self, input: &mut &[u8]) -> Result<Option<Received>, CloseReason> {
        while let Some(message) = self.decoder.decode(input).map_err(DecodeError::close_reason)? {
            self.room -= 1;
            match (self.take)(message) {
                Verdict::Break(Stop::Close(reason)) => return Err(reason),
                Verdict::Break(Stop::Full) => return Ok(Some(Received::Full)),
                Verdict::Continue(()) if self.room == 0 => return Ok(Some(Received::More)),
                Verdict::Continue(()) => {}
            }
        }
        Ok(None)
    }
}
