//! A WebSocket over any stream of bytes, the handshake done.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{Stop, Verdict};
use crate::close::CloseReason;
use crate::codec::websocket::{DecodeError, Decoder, Limits, Message};
use crate::connection::Link;
use crate::frame::SharedFrame;
use crate::steps::{Step, reached};

/// Frames in one system call: at 64 its price is spread thin, and the kernel takes up to 1,024.
const FLUSH_FRAMES_MAX: usize = 64;
/// One read, on the stack of whoever polls: idle connections hold no read buffer.
const READ_BYTES: usize = 16 * 1024;
/// Reads of one poll; then other connections get their turn.
const READS_PER_TURN_MAX: usize = 8;
/// Messages of one poll, for the same reason: a read may hold thousands of small ones.
const MESSAGES_PER_TURN_MAX: usize = 256;

/// The stream, the decoder, and the frames being written.
pub(crate) struct WebSocketTransport<I> {
    io: I,
    decoder: Decoder,
    /// Bytes that were read while there was no room for their messages.
    unread: Vec<u8>,
    /// Frames taken from the queue; of the first, so many bytes are written.
    writing: VecDeque<SharedFrame>,
    written: usize,
}

/// Why receiving paused, when it did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Received {
    /// No room; call again when there is.
    Full,
    /// More has come than one turn may take; call again soon.
    More,
}

impl<I: AsyncRead + AsyncWrite + Unpin> WebSocketTransport<I> {
    /// `read_ahead` is what the HTTP server read beyond the upgrade request.
    pub(crate) fn new(io: I, read_ahead: &[u8], limits: Limits) -> Self {
        Self {
            io,
            decoder: Decoder::new(limits),
            unread: read_ahead.to_vec(),
            writing: VecDeque::new(),
            written: 0,
        }
    }

    /// Gives every message that has come to `take`, in order. Pending: nothing more has come yet.
    pub(crate) fn poll_receive(
        &mut self,
        cx: &mut Context<'_>,
        mut take: impl FnMut(Message) -> Verdict,
    ) -> Poll<Result<Received, CloseReason>> {
        let mut room = MESSAGES_PER_TURN_MAX;
        let unread = std::mem::take(&mut self.unread);
        if let Some(received) = self.decode(&unread, &mut room, &mut take)? {
            return Poll::Ready(Ok(received));
        }
        let mut buffer = [MaybeUninit::uninit(); READ_BYTES];
        for _ in 0..READS_PER_TURN_MAX {
            let mut read = ReadBuf::uninit(&mut buffer);
            ready!(Pin::new(&mut self.io).poll_read(cx, &mut read))
                .map_err(|_| CloseReason::TransportError)?;
            if read.filled().is_empty() {
                return Poll::Ready(Err(CloseReason::TransportClosed));
            }
            if let Some(received) = self.decode(read.filled(), &mut room, &mut take)? {
                return Poll::Ready(Ok(received));
            }
        }
        Poll::Ready(Ok(Received::More))
    }

    /// `Some`: not all of it could be taken, and the rest is kept. `room` counts down the messages of this turn.
    fn decode(
        &mut self,
        mut input: &[u8],
        room: &mut usize,
        take: &mut impl FnMut(Message) -> Verdict,
    ) -> Result<Option<Received>, CloseReason> {
        while let Some(message) = self.decoder.decode(&mut input).map_err(DecodeError::close_reason)? {
            *room -= 1;
            let received = match take(message) {
                Verdict::Break(Stop::Close(reason)) => return Err(reason),
                Verdict::Break(Stop::Full) => Received::Full,
                Verdict::Continue(()) if *room == 0 => Received::More,
                Verdict::Continue(()) => continue,
            };
            self.unread = input.to_vec();
            return Ok(Some(received));
        }
        Ok(None)
    }

    /// Writes everything queued. `Ok` means all of it is in the kernel's hands; Pending that the client must read.
    /// `progress` is set when any byte was written.
    pub(crate) fn poll_flush(
        &mut self,
        cx: &mut Context<'_>,
        link: &Link,
        progress: &mut bool,
    ) -> Poll<io::Result<()>> {
        loop {
            if self.writing.is_empty() {
                self.writing = link.take_frames();
                if self.writing.is_empty() {
                    return Poll::Ready(Ok(()));
                }
            }
            reached(Step::Flushing);
            let mut slices = [IoSlice::new(&[]); FLUSH_FRAMES_MAX];
            let mut count = 0;
            for (slice, frame) in slices.iter_mut().zip(&self.writing) {
                let skip = if count == 0 { self.written } else { 0 };
                *slice = IoSlice::new(&frame.as_bytes()[skip..]);
                count += 1;
            }
            let bytes = ready!(Pin::new(&mut self.io).poll_write_vectored(cx, &slices[..count]))?;
            if bytes == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            *progress = true;
            reached(Step::Flushed);
            self.on_written(bytes, link);
        }
    }

    fn on_written(&mut self, bytes: usize, link: &Link) {
        self.written += bytes;
        let (mut cost_bytes, mut tag) = (0, 0);
        while let Some(frame) = self.writing.front()
            && self.written >= frame.as_bytes().len()
        {
            self.written -= frame.as_bytes().len();
            cost_bytes += frame.cost_bytes();
            if frame.tag() != 0 {
                tag = frame.tag();
            }
            self.writing.pop_front();
        }
        if cost_bytes > 0 {
            link.on_written(cost_bytes, tag);
        }
    }

    /// Ends the outgoing side, then reads and forgets what the client still sends until it closes too: closing on
    /// unread bytes would reset the connection, and the close frame could be lost with it.
    pub(crate) fn poll_shutdown(&mut self, cx: &mut Context<'_>, is_shut: &mut bool) -> Poll<()> {
        if !*is_shut {
            if ready!(Pin::new(&mut self.io).poll_shutdown(cx)).is_err() {
                return Poll::Ready(());
            }
            *is_shut = true;
        }
        let mut buffer = [MaybeUninit::uninit(); READ_BYTES];
        for _ in 0..READS_PER_TURN_MAX {
            let mut read = ReadBuf::uninit(&mut buffer);
            match ready!(Pin::new(&mut self.io).poll_read(cx, &mut read)) {
                Ok(()) if !read.filled().is_empty() => {}
                _ => return Poll::Ready(()),
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}
