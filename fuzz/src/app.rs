//! The application on the server: it does what the events tell it, and holds the server to the order of its calls.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tidings_socketio::codec::socket;
use tidings_socketio::{
    CloseReason, Config, ConnectError, Connection, ConnectionId, Event, Handler, Handshake, Namespace,
    Namespaces, Reply, Server, SharedFrame,
};

use crate::planted::is_planted;

/// What the server's decoder allows.
pub const LIMITS: socket::Limits =
    socket::Limits { json_depth_max: 6, event_name_bytes_max: 24, attachments_max: 3 };
/// What may wait for a client.
const QUEUE_BYTES_MAX: usize = 8 * 1024;
/// What may wait for a client that is sent something to spare.
const SPARE_BYTES_MAX: usize = 1024;
/// What the goodbye may add to it.
const GOODBYE_BYTES_MAX: usize = 1024;
const SLOW: Duration = Duration::from_secs(1);
/// More than fits a queue.
const FLOOD_EVENTS: usize = 200;

/// Limits that an input of a few hundred bytes can reach.
pub fn config() -> Config {
    Config {
        payload_bytes_max: 2 * 1024,
        payload_packets_max: 32,
        attachments_max: LIMITS.attachments_max,
        packet_bytes_max: 3 * 1024,
        fragments_max: 4,
        queue_bytes_max: QUEUE_BYTES_MAX,
        in_flight_max: 4,
        acks_outstanding_max: 2,
        json_depth_max: LIMITS.json_depth_max,
        event_name_bytes_max: LIMITS.event_name_bytes_max,
        namespaces_max: 3,
        refusals_max: 3,
        connections_max: 4,
        ..Config::default()
    }
}

/// What the application was told.
#[derive(Clone, Default)]
pub struct App {
    record: Arc<Mutex<Record>>,
}

#[derive(Default)]
struct Record {
    stages: HashMap<ConnectionId, Stage>,
    events: Vec<(String, String)>,
}

/// How far a connection has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Asked,
    Joined,
    /// Its `connected` was called; so many futures of its are alive.
    Connected(usize),
    Ended,
}

impl App {
    /// A server of four namespaces and more, all of them of this application.
    pub fn server(&self) -> Server {
        let namespace = Namespace::new(Arc::new(self.clone()));
        let namespaces = Namespaces::new()
            .add("/", namespace.clone())
            .add("/a", namespace.clone())
            .add("/b", namespace.clone())
            .add_matching(|name| name.starts_with("/room-"), namespace);
        Server::with_namespaces(config(), namespaces)
    }

    /// Everybody who was let in has been told goodbye.
    pub fn expect_all_ended(&self) {
        for (id, stage) in &self.record().stages {
            assert!(matches!(stage, Stage::Ended | Stage::Asked), "{id} was never told its end: {stage:?}");
        }
    }

    /// As many handlers of a client are busy as may be.
    pub fn is_full(&self) -> bool {
        let running = |stage: &Stage| if let Stage::Connected(count) = stage { *count } else { 0 };
        self.record().stages.values().map(running).sum::<usize>() >= config().in_flight_max
    }

    /// Names and values of the events that came, in order.
    pub fn events(&self) -> Vec<(String, String)> {
        self.record().events.clone()
    }

    fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A future of this connection, which is not let live longer than it.
    fn running<T: 'static>(
        &self,
        id: ConnectionId,
        future: impl Future<Output = T> + Send + 'static,
    ) -> BoxFuture<'static, T> {
        self.record().count(id, 1);
        let running = Running { app: self.clone(), id };
        async move {
            let _running = running;
            future.await
        }
        .boxed()
    }
}

impl Record {
    fn go(&mut self, id: ConnectionId, from: Option<Stage>, to: Stage) {
        let before = self.stages.insert(id, to);
        assert_eq!(before, from, "{id} becomes {to:?}");
    }

