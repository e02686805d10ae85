//! One request in, one answer out: the seam between REST and sockets, and what every answer has in common.

use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::MatchedPath;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderMap, HeaderName, HeaderValue, Request};
use http_body_util::Full;
use hyper::body::Incoming;
use tidings_core::error::Code;
use tidings_core::services::Services;
use tidings_socketio::Accepted;
use tokio::net::TcpStream;
use tower::ServiceExt as _;

use crate::http::Application;
use crate::hub::Hub;
use crate::operations::{Operated, Operations, Requests};
use crate::problem::{self, Refused};
use crate::rest;

/// Names the request, in the answer and in the log. Always the server's own: a client's could not be trusted there.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Where the sockets are.
const SOCKETS: &str = "/socket.io/";
/// What those ask who watch the server.
const HEALTH: &str = "/health";
/// JSON needs nothing; the home page says for itself what it needs.
const CSP: HeaderValue = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");

/// Sockets are told to go one by one over this long, where they are many: all of them come back somewhere.
const DRAIN_SPREAD: Duration = Duration::from_secs(5);

/// What serves `/socket.io/`.
pub trait Sockets: Send + Sync + 'static {
    /// Answers a request whose path begins with `/socket.io/`, and goes on with the connection if it is upgraded.
    fn handle(
        &self,
        request: Request<Incoming>,
        remote: SocketAddr,
    ) -> BoxFuture<'_, http::Response<Full<Bytes>>>;

    /// Takes a connection that begins with an upgrade; gives back, unread, what begins in another way. `headers` go
    /// into the answer.
    fn accept<'a>(
        &'a self,
        stream: TcpStream,
        remote: SocketAddr,
        headers: &'a (dyn Fn() -> String + Send + Sync),
    ) -> BoxFuture<'a, Accepted>;

    /// Upgraded connections now.
    fn connection_count(&self) -> usize;

    /// Closes all of them, and gives how many had to be cut off at the deadline.
    fn shutdown(&self, deadline: Duration) -> BoxFuture<'_, usize>;
}

impl Sockets for tidings_socketio::Server {
    fn handle(
        &self,
        request: Request<Incoming>,
        remote: SocketAddr,
    ) -> BoxFuture<'_, http::Response<Full<Bytes>>> {
        Self::handle(self, request, remote).boxed()
    }

    fn accept<'a>(
        &'a self,
        stream: TcpStream,
        remote: SocketAddr,
        headers: &'a (dyn Fn() -> String + Send + Sync),
    ) -> BoxFuture<'a, Accepted> {
        Self::accept(self, stream, remote, |path| path.starts_with(SOCKETS), headers).boxed()
    }

    fn connection_count(&self) -> usize {
        Self::connection_count(self)
    }

    fn shutdown(&self, deadline: Duration) -> BoxFuture<'_, usize> {
        Self::shutdown(self, DRAIN_SPREAD, deadline).boxed()
    }
}

/// Where the request came from: the far end of its connection, or who a trusted proxy says it comes from.
#[derive(Debug, Clone, Copy)]
pub struct RemoteAddr(pub SocketAddr);

/// REST and sockets over the same services.
pub struct Gateway {
    services: Arc<Services>,
    router: Router,
    sockets: Arc<dyn Sockets>,
    requests: Arc<Requests>,
    operations: Arc<Operations>,
}

impl Gateway {
    /// A gateway; `sockets` serves what is not REST.
    #[must_use]
    pub fn new(
        services: Arc<Services>,
        sockets: Arc<dyn Sockets>,
        hub: Arc<Hub>,
        operations: Operations,
    ) -> Self {
        let requests = Arc::<Requests>::default();
        let operations = Arc::new(operations);
        let operated = Operated { operations: Arc::clone(&operations), hub, requests: Arc::clone(&requests) };
        let router = rest::router(Arc::clone(&services), operated);
        Self { services, router, sockets, requests, operations }
    }

    /// What serves `/socket.io/`.
    #[must_use]
    pub fn sockets(&self) -> &dyn Sockets {
        &*self.sockets
    }

    /// Answers a REST request.
    pub async fn answer(&self, request: Request<Body>) -> Response {
        let began = Instant::now();
        let id = self.request_id();
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let routed = AssertUnwindSafe(self.router.clone().oneshot(request)).catch_unwind();
        let mut response = match routed.await {
            Ok(Ok(response)) => response,
            Ok(Err(never)) => match never {},
            // The panic itself is in the log by its hook; other requests go on.
            Err(_) => Refused::new(Code::Internal, "The server's log has the reason under this requestId.")
                .into_response(),
        };
        if let Some(refused) = response.extensions_mut().remove::<Refused>() {
            if refused.code == Code::Internal {
                tracing::error!(request.id = id, %method, path, "a request failed");
            }
            problem::render(&refused, &path, &id, &mut response);
        }
        set_headers(response.headers_mut(), &id, &path);
        let took = began.elapsed();
        let route = response.extensions_mut().remove::<MatchedPath>();
        self.requests.count(&method, route.as_ref().map(MatchedPath::as_str), response.status(), took);
        let (status, latency_us) = (response.status().as_u16(), took.as_micros());
        tracing::debug!(request.id = id, %method, path, status, latency_us, "answered");
        response
    }

    fn request_id(&self) -> String {
        self.services.ids.uuid(self.services.clock.now()).to_string()
    }
}

impl Application for Gateway {
    async fn take(&self, stream: TcpStream, remote: SocketAddr) -> Accepted {
        let headers = || {
            let mut headers = HeaderMap::new();
            set_headers(&mut headers, &self.request_id(), SOCKETS);
            let lines = headers.iter().map(|(name, value)| (name, value.to_str().unwrap_or_default()));
            lines.map(|(name, value)| format!("{name}: {value}\r\n")).collect()
        };
        self.sockets.accept(stream, remote, &headers).await
    }

    async fn serve(&self, request: Request<Incoming>, remote: SocketAddr) -> Response {
        if request.uri().path().starts_with(SOCKETS) {
            let path = request.uri().path().to_owned();
            let mut response = self.sockets.handle(request, remote).await.map(Body::new);
            set_headers(response.headers_mut(), &self.request_id(), &path);
            return response;
        }
        let mut request = request.map(Body::new);
        let client = self.operations.client_address(remote.ip(), request.headers());
        request.extensions_mut().insert(RemoteAddr(SocketAddr::new(client, remote.port())));
        self.answer(request).await
    }

    async fn serve_reserved(&self, request: Request<Incoming>, remote: SocketAddr) -> Response {
        if request.uri().path().starts_with(HEALTH) {
            return self.serve(request, remote).await;
        }
        let (path, id) = (request.uri().path().to_owned(), self.request_id());
        let refused = Refused::new(Code::Overloaded, "Too many connections. Try again in a moment.");
        let mut response = Response::default();
        problem::render(&refused, &path, &id, &mut response);
        set_headers(response.headers_mut(), &id, &path);
        response
    }

    fn upgraded_count(&self) -> usize {
        self.sockets.connection_count()
    }

    fn connections_max(&self) -> usize {
        self.services.limits.connections_max
    }

    fn address_connections_max(&self) -> usize {
        self.services.limits.address_connections_max
    }
}

fn set_headers(headers: &mut HeaderMap, id: &str, path: &str) {
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert(REQUEST_ID, id);
    }
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.entry(CONTENT_SECURITY_POLICY).or_insert(CSP);
    if path.starts_with("/api/") {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
}
