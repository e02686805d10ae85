//! The application under the tests: it does what the events tell it, and reports what happens to it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde_json::json;
use tidings_socketio::{
    CloseReason, Config, ConnectError, Connection, Event, Handler, Handshake, Namespace, Namespaces, Peer,
    Reply, Server,
};
use tokio::sync::{Semaphore, mpsc};

use crate::client::{Client, Got};

/// A server with a test's hands on it.
pub struct TestServer {
    pub server: Server,
    pub app: Arc<App>,
    connected: mpsc::UnboundedReceiver<Connection<String>>,
    ended: mpsc::UnboundedReceiver<CloseReason>,
}

pub struct App {
    /// `take` an event, then `begin` its future, in the order it happened.
    pub log: Arc<Mutex<Vec<String>>>,
    /// `gated` events finish when the test adds permits.
    pub gate: Arc<Semaphore>,
    connected: mpsc::UnboundedSender<Connection<String>>,
    ended: mpsc::UnboundedSender<CloseReason>,
}

impl TestServer {
    pub fn new(config: Config) -> Self {
        let (connected, connected_rx) = mpsc::unbounded_channel();
        let (ended, ended_rx) = mpsc::unbounded_channel();
        let app = App { log: Arc::default(), gate: Arc::new(Semaphore::new(0)), connected, ended };
        let app = Arc::new(app);
        let namespace = Namespace::new(Arc::clone(&app));
        let no_entry = |handshake: Handshake| {
            let error = ConnectError::new(format!("{} is closed", handshake.namespace));
            async move { Err(error) }.boxed()
        };
        let marked = |mut handshake: Handshake| {
            handshake.extensions.insert(Mark(handshake.peer.query.clone()));
            async move { Ok(handshake) }.boxed()
        };
        let namespaces = Namespaces::new()
            .add("/", namespace.clone())
            .add("/custom", namespace.clone())
            .add("/closed", namespace.clone().with(marked).with(no_entry))
            .add("/marked", namespace.clone().with(marked))
            .add_matching(|name| name.starts_with("/room-"), namespace);
        let server = Server::with_namespaces(config, namespaces);
        Self { server, app, connected: connected_rx, ended: ended_rx }
    }

    /// A client that has read the open packet. `pipe_bytes` fit in each direction before a writer waits.
    pub async fn client_with_pipe(&self, pipe_bytes: usize) -> Client<tokio::io::DuplexStream> {
        self.client_from([127, 0, 0, 1], pipe_bytes).await.expect("there is room")
    }

    /// The same from some address; nothing where the server has no room for it.
    pub async fn client_from(
        &self,
        address: [u8; 4],
        pipe_bytes: usize,
    ) -> Option<Client<tokio::io::DuplexStream>> {
        let (ours, theirs) = tokio::io::duplex(pipe_bytes);
        let server = self.server.clone();
        let peer = Peer {
            remote_addr: (address, 1).into(),
            headers: ::http::HeaderMap::new(),
            query: "EIO=4".into(),
        };
        tokio::spawn(async move { server.serve_stream(theirs, peer).await });
        let mut client = Client::new(ours);
        match client.next().await {
            Got::End => None,
            Got::Text(open) if open.starts_with("0{\"sid\":\"") => Some(client),
            other => panic!("{other:?}"),
        }
    }

    pub async fn client(&self) -> Client<tokio::io::DuplexStream> {
        self.client_with_pipe(64 * 1024).await
    }

    /// The application was told nothing since the last look.
    pub fn expect_not_ended(&mut self) {
        assert_eq!(self.ended.try_recv(), Err(mpsc::error::TryRecvError::Empty));
    }

    /// A client whose CONNECT was accepted, and the server's end of it.
    pub async fn joined(&mut self) -> (Client<tokio::io::DuplexStream>, Connection<String>) {
        let mut client = self.client().await;
        client.join().await;
        (client, self.connection().await)
    }

    pub async fn connection(&mut self) -> Connection<String> {
        self.connected.recv().await.unwrap()
    }

    /// How the next connection ended, as the application was told.
    pub async fn ended(&mut self) -> CloseReason {
        self.ended.recv().await.unwrap()
    }

    /// The application was told nothing more, and no connection is left.
    pub async fn expect_nothing_left(&mut self) {
        while self.server.connection_count() > 0 {
            tokio::task::yield_now().await;
        }
        assert!(self.ended.try_recv().is_err());
    }

    pub fn log(&self) -> Vec<String> {
        self.app.log.lock().unwrap().clone()
    }

    /// The events whose handlers have begun, in order.
    pub fn begun(&self) -> Vec<String> {
        self.log().iter().filter_map(|line| line.strip_prefix("begin ")).map(str::to_owned).collect()
    }
}

/// What a middleware says to the handler.
#[derive(Clone)]
struct Mark(Box<str>);

impl Handler for App {
    type State = String;

    fn connect(&self, handshake: Handshake) -> BoxFuture<'static, Result<String, ConnectError>> {
        let mut auth = handshake.auth.map(|auth| auth.get().to_owned()).unwrap_or_default();
        if let Some(Mark(query)) = handshake.extensions.get() {
            auth = json!({ "query": query }).to_string();
        }
        async move {
            match &auth[..] {
                r#"{"token":"bad"}"# => {
                    Err(ConnectError::new("no").with_data(json!({"code": "token_invalid"})))
                }
                r#"{"token":"slow"}"# => {
                    tokio::time::sleep(Duration::from_secs(3)).await;
                    Ok(auth)
                }
                r#"{"token":"never"}"# => std::future::pending().await,
                _ => Ok(auth),
            }
        }
        .boxed()
    }

    fn connected(&self, connection: &Connection<String>) -> BoxFuture<'static, ()> {
        connection.emit("ready", connection.state()).unwrap();
        self.connected.send(connection.clone()).unwrap();
        async {}.boxed()
    }

    fn event(&self, connection: &Connection<String>, event: Event) -> BoxFuture<'static, Option<Reply>> {
        let what = format!("{}:{}", event.name(), event.args_json());
        self.log.lock().unwrap().push(format!("take {what}"));
        let (gate, log, connection) = (Arc::clone(&self.gate), Arc::clone(&self.log), connection.clone());
        async move {
            log.lock().unwrap().push(format!("begin {what}"));
            match event.name() {
                "echo" => Some(Reply {
                    args_json: event.args_json().to_owned(),
                    attachments: event.attachments().to_vec(),
                }),
                "silent" => None,
                "gated" => {
                    gate.acquire().await.unwrap().forget();
                    Some(event.args_json().to_owned().into())
                }
                "forever" => std::future::pending().await,
                "ask" => {
                    let (args, attachments) = (event.args_json(), event.attachments());
                    let answer =
                        connection.emit_with_ack("question", args, attachments, Duration::from_secs(1)).await;
                    let answer = answer.map(|reply| (reply.args_json, reply.attachments.concat()));
                    Some(serde_json::to_string(&format!("{answer:?}")).unwrap().into())
                }
                "panic" => panic!("as the test wants it"),
                name => panic!("no test knows {name}"),
            }
        }
        .boxed()
    }

    fn recovery_id(&self, state: &String) -> Option<String> {
        state.contains("recover").then(|| "a \"pid\"".to_owned())
    }

    fn disconnected(&self, _: &Connection<String>, reason: CloseReason) {
        let _ = self.ended.send(reason);
    }
}
