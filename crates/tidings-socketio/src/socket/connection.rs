//! The application's handle of one connection: one client in one namespace.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;

use super::acks::{AckError, Acks};
use super::handler::Reply;
use crate::close::CloseReason;
use crate::codec::socket;
use crate::engine::{Link, SendError};
use crate::frame::SharedFrame;
use crate::id::ConnectionId;

/// The handle of one accepted connection. Cloning it counts one reference; it may outlive the connection, and then
/// sends nothing. Every method may be called from any thread and none waits, but for the acknowledgement.
pub struct Connection<S> {
    inner: Arc<Inner<S>>,
}

struct Inner<S> {
    socket: Socket,
    state: S,
}

/// A connection without what the application keeps of it.
pub(super) struct Socket {
    pub(super) link: Arc<Link>,
    pub(super) id: ConnectionId,
    pub(super) namespace: Arc<str>,
    acks: Acks,
    acks_outstanding_max: usize,
    ending: Mutex<Ending>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    Open,
    /// The application wants the connection to end, and the transport to go on.
    Wished(&'static str),
    Ended,
}

impl Socket {
    pub(super) fn new(
        link: Arc<Link>,
        id: ConnectionId,
        namespace: Arc<str>,
        acks_outstanding_max: usize,
    ) -> Self {
        let (acks, ending) = (Acks::default(), Mutex::new(Ending::Open));
        Self { link, id, namespace, acks, acks_outstanding_max, ending }
    }

    fn try_send(&self, frame: SharedFrame, bytes_max: usize) -> Result<bool, SendError> {
        // Held until the frame is in the queue: nothing comes behind a DISCONNECT.
        let ending = self.ending.lock();
        match *ending {
            Ending::Open => self.link.try_send(frame, bytes_max),
            Ending::Wished(_) | Ending::Ended => Err(SendError::Closed),
        }
    }

    pub(super) fn wish(&self) -> Option<&'static str> {
        match *self.ending.lock() {
            Ending::Wished(code) => Some(code),
            Ending::Open | Ending::Ended => None,
        }
    }

    pub(super) fn on_ack(&self, id: u64, reply: impl FnOnce() -> Reply) {
        self.acks.resolve(id, reply);
    }

    /// From here on nothing is sent, and who waits for an acknowledgement is told.
    pub(super) fn end(&self) {
        *self.ending.lock() = Ending::Ended;
        self.acks.close();
    }
}

impl<S> Connection<S> {
    pub(super) fn new(socket: Socket, state: S) -> Self {
        Self { inner: Arc::new(Inner { socket, state }) }
    }

    pub(super) fn socket(&self) -> &Socket {
        &self.inner.socket
    }

    /// The id that the client knows too (`socket.id`).
    #[must_use]
    pub fn id(&self) -> ConnectionId {
        self.inner.socket.id
    }

