//! The way out of a session: a socket, a poll that waits, or nobody just now.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::net::tcp::OwnedWriteHalf;

use super::link::Link;
use super::mailbox::Poll as PollRequest;
use super::stream::AnyStream;
use crate::codec::engine;
use crate::frame::SharedFrame;
use crate::steps::{Step, reached};

/// Frames in one system call: at 64 its price is spread thin, and the kernel takes up to 1,024.
const FLUSH_FRAMES_MAX: usize = 64;
/// Room for frames that an idle connection keeps.
const IDLE_FRAMES: usize = 16;
/// What one answer to a poll carries, but for its last frame: the client reads it whole before it sees any of it.
const POLL_BYTES_MAX: usize = 256 * 1024;
/// Packets of one answer, but for a frame that has more: python-engineio refuses an answer of over 16.
const POLL_PACKETS_MAX: usize = 16;

/// Where frames go, and those that are on their way.
pub(super) struct Outgoing {
    pub(super) to: To,
    pub(super) frames: Frames,
}

/// Frames on their way.
#[derive(Default)]
pub(super) struct Frames {
    /// Taken from the queue; of the first, so many bytes are written.
    writing: VecDeque<SharedFrame>,
    written: usize,
    /// Bytes that went out by a stream since the beginning.
    pub(super) total_bytes: u64,
}

/// Where frames go.
pub(super) enum To {
    /// To the poll that waits, if one does.
    Poll(Option<PollRequest>),
    /// To a socket, by whoever has something to write.
    Tcp(OwnedWriteHalf),
    /// To a stream that only the task can write to.
    Task,
    /// The session is over.
    Nobody,
}

/// The task's own stream, and the task.
pub(super) struct Way<'a, 'b> {
    pub(super) stream: &'a mut dyn AnyStream,
    pub(super) cx: &'a mut Context<'b>,
}

/// What became of the frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flushed {
    /// All of them are in the kernel's hands, or in an answer's.
    All,
    /// The client must read, or poll, before there is room for more.
    Blocked,
    /// The stream is broken, or the poll's client gone.
    Failed,
}

impl Outgoing {
    pub(super) fn new(to: To) -> Self {
        Self { to, frames: Frames::default() }
    }

    pub(super) fn wait(&mut self, poll: PollRequest) -> Result<(), PollRequest> {
        match &mut self.to {
            To::Poll(waiting @ None) => {
                *waiting = Some(poll);
                Ok(())
            }
            _ => Err(poll),
        }
    }

    pub(super) fn flush(&mut self, link: &Link) -> Flushed {
        match &mut self.to {
            To::Tcp(writer) => self.frames.write(link, |slices| {
                let written = match slices {
                    // The plain call is the cheaper one.
                    [slice] => writer.try_write(slice),
                    slices => writer.try_write_vectored(slices),
                };
                match written {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
                    result => Poll::Ready(result),
                }
            }),
            To::Poll(waiting) => self.frames.answer(link, waiting),
            To::Task => {
                link.wake();
                Flushed::All
            }
            To::Nobody => Flushed::All,
        }
    }

    pub(super) fn flush_to(&mut self, link: &Link, way: &mut Way<'_, '_>) -> Flushed {
        let Way { stream, cx } = way;
        let flushed =
            self.frames.write(link, |slices| Pin::new(&mut **stream).poll_write_vectored(cx, slices));
        if flushed != Flushed::All {
            return flushed;
        }
        // Such a stream may keep what it has taken: TLS does.
        match Pin::new(&mut **stream).poll_flush(cx) {
            Poll::Ready(Ok(())) => Flushed::All,
            Poll::Ready(Err(_)) => Flushed::Failed,
            Poll::Pending => Flushed::Blocked,
        }
    }
}

impl Frames {
    fn write(
        &mut self,
        link: &Link,
        mut write: impl FnMut(&[IoSlice<'_>]) -> Poll<io::Result<usize>>,
    ) -> Flushed {
        loop {
            if self.writing.is_empty() {
                link.swap_frames(&mut self.writing);
                if self.writing.is_empty() {
                    // A burst is over: its room is given back.
                    self.writing.shrink_to(IDLE_FRAMES);
                    return Flushed::All;
                }
            }
            reached(Step::Flushing);
            let result = match self.writing.len() {
                1 => write(&[IoSlice::new(&self.writing[0].as_bytes()[self.written..])]),
                _ => {
                    let mut slices = [IoSlice::new(&[]); FLUSH_FRAMES_MAX];
                    let mut count = 0;
                    for (slice, frame) in slices.iter_mut().zip(&self.writing) {
                        let skip = if count == 0 { self.written } else { 0 };
                        *slice = IoSlice::new(&frame.as_bytes()[skip..]);
                        count += 1;
                    }
                    write(&slices[..count])
                }
            };
            match result {
                Poll::Pending => return Flushed::Blocked,
                Poll::Ready(Ok(0) | Err(_)) => return Flushed::Failed,
                Poll::Ready(Ok(bytes)) => {
                    reached(Step::Flushed);
                    self.on_written(bytes, link);
                }
            }
        }
    }

    fn on_written(&mut self, bytes: usize, link: &Link) {
        self.written += bytes;
        self.total_bytes += bytes as u64;
        let (mut frames, mut cost_bytes, mut tag) = (0, 0, 0);
        while let Some(frame) = self.writing.front()
            && self.written >= frame.as_bytes().len()
        {
            frames += 1;
            self.written -= frame.as_bytes().len();
            cost_bytes += frame.cost_bytes();
            if frame.tag() != 0 {
                tag = frame.tag();
            }
            self.writing.pop_front();
        }
        link.on_written(frames, cost_bytes, tag);
    }

    /// Gives what is queued to the poll that waits.
    fn answer(&mut self, link: &Link, waiting: &mut Option<PollRequest>) -> Flushed {
        if self.writing.is_empty() {
            link.swap_frames(&mut self.writing);
        }
        if self.writing.is_empty() {
            return Flushed::All;
        }
        let Some(poll) = waiting.take() else { return Flushed::Blocked };
        reached(Step::Flushing);
        let (mut payload, mut packets, mut frames, mut cost_bytes, mut tag) = (Vec::new(), 0, 0, 0, 0);
        while payload.len() < POLL_BYTES_MAX
            && let Some(frame) = self.writing.pop_front_if(|frame| {
                packets += frame.packets();
                // A close goes alone: socket.io-client takes it before what stands beside it, a DISCONNECT say.
                let is_close = frame.engine_packet() == engine::CLOSE.as_bytes();
                payload.is_empty() || (packets <= POLL_PACKETS_MAX && !is_close)
            })
        {
            frame.write_to_payload(&mut payload);
            frames += 1;
            cost_bytes += frame.cost_bytes();
            if frame.tag() != 0 {
                tag = frame.tag();
            }
        }
        if !poll.answer(payload) {
            return Flushed::Failed;
        }
        reached(Step::Flushed);
        link.on_written(frames, cost_bytes, tag);
        if self.writing.is_empty() { Flushed::All } else { Flushed::Blocked }
    }
}
