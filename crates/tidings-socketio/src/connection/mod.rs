//! Connections: the application's handle ([`Connection`]), what it shares with the connection's task ([`link`]), and
//! the task itself ([`driver`]), which moves bytes and time, and leaves what they mean to the [`session`].

mod acks;
mod driver;
mod heartbeat;
mod link;
mod session;
mod work;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

pub use acks::AckError;
pub use link::SendError;

pub(crate) use driver::Driver;
pub(crate) use link::Link;

use crate::close::CloseReason;
use crate::frame::SharedFrame;
use crate::id::ConnectionId;

/// The handle of one accepted connection. Cloning it counts one reference; it may outlive the connection, and then
/// sends nothing. Every method may be called from any thread and none waits, but for the acknowledgement.
pub struct Connection<S> {
    inner: Arc<Inner<S>>,
}

struct Inner<S> {
    link: Arc<Link>,
    state: S,
}

impl<S> Connection<S> {
    pub(crate) fn new(link: Arc<Link>, state: S) -> Self {
        Self { inner: Arc::new(Inner { link, state }) }
    }

    /// The id that the client knows too (`socket.id`).
    #[must_use]
    pub fn id(&self) -> ConnectionId {
        self.inner.link.id()
    }

    /// What [`crate::Handler::connect`] returned.
    #[must_use]
    pub fn state(&self) -> &S {
        &self.inner.state
    }

    /// Queues a frame: written in the order of the calls, all of it or the connection ends.
    ///
    /// # Errors
    ///
    /// [`SendError::QueueFull`] closes the connection, so that no frame is missing between two others.
    pub fn send(&self, frame: SharedFrame) -> Result<(), SendError> {
        self.inner.link.send(frame)
    }

    /// Encodes and queues an event for this connection alone. `args_json` as in [`SharedFrame::event`].
    ///
    /// # Errors
    ///
    /// As [`Self::send`].
    pub fn emit(&self, name: &str, args_json: &str) -> Result<(), SendError> {
        self.send(SharedFrame::event(name, args_json, 0))
    }

    /// Queues an event, when first polled, and waits for its acknowledgement: a JSON array. Cancel-safe: dropping the
    /// future forgets the acknowledgement.
    ///
    /// # Errors
    ///
    /// See [`AckError`].
    pub async fn emit_with_ack(
        &self,
        name: &str,
        args_json: &str,
        timeout: Duration,
    ) -> Result<String, AckError> {
        self.inner.link.emit_with_ack(name, args_json, timeout).await
    }

    /// Writes what is queued, then closes the transport: stock clients see `transport close` and reconnect. `code`
    /// comes back in [`CloseReason::ServerClosed`].
    pub fn close(&self, code: &'static str) {
        self.inner.link.close(CloseReason::ServerClosed(code));
    }

    /// Writes what is queued and a Socket.IO DISCONNECT, then closes the transport: stock clients see `io server
    /// disconnect` and do not reconnect by themselves. `code` comes back in [`CloseReason::ServerDisconnected`].
    pub fn disconnect(&self, code: &'static str) {
        self.inner.link.close(CloseReason::ServerDisconnected(code));
    }

    /// What waits to be written, in the measure of [`crate::Config::queue_bytes_max`].
    #[must_use]
    pub fn queue_bytes(&self) -> usize {
        self.inner.link.queue_bytes()
    }

    /// Waits until at most `bytes_max` of the queue is left to be written, or the connection is ending: for who has
    /// much to send and would rather go at the client's pace than over the budget. Cancel-safe.
    pub async fn drained(&self, bytes_max: usize) {
        self.inner.link.drained(bytes_max).await;
    }

    /// The tag of the last tagged frame that was handed to the operating system whole; 0 before there was one.
    #[must_use]
    pub fn written_tag(&self) -> u64 {
        self.inner.link.written_tag()
    }
}

impl<S> Clone for Connection<S> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
    }
}

impl<S> fmt::Debug for Connection<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("id", &self.id()).finish_non_exhaustive()
    }
}