    /// The namespace that the client has joined.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.inner.socket.namespace
    }

    /// What [`crate::Handler::connect`] returned.
    #[must_use]
    pub fn state(&self) -> &S {
        &self.inner.state
    }

    /// Whether the client is on long-polling, and not on a WebSocket.
    #[must_use]
    pub fn is_polling(&self) -> bool {
        self.inner.socket.link.is_polling()
    }

    /// Queues a frame: written in the order of the calls, all of it or the connection ends. The frame names its
    /// namespace, which must be this connection's.
    ///
    /// # Errors
    ///
    /// [`SendError::QueueFull`] closes the transport, so that no frame is missing between two others.
    pub fn send(&self, frame: SharedFrame) -> Result<(), SendError> {
        self.try_send(frame, usize::MAX).map(|_| ())
    }

    /// The same, unless more than `bytes_max` would wait for the client then: nothing happens, and it is false. For who
    /// can do without the frame, or come back to it.
    ///
    /// # Errors
    ///
    /// As [`Self::send`].
    pub fn try_send(&self, frame: SharedFrame, bytes_max: usize) -> Result<bool, SendError> {
        self.inner.socket.try_send(frame, bytes_max)
    }

    /// Encodes and queues an event for this connection alone. `args_json` as in [`SharedFrame::event`].
    ///
    /// # Errors
    ///
    /// As [`Self::send`].
    pub fn emit(&self, name: &str, args_json: &str) -> Result<(), SendError> {
        self.emit_binary(name, args_json, &[])
    }

    /// The same with binary attachments, as in [`SharedFrame::event_in`].
    ///
    /// # Errors
    ///
    /// As [`Self::send`].
    pub fn emit_binary(&self, name: &str, args_json: &str, attachments: &[Bytes]) -> Result<(), SendError> {
        self.send(SharedFrame::event_in(self.namespace(), name, args_json, attachments, 0))
    }

    /// Queues an event, when first polled, and waits for its acknowledgement. Cancel-safe: dropping the future forgets
    /// the acknowledgement.
    ///
    /// # Errors
    ///
    /// See [`AckError`].
    pub async fn emit_with_ack(
        &self,
        name: &str,
        args_json: &str,
        attachments: &[Bytes],
        timeout: Duration,
    ) -> Result<Reply, AckError> {
        let socket = &self.inner.socket;
        let mut expected = socket.acks.expect(socket.acks_outstanding_max)?;
        self.send(SharedFrame::message(0, attachments, |out| {
            let (namespace, id) = (self.namespace(), Some(expected.id));
            socket::write_event(out, namespace, name, args_json, id, attachments.len());
        }))?;
        match tokio::time::timeout(timeout, &mut expected.receiver).await {
            Ok(received) => received.map_err(|_| AckError::Closed),
            Err(_) => Err(AckError::Timeout),
        }
    }

    /// Writes what is queued, then closes the transport: stock clients see `transport close` and reconnect. `code`
    /// comes back in [`CloseReason::ServerClosed`].
    pub fn close(&self, code: &'static str) {
        self.inner.socket.link.close(CloseReason::ServerClosed(code));
    }

    /// Writes what is queued and a DISCONNECT for every namespace of the client, then closes the transport: stock
    /// clients see `io server disconnect` and do not reconnect by themselves. `code` comes back in
    /// [`CloseReason::ServerDisconnected`].
    pub fn disconnect(&self, code: &'static str) {
        self.inner.socket.link.close(CloseReason::ServerDisconnected(code));
    }

    /// Writes what is queued and a DISCONNECT for this namespace; the transport goes on for the others. `code` comes
    /// back in [`CloseReason::ServerDisconnected`].
    pub fn leave(&self, code: &'static str) {
        let socket = &self.inner.socket;
        let mut ending = socket.ending.lock();
        if *ending == Ending::Open {
            *ending = Ending::Wished(code);
            socket.link.call();
        }
    }

    /// Whether what is sent now will be taken: neither has the connection ended nor is it about to.
    #[must_use]
    pub fn is_open(&self) -> bool {
        let socket = &self.inner.socket;
        *socket.ending.lock() == Ending::Open && socket.link.is_open()
    }

    /// What waits to be written to the client, in the measure of [`crate::Config::queue_bytes_max`]: over all its
    /// namespaces.
    #[must_use]
    pub fn queue_bytes(&self) -> usize {
        self.inner.socket.link.queue_bytes()
    }

    /// Waits until at most `bytes_max` of the queue is left to be written, or the connection is ending: for who has
    /// much to send and would rather go at the client's pace than over the budget. Cancel-safe.
    pub async fn drained(&self, bytes_max: usize) {
        self.inner.socket.link.drained(bytes_max).await;
    }

    /// The tag of the last tagged frame that was handed to the operating system whole; 0 before there was one.
    #[must_use]
    pub fn written_tag(&self) -> u64 {
        self.inner.socket.link.written_tag()
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
