//! One connection of HTTP/1.1, from its first byte to its end or its upgrade.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tidings_socketio::Accepted;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use super::refuse::{self, Refuser};
use super::tls::{Begun, Tls};
use super::{Application, Place, until_true};

/// Who connects and says nothing is not kept longer.
pub(super) const FIRST_REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// From the end of an answer to the end of the next request's headers: hyper has one timer for both, and clients and
/// proxies keep idle connections about a minute.
pub(super) const KEEP_ALIVE: Duration = Duration::from_secs(75);
/// The places that are kept for who watches the server are few, and not to be waited in.
const RESERVED_TIMEOUT: Duration = Duration::from_secs(2);
/// A request's headers, with its line.
const HEADER_BYTES_MAX: usize = 32 * 1024;
/// What hyper reads ahead and writes behind. Bodies are streamed through it.
const BUFFER_BYTES_MAX: usize = 64 * 1024;

/// A connection that was accepted.
pub(super) struct Connection {
    pub remote: SocketAddr,
    pub place: Place,
    /// What it has to begin with.
    pub tls: Option<Arc<Tls>>,
    pub refuser: Refuser,
}

impl Connection {
    pub(super) async fn serve<A: Application>(
        self,
        stream: TcpStream,
        application: Arc<A>,
        mut draining: watch::Receiver<bool>,
    ) {
        let Self { remote, place, tls, refuser } = self;
        let is_reserved = matches!(place, Place::Reserved(_));
        let first_request_by =
            Instant::now() + if is_reserved { RESERVED_TIMEOUT } else { FIRST_REQUEST_TIMEOUT };
        let began = async {
            match tls {
                Some(tls) => match timeout_at(first_request_by, Box::pin(tls.accept(stream))).await {
                    Ok(Ok(Begun::Secure(stream))) => Some(Begun::Secure(stream)),
                    Ok(Ok(Begun::Plain(stream))) => {
                        refuser.refuse(stream, refuse::TLS_ONLY);
                        None
                    }
                    Ok(Err(error)) => {
                        tracing::debug!(%error, %remote, "no handshake");
                        None
                    }
                    Err(_) => None,
                },
                None if is_reserved => Some(Begun::Plain(stream)),
                None => match timeout_at(first_request_by, application.take(stream, remote)).await {
                    Ok(Accepted::Http(stream)) => Some(Begun::Plain(stream)),
                    Ok(Accepted::Taken) | Err(_) => None,
                },
            }
        };
        let began = tokio::select! {
            began = began => began,
            () = until_true(&mut draining) => None,
        };
        let http = Http { remote, is_reserved, first_request_by, application, draining };
        // Not a part of this task where the connection was taken: that is most of them, and they come in storms.
        match began {
            Some(Begun::Plain(stream)) => Box::pin(http.serve(stream)).await,
            Some(Begun::Secure(stream)) => Box::pin(http.serve(*stream)).await,
            None => {}
        }
        drop(place);
    }
}

struct Http<A> {
    remote: SocketAddr,
    is_reserved: bool,
    first_request_by: Instant,
    application: Arc<A>,
    draining: watch::Receiver<bool>,
}

impl<A: Application> Http<A> {
    async fn serve(self, stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) {
        let Self { remote, is_reserved, first_request_by, application, mut draining } = self;
        let has_asked = Arc::new(AtomicBool::new(false));
        let asked = Arc::clone(&has_asked);
        let service = service_fn(move |request| {
            asked.store(true, Ordering::Relaxed);
            let application = Arc::clone(&application);
            async move {
                Ok::<_, Infallible>(if is_reserved {
                    application.serve_reserved(request, remote).await
                } else {
                    application.serve(request, remote).await
                })
            }
        });
        // The stream goes in bare: the sockets get it back as it is, without hyper's buffers.
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(if is_reserved { RESERVED_TIMEOUT } else { KEEP_ALIVE })
            .keep_alive(!is_reserved)
            .max_header_size(HEADER_BYTES_MAX)
            .max_buf_size(BUFFER_BYTES_MAX)
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades();
        let mut connection = Box::pin(connection);
        let first_request = tokio::time::sleep_until(first_request_by);
        tokio::pin!(first_request);
        let (mut is_new, mut is_draining) = (true, false);
        loop {
            tokio::select! {
                result = &mut connection => {
                    if let Err(error) = result {
                        tracing::debug!(%error, %remote, "a connection broke");
                    }
                    return;
                }
                () = &mut first_request, if is_new => {
                    is_new = false;
                    if !has_asked.load(Ordering::Relaxed) {
                        return;
                    }
                }
                () = until_true(&mut draining), if !is_draining => {
                    is_draining = true;
                    connection.as_mut().graceful_shutdown();
                }
            }
        }
    }
}
