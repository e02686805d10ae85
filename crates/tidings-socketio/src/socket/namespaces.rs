//! Which namespaces a server has, and who decides over those who ask for one.

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::connection::{Connection, Socket};
use super::handler::{ConnectError, Event, Handler, Handshake, Reply};
use crate::close::CloseReason;
use crate::codec::socket::MAIN_NAMESPACE;

/// What every CONNECT to a namespace passes before its [`Handler`] decides over it, in the order in which they were
/// added. A closure is one.
pub trait Middleware: Send + Sync + 'static {
    /// Lets the client pass, perhaps with a word to those behind in [`Handshake::extensions`], or refuses it.
    fn check(&self, handshake: Handshake) -> BoxFuture<'static, Result<Handshake, ConnectError>>;
}

impl<F> Middleware for F
where
    F: Fn(Handshake) -> BoxFuture<'static, Result<Handshake, ConnectError>> + Send + Sync + 'static,
{
    fn check(&self, handshake: Handshake) -> BoxFuture<'static, Result<Handshake, ConnectError>> {
        self(handshake)
    }
}

/// A namespace: its handler, and the middleware before it.
#[derive(Clone)]
pub struct Namespace {
    handler: Arc<dyn AnyHandler>,
    middleware: Vec<Arc<dyn Middleware>>,
}

impl Namespace {
    /// A namespace without middleware.
    pub fn new<H: Handler>(handler: Arc<H>) -> Self {
        Self { handler: Arc::new(Erased(handler)), middleware: Vec::new() }
    }

    /// Adds middleware behind what there is.
    #[must_use]
    pub fn with(mut self, middleware: impl Middleware) -> Self {
        self.middleware.push(Arc::new(middleware));
        self
    }
}

/// The namespaces of a server. A client that asks for another one is answered `Invalid namespace`.
#[derive(Clone, Default)]
pub struct Namespaces {
    by_name: HashMap<Arc<str>, Namespace>,
    matching: Vec<(Arc<Matches>, Namespace)>,
}

type Matches = dyn Fn(&str) -> bool + Send + Sync;

impl Namespaces {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a namespace, `/` or a longer name that begins with it; one of the same name is replaced.
    #[must_use]
    pub fn add(mut self, name: &str, namespace: Namespace) -> Self {
        self.by_name.insert(name.into(), namespace);
        self
    }

    /// Adds all namespaces whose name the function takes and that have not been added by name. The first that was added
    /// counts. Every client can make up names: take few.
    #[must_use]
    pub fn add_matching(
        mut self,
        matches: impl Fn(&str) -> bool + Send + Sync + 'static,
        namespace: Namespace,
    ) -> Self {
        self.matching.push((Arc::new(matches), namespace));
        self
    }

    /// The namespace and its name, shared where it was added by it.
    pub(super) fn find(&self, name: &str) -> Option<(Arc<str>, &Namespace)> {
        if let Some((name, namespace)) = self.by_name.get_key_value(name) {
            return Some((Arc::clone(name), namespace));
        }
        let (_, namespace) = self.matching.iter().find(|(matches, _)| matches(name))?;
        Some((name.into(), namespace))
    }

    /// There is no other than the main one.
    pub(super) fn is_one(&self) -> bool {
        self.matching.is_empty() && self.by_name.len() == 1 && self.by_name.contains_key(MAIN_NAMESPACE)
    }
}

/// What was decided over a CONNECT.
pub(super) type Decision = Result<Box<dyn AnyConnection>, ConnectError>;

impl Namespace {
    pub(super) fn decide(&self, mut handshake: Handshake, socket: Socket) -> BoxFuture<'static, Decision> {
        let handler = Arc::clone(&self.handler);
        if self.middleware.is_empty() {
            return handler.connect(handshake, socket);
        }
        let middleware = self.middleware.clone();
        Box::pin(async move {
            for middleware in middleware {
                handshake = middleware.check(handshake).await?;
            }
            handler.connect(handshake, socket).await
        })
    }
}

/// A [`Handler`] whatever its state.
trait AnyHandler: Send + Sync {
    fn connect(&self, handshake: Handshake, socket: Socket) -> BoxFuture<'static, Decision>;
}

/// A [`Connection`] whatever its state, and its handler.
pub(super) trait AnyConnection: Send {
    fn socket(&self) -> &Socket;
    fn recovery_id(&self) -> Option<String>;
    fn connected(&self) -> BoxFuture<'static, ()>;
    fn event(&self, event: Event) -> BoxFuture<'static, Option<Reply>>;
    fn disconnected(&self, reason: CloseReason);
}

struct Erased<H>(Arc<H>);

struct Bound<H: Handler> {
    handler: Arc<H>,
    connection: Connection<H::State>,
}

impl<H: Handler> AnyHandler for Erased<H> {
    fn connect(&self, handshake: Handshake, socket: Socket) -> BoxFuture<'static, Decision> {
        let handler = Arc::clone(&self.0);
        let decision = handler.connect(handshake);
        Box::pin(async move {
            let connection = Connection::new(socket, decision.await?);
            Ok(Box::new(Bound { handler, connection }) as Box<dyn AnyConnection>)
        })
    }
}

impl<H: Handler> AnyConnection for Bound<H> {
    fn socket(&self) -> &Socket {
        self.connection.socket()
    }

    fn recovery_id(&self) -> Option<String> {
        self.handler.recovery_id(self.connection.state())
    }

    fn connected(&self) -> BoxFuture<'static, ()> {
        self.handler.connected(&self.connection)
    }

    fn event(&self, event: Event) -> BoxFuture<'static, Option<Reply>> {
        self.handler.event(&self.connection, event)
    }

    fn disconnected(&self, reason: CloseReason) {
        self.handler.disconnected(&self.connection, reason);
    }
}
