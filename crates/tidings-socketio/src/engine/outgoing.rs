//! The way out of a session: a socket, a poll that waits, or nobody just now.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use rustix::io::Errno;
use rustix::net::SendFlags;
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedWriteHalf;

use super::link::Link;
use super::mailbox::Poll as PollRequest;
use super::queue::Written;
use super::stream::AnyStream;
use crate::codec::engine;
use crate::frame::SharedFrame;
use crate::steps::{Step, reached};

/// Frames in one system call: at 64 its price is spread thin, and the kernel takes up to 1,024.
const FLUSH_FRAMES_MAX: usize = 64;
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
            To::Tcp(writer) => self.frames.write(link, |slices| write_to(writer.as_ref(), slices)),
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
        let mut single = if self.writing.is_empty() { link.take_frames(&mut self.writing) } else { None };
        loop {
            let result = match &single {
                Some(frame) => {
                    reached(Step::Flushing);
                    write(&[IoSlice::new(frame.as_bytes())])
                }
                None if self.writing.is_empty() => return Flushed::All,
                None => self.write_many(&mut write),
            };
            // One that went out whole never comes among the others.
            self.writing.extend(single.take_if(|frame| !is_whole(frame, &result)));
            match result {
                Poll::Pending => return Flushed::Blocked,
                Poll::Ready(Ok(0) | Err(_)) => return Flushed::Failed,
                Poll::Ready(Ok(bytes)) => {
                    reached(Step::Flushed);
                    single = self.on_written(bytes, single, link);
                }
            }
        }
    }

    /// Writes what was taken, as much as goes with one call.
    fn write_many(
        &self,
        write: &mut impl FnMut(&[IoSlice<'_>]) -> Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        reached(Step::Flushing);
        let mut slices = [IoSlice::new(&[]); FLUSH_FRAMES_MAX];
        let mut count = 0;
        for (slice, frame) in slices.iter_mut().zip(&self.writing) {
            let skip = if count == 0 { self.written } else { 0 };
            *slice = IoSlice::new(&frame.as_bytes()[skip..]);
            count += 1;
        }
        write(&slices[..count])
    }

    /// One write took so many bytes, of this frame or of those that were taken. What is to be written next is taken.
    fn on_written(&mut self, bytes: usize, single: Option<SharedFrame>, link: &Link) -> Option<SharedFrame> {
        self.total_bytes += bytes as u64;
        let mut written = Written::default();
        if let Some(frame) = single {
            written.add(&frame);
        } else {
            self.written += bytes;
            while let Some(frame) = self.writing.pop_front_if(|frame| self.written >= frame.as_bytes().len())
            {
                self.written -= frame.as_bytes().len();
                written.add(&frame);
            }
        }
        if self.writing.is_empty() {
            return link.on_written_then_take(&written, &mut self.writing);
        }
        link.on_written(&written);
        None
    }

    /// Gives what is queued to the poll that waits; without one it stays in the queue.
    fn answer(&mut self, link: &Link, waiting: &mut Option<PollRequest>) -> Flushed {
        if waiting.is_some() && self.writing.is_empty() {
            let single = link.take_frames(&mut self.writing);
            self.writing.extend(single);
        }
        if self.writing.is_empty() && !link.has_frames() {
            return Flushed::All;
        }
        let Some(poll) = waiting.take() else { return Flushed::Blocked };
        reached(Step::Flushing);
        let (mut payload, mut packets, mut written) = (Vec::new(), 0, Written::default());
        while payload.len() < POLL_BYTES_MAX
            && let Some(frame) = self.writing.pop_front_if(|frame| {
                packets += frame.packets();
                // A close goes alone: socket.io-client takes it before what stands beside it, a DISCONNECT say.
                let is_close = frame.engine_packet() == engine::CLOSE.as_bytes();
                payload.is_empty() || (packets <= POLL_PACKETS_MAX && !is_close)
            })
        {
            frame.write_to_payload(&mut payload);
            written.add(&frame);
        }
        if !poll.answer(payload) {
            return Flushed::Failed;
        }
        reached(Step::Flushed);
        link.on_written(&written);
        if self.writing.is_empty() && !link.has_frames() { Flushed::All } else { Flushed::Blocked }
    }
}

fn is_whole(frame: &SharedFrame, written: &Poll<io::Result<usize>>) -> bool {
    matches!(written, Poll::Ready(Ok(bytes)) if *bytes == frame.as_bytes().len())
}

/// A socket that is gone is an error and no signal. Apple's systems know that as an option of the socket, which it has.
const NO_SIGNAL: SendFlags = {
    #[cfg(not(target_vendor = "apple"))]
    let flags = SendFlags::NOSIGNAL;
    #[cfg(target_vendor = "apple")]
    let flags = SendFlags::empty();
    flags
};

/// A single frame goes to the kernel at once, whatever the runtime has last heard of the socket: there is seldom news,
/// and looking for some costs a part of what the call does.
fn write_to(stream: &TcpStream, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
    let written = match slices {
        [slice] => match rustix::net::send(stream, slice, NO_SIGNAL) {
            // The runtime must hear that there is no room: the task waits by it until there is.
            Err(Errno::AGAIN) => stream.try_write(slice),
            result => Ok(result?),
        },
        slices => stream.try_write_vectored(slices),
    };
    match written {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
        result => Poll::Ready(result),
    }
}
