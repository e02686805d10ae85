//! The Socket.IO server.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Body;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use super::client::SocketIo;
use super::handler::Handler;
use super::namespaces::{Namespace, Namespaces};
use crate::codec::socket::MAIN_NAMESPACE;
use crate::config::Config;
use crate::engine::{Accepted, Core, Stats};
use crate::peer::Peer;

/// A server of Socket.IO over Engine.IO. Cloning it counts one reference.
#[derive(Clone)]
pub struct Server {
    core: Core<SocketIo>,
}

impl Server {
    /// A server of the main namespace alone.
    pub fn new<H: Handler>(config: Config, handler: Arc<H>) -> Self {
        Self::with_namespaces(config, Namespaces::new().add(MAIN_NAMESPACE, Namespace::new(handler)))
    }

    /// A server of these namespaces.
    #[must_use]
    pub fn with_namespaces(config: Config, namespaces: Namespaces) -> Self {
        let config = Arc::new(config);
        let protocol = SocketIo { namespaces: Arc::new(namespaces), config: Arc::clone(&config) };
        Self { core: Core::new(config, protocol) }
    }

    /// Answers one HTTP request, whatever its path: a handshake, a poll, a POST of packets, an upgrade to WebSocket, a
    /// browser's preflight; or the error that the Node server gives (`{"code":…,"message":…}`, 400 or 403), 413 for a
    /// body that is too large, 503 when there is no room. Needs a tokio runtime. A poll is answered when there is
    /// something to say, a `ping_interval` later at most.
    ///
    /// Serve HTTP with `hyper::server::conn::http1` over `TokioIo<TcpStream>` and `with_upgrades()`: then the
    /// connection goes on with the bare `TcpStream` and nothing of hyper's. Over any other stream it works too, but
    /// keeps hyper's wrapper. The time until a request's headers are there is hyper's to bound.
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

    /// Serves a stream whose WebSocket handshake somebody else has done, until the connection has ended. A server
    /// that is full or stops drops it at once.
    pub async fn serve_stream<I>(&self, io: I, peer: Peer)
    where
        I: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        self.core.serve_stream(io, peer).await;
    }

    /// Clients now, those included that have not sent their CONNECT or are just closing.
    #[must_use]
    pub fn connection_count(&self) -> usize {
        self.core.session_count()
    }

    /// What it has written since it was made.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.core.stats()
    }

    /// Refuses new clients, closes all with [`crate::CloseReason::ServerShutdown`] once their queues are written, and
    /// waits until they have ended. They are told one by one over `spread`, at most half of `deadline`, or faster where
    /// they are few: all of them come back somewhere. Those that have not ended at the deadline are cut off; their
    /// number is returned.
    pub async fn shutdown(&self, spread: Duration, deadline: Duration) -> usize {
        self.core.shutdown(spread, deadline).await
    }
}
