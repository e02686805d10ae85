//! The streams that WebSockets run over.

use std::cell::RefCell;
use std::io::{self, Read as _};
use std::net::Shutdown;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::timeout;

/// One read. One buffer a thread serves all its connections: idle ones hold none.
const READ_BYTES: usize = 64 * 1024;

thread_local! {
    static READ_BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; READ_BYTES]);
}

/// Any stream of bytes.
pub(crate) trait AnyStream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<I: AsyncRead + AsyncWrite + Send + Unpin> AnyStream for I {}

/// A stream, and whether others than its task may write to it.
pub(super) enum Stream {
    /// A bare socket: frames are written by whoever has some.
    Tcp {
        /// Its task's.
        read: OwnedReadHalf,
        /// Until others may write.
        write: Option<OwnedWriteHalf>,
    },
    /// Anything else, such as TLS: only the task writes.
    Other(Box<dyn AnyStream>),
}

/// Gives this thread's buffer for reading.
pub(super) fn with_read_buffer<T>(read: impl FnOnce(&mut [u8]) -> T) -> T {
    READ_BUFFER.with(|buffer| match buffer.try_borrow_mut() {
        Ok(mut buffer) => read(&mut buffer),
        // A handler that runs another session's task within its own call.
        Err(_) => read(&mut vec![0; READ_BYTES]),
    })
}

impl Stream {
    /// A bare socket.
    pub(super) fn tcp(stream: TcpStream) -> Self {
        let (read, write) = stream.into_split();
        Self::Tcp { read, write: Some(write) }
    }

    /// Reads once and gives what came to `take`; nothing is the end of the stream.
    pub(super) fn poll_read<T>(
        &mut self,
        cx: &mut Context<'_>,
        take: impl FnOnce(&[u8]) -> T,
    ) -> Poll<io::Result<T>> {
        with_read_buffer(|buffer| self.poll_read_into(cx, buffer, take))
    }

    fn poll_read_into<T>(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
        take: impl FnOnce(&[u8]) -> T,
    ) -> Poll<io::Result<T>> {
        let mut seen = ReadBuf::new(buffer);
        ready!(match self {
            Self::Tcp { read, .. } => Pin::new(read).poll_read(cx, &mut seen),
            Self::Other(stream) => Pin::new(stream).poll_read(cx, &mut seen),
        })?;
        Poll::Ready(Ok(take(seen.filled())))
    }

    /// Gives what is there at this instant, also where the runtime has not heard of it yet.
    pub(super) fn read_now(&mut self, take: impl FnOnce(&[u8])) {
        let Self::Tcp { read, .. } = self else { return };
        with_read_buffer(|buffer| {
            // The end and errors show when it is read in the usual way.
            if let Ok(bytes) = (&*SockRef::from(read.as_ref())).read(buffer) {
                take(&buffer[..bytes]);
            }
        });
    }

    /// Waits until a blocked socket may be written to. Others are written to by the task, which the write itself wakes.
    pub(super) fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<()> {
        match self {
            // An error shows when it is written to.
            Self::Tcp { read, .. } => read.as_ref().poll_write_ready(cx).map(|_| ()),
            Self::Other(_) => Poll::Pending,
        }
    }

    /// Writes a few bytes at once, all of them or the stream is of no use.
    pub(super) fn write_now(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> bool {
        match self {
            Self::Tcp { read, .. } => {
                read.as_ref().try_write(bytes).is_ok_and(|written| written == bytes.len())
            }
            Self::Other(stream) => {
                let written = Pin::new(&mut *stream).poll_write(cx, bytes);
                // What is left in it goes out with what follows, or with the shutdown.
                let _ = Pin::new(stream).poll_flush(cx);
                matches!(written, Poll::Ready(Ok(written)) if written == bytes.len())
            }
        }
    }

    /// Ends the outgoing side.
    pub(super) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match self {
            Self::Tcp { read, .. } => {
                // An error is one of a stream that has ended already.
                let _ = SockRef::from(read.as_ref()).shutdown(Shutdown::Write);
                Poll::Ready(())
            }
            Self::Other(stream) => Pin::new(stream).poll_shutdown(cx).map(|_| ()),
        }
    }

    /// For others to write to.
    pub(super) fn take_writer(&mut self) -> Option<OwnedWriteHalf> {
        match self {
            Self::Tcp { write, .. } => write.take(),
            Self::Other(_) => None,
        }
    }
}

/// The stream of an upgraded request, bare where it is a socket, and what was read beyond the request.
pub(super) async fn upgraded(upgrade: OnUpgrade, within: Duration) -> Option<(Stream, Bytes)> {
    let upgraded = timeout(within, upgrade).await.ok()?.ok()?;
    Some(match upgraded.downcast::<TokioIo<TcpStream>>() {
        Ok(parts) => (Stream::tcp(parts.io.into_inner()), parts.read_buf),
        Err(upgraded) => (Stream::Other(Box::new(TokioIo::new(upgraded))), Bytes::new()),
    })
}
