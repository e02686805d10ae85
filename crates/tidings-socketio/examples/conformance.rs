//! The server that the official protocol suites ask for.
//!
//! `PORT=3000 cargo run --release -p tidings-socketio --example conformance`, then run the suites of
//! `docs/engine.io-protocol/v4-test-suite` and `docs/socket.io-protocol/v5-test-suite` of socketio/socket.io.

mod http;

use std::sync::Arc;
use std::time::Duration;

use ::http::{Response, StatusCode};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tidings_socketio::engine::{self, Message, Session};
use tidings_socketio::{
    CloseReason, Config, ConnectError, Connection, Event, Handler, Handshake, Namespace, Namespaces, Peer,
    Reply, Server,
};

/// The suite listens for one message after the other, and misses one that comes in the same read as the last.
const PAUSE_BEFORE_AUTH: Duration = Duration::from_millis(10);

/// What both namespaces do.
struct Echo;

impl Handler for Echo {
    /// The handshake's auth object.
    type State = String;

    fn connect(&self, handshake: Handshake) -> BoxFuture<'static, Result<String, ConnectError>> {
        let auth = handshake.auth.map_or_else(|| "{}".to_owned(), |auth| auth.get().to_owned());
        async move { Ok(auth) }.boxed()
    }

    fn connected(&self, connection: &Connection<String>) -> BoxFuture<'static, ()> {
        let connection = connection.clone();
        async move {
            tokio::time::sleep(PAUSE_BEFORE_AUTH).await;
            let _ = connection.emit("auth", connection.state());
        }
        .boxed()
    }

    fn event(&self, connection: &Connection<String>, event: Event) -> BoxFuture<'static, Option<Reply>> {
        let reply = match event.name() {
            "message" => {
                let _ = connection.emit_binary("message-back", event.args_json(), event.attachments());
                None
            }
            "message-with-ack" => Some(Reply {
                args_json: event.args_json().to_owned(),
                attachments: event.attachments().to_vec(),
            }),
            _ => None,
        };
        async move { reply }.boxed()
    }

    fn disconnected(&self, _: &Connection<String>, _: CloseReason) {}
}

/// The same below Socket.IO.
struct EngineEcho;

impl engine::Handler for EngineEcho {
    fn opened(&self, _: &Session, _: Peer) {}

    fn message(&self, session: &Session, message: Message) {
        let _ = session.send(&message);
    }

    fn closed(&self, _: &Session, _: CloseReason) {}
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let config = Config {
        ping_interval: Duration::from_millis(300),
        ping_timeout: Duration::from_millis(200),
        connect_timeout: Duration::from_secs(1),
        payload_bytes_max: 1_000_000,
        ..Config::default()
    };
    let echo = Namespace::new(Arc::new(Echo));
    let namespaces = Namespaces::new().add("/", echo.clone()).add("/custom", echo);
    let socket_io = Server::with_namespaces(config.clone(), namespaces);
    let engine_io = engine::Server::new(config, Arc::new(EngineEcho));
    http::serve(move |request, remote_addr| {
        let (socket_io, engine_io) = (socket_io.clone(), engine_io.clone());
        async move {
            match request.uri().path() {
                "/socket.io/" => socket_io.handle(request, remote_addr).await,
                "/engine.io/" => engine_io.handle(request, remote_addr).await,
                _ => {
                    let mut response = Response::default();
                    *response.status_mut() = StatusCode::NOT_FOUND;
                    response
                }
            }
        }
    })
    .await
}