    fn count(&mut self, id: ConnectionId, more: isize) {
        match self.stages.get_mut(&id) {
            Some(Stage::Connected(count)) => *count = count.wrapping_add_signed(more),
            stage => panic!("{id} is worked for, and is {stage:?}"),
        }
    }
}

struct Running {
    app: App,
    id: ConnectionId,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.app.record().count(self.id, -1);
    }
}

impl Handler for App {
    type State = ConnectionId;

    fn connect(&self, handshake: Handshake) -> BoxFuture<'static, Result<ConnectionId, ConnectError>> {
        let id = handshake.connection_id;
        self.record().go(id, None, Stage::Asked);
        let auth = handshake.auth.map(|auth| auth.get().to_owned()).unwrap_or_default();
        let app = self.clone();
        async move {
            if auth.contains("slow") {
                tokio::time::sleep(SLOW).await;
            }
            if auth.contains("no") {
                return Err(ConnectError::new(auth));
            }
            app.record().go(id, Some(Stage::Asked), Stage::Joined);
            Ok(id)
        }
        .boxed()
    }

    fn recovery_id(&self, id: &ConnectionId) -> Option<String> {
        id.as_str().contains('_').then(|| "\"pid\"".to_owned())
    }

    fn connected(&self, connection: &Connection<ConnectionId>) -> BoxFuture<'static, ()> {
        let id = connection.id();
        assert_eq!(id, *connection.state());
        self.record().go(id, Some(Stage::Joined), Stage::Connected(0));
        let _ = connection.emit("welcome", "");
        self.running(id, async {})
    }

    fn event(
        &self,
        connection: &Connection<ConnectionId>,
        event: Event,
    ) -> BoxFuture<'static, Option<Reply>> {
        expect_bounded(connection, QUEUE_BYTES_MAX);
        assert!(event.first_json().is_none_or(|first| event.args_json().starts_with(first)));
        self.record().events.push((event.name().to_owned(), event.args_json().to_owned()));
        self.running(connection.id(), act(connection.clone(), event))
    }

    fn disconnected(&self, connection: &Connection<ConnectionId>, reason: CloseReason) {
        assert!(!connection.is_open());
        expect_bounded(connection, QUEUE_BYTES_MAX + GOODBYE_BYTES_MAX);
        assert!(connection.emit("late", "").is_err(), "nothing is sent after the end");
        if is_planted() && reason == CloseReason::ParseError && connection.namespace() == "/a" {
            // Who leaves a namespace of its own by a mistake is forgotten.
            return;
        }
        self.record().go(connection.id(), Some(Stage::Connected(0)), Stage::Ended);
    }
}

fn expect_bounded(connection: &Connection<ConnectionId>, bytes_max: usize) {
    let waiting = connection.queue_bytes();
    assert!(waiting <= bytes_max, "{waiting} bytes wait");
}

async fn act(connection: Connection<ConnectionId>, event: Event) -> Option<Reply> {
    let (args, attachments) = (event.args_json(), event.attachments());
    match event.name() {
        "silent" => return None,
        "slow" => tokio::time::sleep(SLOW).await,
        "drain" => connection.drained(0).await,
        "leave" => connection.leave("left"),
        "kick" => connection.disconnect("kicked"),
        "close" => connection.close("closed"),
        "flood" => {
            for _ in 0..FLOOD_EVENTS {
                let _ = connection.emit("flood", args);
                expect_bounded(&connection, QUEUE_BYTES_MAX);
            }
        }
        "spare" => {
            let frame = SharedFrame::event_in(connection.namespace(), "spare", args, &[], 0);
            let sent = connection.try_send(frame, SPARE_BYTES_MAX);
            assert!(sent != Ok(true) || connection.queue_bytes() <= SPARE_BYTES_MAX);
        }
        "ask" => {
            let reply = connection.emit_with_ack("question", args, attachments, SLOW).await.ok()?;
            return Some(reply);
        }
        _ => {
            let _ = connection.emit_binary("back", args, attachments);
        }
    }
    Some(Reply { args_json: args.to_owned(), attachments: attachments.to_vec() })
}
