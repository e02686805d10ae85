//! HTTP/1.1 from the socket up: our own accept loop, because `axum::serve` sets no timer and then hyper's deadlines do
//! nothing.
//!
//! A connection ends when it is silent, when its peer stops reading, or when the server drains. There are at most
//! `connections_max`, upgraded ones included, and of one address a part of them; a few more are taken in so that those
//! who watch the server still get an answer. Who comes on top is told so and may come back.

mod connection;
mod refuse;
mod tls;

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::response::Response;
use http::Request;
use hyper::body::Incoming;
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tidings_socketio::{Accepted, Addresses, Taken};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;

use connection::Connection;
use refuse::Refuser;
pub use tls::Tls;

/// Connections that the kernel keeps ready while the loop is busy: a reconnect storm comes all at once.
const BACKLOG: i32 = 4096;
/// After this long without an acknowledged byte the kernel gives a connection up, also when the peer says that it has
/// no room: hyper has no deadline for writing.
const UNACKNOWLEDGED_MAX: Duration = Duration::from_secs(60);
/// What the kernel keeps of a connection whose peer does not read, beside what is on its way: the rest waits in our
/// queue, where it is counted and bounded. Larger than what goes out in one system call.
const UNSENT_BYTES_MAX: u32 = 128 * 1024;
/// Connections on top of `connections_max` that are taken in for who watches the server, and as many again for who
/// watches it from the same machine.
const RESERVED: usize = 16;
/// Of them for one address: the crowd that the reserve is there to survive comes back all the time.
const RESERVED_OF_ADDRESS: usize = 2;
/// When the process is out of descriptors, accepting fails at once and would spin.
const ACCEPT_RETRY: Duration = Duration::from_millis(50);

/// What the connections are for.
pub trait Application: Send + Sync + 'static {
    /// Looks at the first bytes of a connection, and takes it or gives it back unread.
    fn take(&self, stream: TcpStream, remote: SocketAddr) -> impl Future<Output = Accepted> + Send;

    /// Answers a request.
    fn serve(&self, request: Request<Incoming>, remote: SocketAddr) -> impl Future<Output = Response> + Send;

    /// Answers a request of a connection that came when the server was full: for those who watch it, and nobody else.
    fn serve_reserved(
        &self,
        request: Request<Incoming>,
        remote: SocketAddr,
    ) -> impl Future<Output = Response> + Send;

    /// Connections that it has taken over after an upgrade, now.
    fn upgraded_count(&self) -> usize;

    /// Connections of both kinds that are taken at a time.
    fn connections_max(&self) -> usize;

    /// Those of one address that are not upgraded.
    fn address_connections_max(&self) -> usize;
}

/// A listener at this address, with a backlog for storms.
///
/// # Errors
/// The operating system's: the address is taken, or not ours.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    // Linux gives a connection what its listener has: set once instead of with every accept.
    prepare(&SockRef::from(&socket))?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// Accepts and serves, over TLS where there is one, until `draining` turns true; then takes nobody new, lets every
/// request in flight finish, and cuts off what has not finished at the deadline. Gives how many that were.
pub async fn serve<A: Application>(
    listener: TcpListener,
    tls: Option<Arc<Tls>>,
    application: Arc<A>,
    mut draining: watch::Receiver<bool>,
    drain_deadline: Duration,
) -> usize {
    let drained = draining.clone();
    let mut connections = JoinSet::new();
    let (refuser, addresses, reserved) = (Refuser::new(), Addresses::default(), Reserve::default());
    loop {
        tokio::select! {
            biased;
            () = until_true(&mut draining) => break,
            Some(ended) = connections.join_next(), if !connections.is_empty() => log_panic(ended),
            accepted = listener.accept() => match accepted {
                Ok((stream, remote)) => {
                    let open = connections.len() + application.upgraded_count();
                    let place = if open < application.connections_max() {
                        addresses.take(remote.ip(), application.address_connections_max()).map(Place::Usual)
                    } else {
                        reserved.take(remote.ip())
                    };
                    match place {
                        // Over TLS a handshake would have to come first, which is what there is no room for.
                        None if tls.is_some() => drop(stream),
                        None => refuser.refuse(stream, refuse::OVERLOADED),
                        Some(place) => {
                            let connection = Connection { remote, place, tls: tls.clone(), refuser: refuser.clone() };
                            let (application, draining) = (Arc::clone(&application), drained.clone());
                            connections.spawn(connection.serve(stream, application, draining));
                        }
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "no connection could be accepted");
                    tokio::time::sleep(ACCEPT_RETRY).await;
                }
            },
        }
    }
    drop(listener);
    let all_ended = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(drain_deadline, all_ended).await.is_ok() {
        return 0;
    }
    let late = connections.len();
    connections.shutdown().await;
    late
}

/// What a connection holds as long as it is HTTP's; given back when it is dropped.
enum Place {
    Usual(#[expect(dead_code, reason = "held for its end")] Taken),
    Reserved(#[expect(dead_code, reason = "held for its end")] (OwnedSemaphorePermit, Taken)),
}

/// The places for who watches the server.
struct Reserve {
    others: Arc<Semaphore>,
    own: Arc<Semaphore>,
    addresses: Addresses,
}

impl Default for Reserve {
    fn default() -> Self {
        let [others, own] = [(); 2].map(|()| Arc::new(Semaphore::new(RESERVED)));
        Self { others, own, addresses: Addresses::default() }
    }
}

impl Reserve {
    fn take(&self, address: IpAddr) -> Option<Place> {
        let places = if address.to_canonical().is_loopback() { &self.own } else { &self.others };
        let taken = self.addresses.take(address, RESERVED_OF_ADDRESS)?;
        let permit = Arc::clone(places).try_acquire_owned().ok()?;
        Some(Place::Reserved((permit, taken)))
    }
}

async fn until_true(flag: &mut watch::Receiver<bool>) {
    // An error says that nobody is there to set it any more: the server is being taken down.
    let _ = flag.wait_for(|flag| *flag).await;
}

fn prepare(socket: &SockRef<'_>) -> io::Result<()> {
    // Answers and frames are written whole: waiting to fill a packet only costs.
    socket.set_tcp_nodelay(true)?;
    socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED_MAX))?;
    socket.set_tcp_notsent_lowat(UNSENT_BYTES_MAX)
}

fn log_panic(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "a connection's task failed");
    }
}

#[cfg(test)]
mod tests;
