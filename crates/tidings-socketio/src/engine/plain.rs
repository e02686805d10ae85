//! Engine.IO for an application that wants nothing above it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::task::Context;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Body;
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::accept::Accepted;
use super::conversation::{Conversation, Protocol};
use super::flusher::Stats;
use super::link::Link;
use super::message::Message as Incoming;
use super::queue::SendError;
use super::server::Core;
use crate::close::CloseReason;
use crate::config::Config;
use crate::frame::SharedFrame;
use crate::id::ConnectionId;
use crate::peer::Peer;

/// A message of a client, or for one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// UTF-8 text.
    Text(String),
    /// Bytes.
    Binary(Vec<u8>),
}

/// The application behind a [`Server`]. The calls for one session are made one after another, by its task: they must
/// not block.
pub trait Handler: Send + Sync + 'static {
    /// A session has been opened.
    fn opened(&self, session: &Session, peer: Peer);

    /// A message has come.
    fn message(&self, session: &Session, message: Message);

    /// The session has ended: sending to it does nothing any more.
    fn closed(&self, session: &Session, reason: CloseReason);
}

/// The handle of one session. Cloning it counts one reference; it may outlive the session, and then sends nothing.
#[derive(Clone)]
pub struct Session(Arc<Link>);

impl Session {
    /// The id that requests of long-polling name. Who knows it can act for the client: keep it to yourself.
    #[must_use]
    pub fn id(&self) -> ConnectionId {
        self.0.engine_id()
    }

    /// Queues a message: written in the order of the calls, all of it or the session ends.
    ///
    /// # Errors
    /// [`SendError::QueueFull`] closes the session, so that no message is missing between two others.
    pub fn send(&self, message: &Message) -> Result<(), SendError> {
        self.0.send(match message {
            Message::Text(text) => SharedFrame::message(0, &[], |out| out.extend_from_slice(text.as_bytes())),
            Message::Binary(bytes) => SharedFrame::binary(bytes),
        })
    }

    /// Writes what is queued, then closes the transport. `code` comes back in [`CloseReason::ServerClosed`].
    pub fn close(&self, code: &'static str) {
        self.0.close(CloseReason::ServerClosed(code));
    }
}

/// A server of Engine.IO. Cloning it counts one reference.
pub struct Server<H: Handler> {
    core: Core<Plain<H>>,
}

impl<H: Handler> Server<H> {
    /// A server without sessions. What [`Config`] says of Socket.IO's packets counts for nothing here.
    pub fn new(config: Config, handler: Arc<H>) -> Self {
        Self { core: Core::new(Arc::new(config), Plain { handler }) }
    }

    /// Answers one HTTP request, whatever its path. As [`crate::Server::handle`].
    pub async fn handle<B>(&self, request: Request<B>, remote_addr: SocketAddr) -> Response<Full<Bytes>>
    where
        B: Body<Data = Bytes> + Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        self.core.handle(request, remote_addr).await
    }

    /// Waits for the first bytes of a connection, and takes it if they are a whole upgrade to a WebSocket, of a new
    /// session, at a path that is `ours`. Everything else is given back unread, for an HTTP server and
    /// [`Self::handle`]: calling this first only saves what that costs, most of a connect. `headers` are added to the
    /// answer, each line with its end. Bound how long the first bytes may take.
    pub async fn accept(
        &self,
        stream: TcpStream,
        remote_addr: SocketAddr,
        ours: impl Fn(&str) -> bool,
        headers: impl FnOnce() -> String,
    ) -> Accepted {
        self.core.accept(stream, remote_addr, ours, headers).await
    }

    /// Sessions now, those included that are just closing.
    #[must_use]
    pub fn session_count(&self) -> usize {
        self.core.session_count()
    }

    /// What it has written since it was made.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.core.stats()
    }

    /// As [`crate::Server::shutdown`].
    pub async fn shutdown(&self, spread: Duration, deadline: Duration) -> usize {
        self.core.shutdown(spread, deadline).await
    }
}

impl<H: Handler> Clone for Server<H> {
    fn clone(&self) -> Self {
        Self { core: self.core.clone() }
    }
}

struct Plain<H> {
    handler: Arc<H>,
}

impl<H: Handler> Protocol for Plain<H> {
    type Conversation = Talk<H>;

    fn begin(&self, link: &Arc<Link>, peer: Peer, _: Instant) -> Talk<H> {
        let session = Session(Arc::clone(link));
        self.handler.opened(&session, peer);
        Talk { handler: Arc::clone(&self.handler), session, is_over: false }
    }
}

struct Talk<H: Handler> {
    handler: Arc<H>,
    session: Session,
    is_over: bool,
}

impl<H: Handler> Conversation for Talk<H> {
    fn has_room(&self) -> bool {
        true
    }

    fn on_message(&mut self, message: Incoming, _: &mut Context<'_>, _: Instant) -> Result<(), CloseReason> {
        let message = match message {
            Incoming::Text(mut text) => {
                text.drain(..Incoming::TYPE_BYTES);
                Message::Text(text)
            }
            Incoming::Binary(bytes) => Message::Binary(bytes),
        };
        self.handler.message(&self.session, message);
        Ok(())
    }

    fn poll_work(&mut self, _: &mut Context<'_>, _: Instant) -> Result<(), CloseReason> {
        Ok(())
    }

    fn deadline(&self) -> Option<(Instant, CloseReason)> {
        None
    }

    fn leave(&mut self, reason: CloseReason) {
        if !std::mem::replace(&mut self.is_over, true) {
            self.handler.closed(&self.session, reason);
        }
    }
}
