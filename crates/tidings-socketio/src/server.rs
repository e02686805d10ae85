//! The server: answers upgrade requests, keeps the list of connections, and ends them all when asked.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::close::CloseReason;
use crate::config::Config;
use crate::connection::{Driver, Link};
use crate::handler::{Handler, Peer};
use crate::handshake::{self, Refusal};
use crate::id::ConnectionId;

/// An Engine.IO and Socket.IO server. Cloning it counts one reference.
pub struct Server<H: Handler> {
    shared: Arc<Shared<H>>,
}

struct Shared<H> {
    config: Arc<Config>,
    handler: Arc<H>,
    connections: Mutex<Connections>,
    /// Notified whenever a connection has ended.
    ended: Notify,
}

#[derive(Default)]
struct Connections {
    /// By the id of the Engine.IO session, which long-polling will name in each request. It is not the public id of
    /// the connection: who knows this one could act for the client.
    by_engine_id: HashMap<ConnectionId, Arc<Link>>,
    is_shutting_down: bool,
}

impl<H: Handler> Server<H> {
    /// A server without connections.
    pub fn new(config: Config, handler: Arc<H>) -> Self {
        let shared =
            Shared { config: Arc::new(config), handler, connections: Mutex::default(), ended: Notify::new() };
        Self { shared: Arc::new(shared) }
    }

    /// Answers one HTTP request, whatever its path: 101 and a new connection, or the error the Node server gives
    /// (`{"code":…,"message":…}`, 400 or 403); 503 when there is no room. Needs a tokio runtime.
    ///
    /// Serve HTTP with `hyper::server::conn::http1` over `TokioIo<TcpStream>` and `with_upgrades()`: then the
    /// connection goes on with the bare `TcpStream` and nothing of hyper's. Over any other stream it works too, but
    /// keeps hyper's wrapper.
    pub fn handle<B>(&self, mut request: Request<B>, remote_addr: SocketAddr) -> Response<Full<Bytes>> {
        let accept_key = match handshake::check(&request, &self.shared.config.allowed_origins) {
            Ok(accept_key) => accept_key,
            Err(refusal) => return refusal.response(),
        };
        let slot = match Slot::take(&self.shared) {
            Ok(slot) => slot,
            Err(refusal) => return refusal.response(),
        };
        let upgrade = hyper::upgrade::on(&mut request);
        let peer = Peer { remote_addr, headers: std::mem::take(request.headers_mut()) };
        tokio::spawn(async move {
            // A client that never reads the answer must not keep its place.
            let Ok(Ok(upgraded)) = timeout(slot.shared.config.connect_timeout, upgrade).await else { return };
            match upgraded.downcast::<TokioIo<TcpStream>>() {
                Ok(parts) => slot.serve(parts.io.into_inner(), parts.read_buf, peer).await,
                Err(upgraded) => slot.serve(TokioIo::new(upgraded), Bytes::new(), peer).await,
            }
        });
        handshake::switching_protocols(&accept_key)
    }

    /// Serves a stream whose WebSocket handshake somebody else has done, until the connection has ended. A server
    /// that is full or stops drops it at once.
    pub async fn serve_stream<I: AsyncRead + AsyncWrite + Unpin>(&self, io: I, peer: Peer) {
        if let Ok(slot) = Slot::take(&self.shared) {
            slot.serve(io, Bytes::new(), peer).await;
        }
    }

    /// Connections now, those included that have not sent their CONNECT or are just closing.
    #[must_use]
    pub fn connection_count(&self) -> usize {
        self.shared.connections.lock().by_engine_id.len()
    }

    /// Refuses new connections, closes all with [`CloseReason::ServerShutdown`] once their queues are written, and
    /// waits until they have ended. Those that have not at the deadline are cut off; their number is returned.
    pub async fn shutdown(&self, deadline: Duration) -> usize {
        for link in self.stop_accepting() {
            link.close(CloseReason::ServerShutdown);
        }
        if timeout(deadline, self.until_empty()).await.is_ok() {
            return 0;
        }
        let late = self.stop_accepting();
        for link in &late {
            link.abort();
        }
        late.len()
    }

    fn stop_accepting(&self) -> Vec<Arc<Link>> {
        let mut connections = self.shared.connections.lock();
        connections.is_shutting_down = true;
        connections.by_engine_id.values().cloned().collect()
    }

    async fn until_empty(&self) {
        loop {
            let ended = self.shared.ended.notified();
            tokio::pin!(ended);
            // Before the look, so that an end between the look and the wait is not missed.
            ended.as_mut().enable();
            if self.connection_count() == 0 {
                return;
            }
            ended.await;
        }
    }
}

impl<H: Handler> Clone for Server<H> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

/// A place among `connections_max`, given back when it is dropped.
struct Slot<H: Handler> {
    shared: Arc<Shared<H>>,
    engine_id: ConnectionId,
    link: Arc<Link>,
}

impl<H: Handler> Slot<H> {
    fn take(shared: &Arc<Shared<H>>) -> Result<Self, Refusal> {
        let (Ok(engine_id), Ok(id)) = (ConnectionId::random(), ConnectionId::random()) else {
            tracing::error!("no random ids: the operating system gives no randomness");
            return Err(Refusal::NoRoom("No randomness"));
        };
        let link = Arc::new(Link::new(id, &shared.config));
        let mut connections = shared.connections.lock();
        if connections.is_shutting_down {
            return Err(Refusal::NoRoom("Shutting down"));
        }
        if connections.by_engine_id.len() >= shared.config.connections_max {
            return Err(Refusal::NoRoom("Too many connections"));
        }
        connections.by_engine_id.insert(engine_id, Arc::clone(&link));
        drop(connections);
        Ok(Self { shared: Arc::clone(shared), engine_id, link })
    }

    async fn serve<I: AsyncRead + AsyncWrite + Unpin>(&self, io: I, read_ahead: Bytes, peer: Peer) {
        let (handler, config) = (Arc::clone(&self.shared.handler), Arc::clone(&self.shared.config));
        let link = Arc::clone(&self.link);
        Driver::new(io, &read_ahead, &self.engine_id, peer, link, handler, config).await;
    }
}

impl<H: Handler> Drop for Slot<H> {
    fn drop(&mut self) {
        self.shared.connections.lock().by_engine_id.remove(&self.engine_id);
        self.shared.ended.notify_waiters();
    }
}
