//! One request in, one answer out: the seam between REST and sockets, and what every answer has in common.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::MatchedPath;
use axum::response::Response;
use bytes::Bytes;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Uri};
use http_body_util::Full;
use hyper::body::Incoming;
use tidings_core::error::Code;
use tidings_core::services::Services;
use tidings_socketio::{Accepted, AllowedOrigins};
use tokio::net::TcpStream;
use tower::ServiceExt as _;

use crate::http::Application;
use crate::hub::Hub;
use crate::operations::{Node, Operations, Requests};
use crate::problem::{self, Refused};
use crate::rest;

/// Names the request, in the answer and in the log. Always the server's own: a client's could not be trusted there.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Where the sockets are.
const SOCKETS: &str = "/socket.io/";
/// What those ask who watch the server.
const HEALTH: &str = "/health";
/// JSON needs nothing; the home page says for itself what it needs.
const CSP: HeaderValue = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");

/// A year: a browser that was here by TLS comes by nothing else.
const HSTS: HeaderValue = HeaderValue::from_static("max-age=31536000");

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

/// Where a request came from.
#[derive(Debug, Clone, Copy)]
pub struct Remote {
    /// The far end of its connection.
    pub peer: IpAddr,
    /// The same, or who a trusted proxy says it comes from.
    pub client: IpAddr,
}

/// How a node stands in the web.
#[derive(Debug, Clone, Default)]
pub struct Web {
    /// Pages of which other origins may ask.
    pub origins: Origins,
    /// Whether browsers reach it by TLS.
    pub is_tls: bool,
}

/// Origins of pages, as browsers name them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origins {
    /// All of them: no cookie is trusted, so a page can do nothing that it has no token for.
    Any,
    /// These; the server's own needs no mention. None: REST is for none, sockets are for all, whose token counts.
    These(Vec<HeaderValue>),
}

impl Default for Origins {
    fn default() -> Self {
        Self::These(Vec::new())
    }
}

impl fmt::Display for Origins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::These(origins) => {
                let texts: Vec<_> =
                    origins.iter().map(|origin| origin.to_str().unwrap_or_default()).collect();
                f.write_str(&texts.join(", "))
            }
        }
    }
}

impl Origins {
    /// An origin as browsers write it; none where the text is something else.
    #[must_use]
    pub fn parse(text: &str) -> Option<HeaderValue> {
        // A slash at the end is how addresses are copied.
        let text = text.strip_suffix('/').unwrap_or(text).to_ascii_lowercase();
        let uri: Uri = text.parse().ok()?;
        let (scheme, authority) = (uri.scheme_str()?, uri.authority()?);
        // Browsers leave out what is usual.
        let usual = [("http", ":80"), ("https", ":443")].into_iter().find(|(known, _)| *known == scheme);
        let text = usual.and_then(|(_, port)| text.strip_suffix(port)).unwrap_or(&text).to_owned();
        let authority =
            usual.and_then(|(_, port)| authority.as_str().strip_suffix(port)).unwrap_or(authority.as_str());
        let is_whole = text == format!("{scheme}://{authority}") && !authority.contains(['@', '*']);
        if is_whole { HeaderValue::from_str(&text).ok() } else { None }
    }

    /// For sockets.
    pub(crate) fn for_sockets(&self) -> AllowedOrigins {
        match self {
            Self::These(origins) if !origins.is_empty() => {
                let texts = origins.iter().filter_map(|origin| origin.to_str().ok());
                AllowedOrigins::List(texts.map(str::to_owned).collect())
            }
            Self::Any | Self::These(_) => AllowedOrigins::Any,
        }
    }
}

/// REST and sockets over the same services.
pub struct Gateway {
    services: Arc<Services>,
    router: Router,
    sockets: Arc<dyn Sockets>,
    node: Arc<Node>,
}

impl Gateway {
    /// A gateway; `sockets` serves what is not REST.
    #[must_use]
    pub fn new(
        services: Arc<Services>,
        sockets: Arc<dyn Sockets>,
        hub: Arc<Hub>,
        operations: Operations,
        web: &Web,
    ) -> Self {
        let router = rest::router(Arc::clone(&services), &web.origins);
        let node = Node { operations, hub, requests: Requests::default(), is_tls: web.is_tls };
        Self { services, router, sockets, node: Arc::new(node) }
    }

    /// What serves `/socket.io/`.
    #[must_use]
    pub fn sockets(&self) -> &dyn Sockets {
        &*self.sockets
    }

    /// Answers a REST request.
    pub async fn answer(&self, mut request: Request<Body>) -> Response {
        let began = Instant::now();
        let id = self.request_id();
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        request.extensions_mut().insert(Arc::clone(&self.node));
        let mut response = match self.router.clone().oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        };
        if let Some(refused) = response.extensions_mut().remove::<Refused>() {
            if refused.code == Code::Internal {
                tracing::error!(request.id = id, %method, path, "a request failed");
            }
            problem::render(&refused, &path, &id, &mut response);
        }
        self.set_headers(response.headers_mut(), &id, &path);
        let took = began.elapsed();
        let route = response.extensions_mut().remove::<MatchedPath>();
        self.node.requests.count(&method, route.as_ref().map(MatchedPath::as_str), response.status(), took);
        let (status, latency_us) = (response.status().as_u16(), took.as_micros());
        tracing::debug!(request.id = id, %method, path, status, latency_us, "answered");
        response
    }

    fn request_id(&self) -> String {
        self.services.ids.uuid(self.services.clock.now()).to_string()
    }

    fn set_headers(&self, headers: &mut HeaderMap, id: &str, path: &str) {
        if let Ok(id) = HeaderValue::from_str(id) {
            headers.insert(REQUEST_ID, id);
        }
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        if self.node.is_tls {
            headers.insert(STRICT_TRANSPORT_SECURITY, HSTS);
        }
        headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        headers.entry(CONTENT_SECURITY_POLICY).or_insert(CSP);
        if path.starts_with("/api/") {
            headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        }
    }
}

impl Application for Gateway {
    async fn take(&self, stream: TcpStream, remote: SocketAddr) -> Accepted {
        let headers = || {
            let mut headers = HeaderMap::new();
            self.set_headers(&mut headers, &self.request_id(), SOCKETS);
            let lines = headers.iter().map(|(name, value)| (name, value.to_str().unwrap_or_default()));
            lines.map(|(name, value)| format!("{name}: {value}\r\n")).collect()
        };
        self.sockets.accept(stream, remote, &headers).await
    }

    async fn serve(&self, request: Request<Incoming>, remote: SocketAddr) -> Response {
        if request.uri().path().starts_with(SOCKETS) {
            let path = request.uri().path().to_owned();
            let mut response = self.sockets.handle(request, remote).await.map(Body::new);
            self.set_headers(response.headers_mut(), &self.request_id(), &path);
            return response;
        }
        let mut request = request.map(Body::new);
        let client = self.node.operations.client_address(remote.ip(), request.headers());
        request.extensions_mut().insert(Remote { peer: remote.ip(), client });
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
        self.set_headers(response.headers_mut(), &id, &path);
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
