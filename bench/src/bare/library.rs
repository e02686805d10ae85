//! The same on `tidings-socketio`, as an application would use it: a list of connections for each room, one shared
//! frame for each event.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use anyhow::Context as _;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use parking_lot::Mutex;
use tidings_socketio::{
    Accepted, CloseReason, Config, ConnectError, Connection, Event, Handler, Handshake, Reply, Server,
    SharedFrame,
};

use tokio::net::TcpStream;

use super::message::Sent;

/// The rooms of this server.
#[derive(Default)]
struct FanOut {
    rooms: Mutex<HashMap<String, Room>>,
}

#[derive(Default)]
struct Room {
    members: Vec<Connection<Joined>>,
    seq: u64,
}

/// The rooms that a connection has joined.
type Joined = Mutex<Vec<String>>;

impl Handler for FanOut {
    type State = Joined;

    fn connect(&self, handshake: Handshake) -> BoxFuture<'static, Result<Joined, ConnectError>> {
        let has_token = handshake.auth.is_some_and(|auth| auth.get().contains("\"token\":\"token-"));
        async move { if has_token { Ok(Joined::default()) } else { Err(ConnectError::new("unauthorized")) } }
            .boxed()
    }

    fn connected(&self, _: &Connection<Joined>) -> BoxFuture<'static, ()> {
        async {}.boxed()
    }

    fn event(&self, connection: &Connection<Joined>, event: Event) -> BoxFuture<'static, Option<Reply>> {
        let reply = match event.name() {
            "join" => self.join(connection, &event),
            "message:send" => self.send(&event),
            _ => None,
        };
        async move { reply.map(Reply::from) }.boxed()
    }

    fn disconnected(&self, connection: &Connection<Joined>, _: CloseReason) {
        let mut rooms = self.rooms.lock();
        for name in connection.state().lock().drain(..) {
            if let Some(room) = rooms.get_mut(&name) {
                room.members.retain(|member| member.id() != connection.id());
            }
        }
    }
}

impl FanOut {
    fn join(&self, connection: &Connection<Joined>, event: &Event) -> Option<String> {
        let name: String = event.parse_first().ok()?;
        connection.state().lock().push(name.clone());
        self.rooms.lock().entry(name).or_default().members.push(connection.clone());
        Some("\"ok\"".to_owned())
    }

    /// One frame for everybody.
    fn send(&self, event: &Event) -> Option<String> {
        let sent = Sent::read(event.first_json()?.as_bytes())?;
        let (mut args, mut ack) = (String::new(), String::new());
        let mut rooms = self.rooms.lock();
        let room = rooms.get_mut(sent.conversation_id)?;
        room.seq += 1;
        sent.write_args(&mut args, room.seq);
        let frame = SharedFrame::event("message:new", &args, room.seq);
        for member in &room.members {
            // Who cannot follow is closed by the library, and leaves when it has ended.
            let _ = member.send(frame.clone());
        }
        sent.write_ack(&mut ack, room.seq);
        Some(ack)
    }
}

/// Serves until the process ends, on a runtime like the product's.
pub(super) fn serve(listener: TcpListener) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        // On a worker, as the product accepts: not on the thread that waits here.
        tokio::spawn(accept(listener)).await.context("accepting has ended")?
    })
}

async fn accept(listener: TcpListener) -> anyhow::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let server = Server::new(Config::default(), Arc::new(FanOut::default()));
    loop {
        let (stream, remote_addr) = listener.accept().await.context("cannot accept")?;
        stream.set_nodelay(true)?;
        tokio::spawn(serve_connection(stream, remote_addr, server.clone()));
    }
}

async fn serve_connection(stream: TcpStream, remote_addr: SocketAddr, server: Server) {
    let Accepted::Http(stream) = server.accept(stream, remote_addr, |_| true, String::new).await else {
        return;
    };
    let service = service_fn(move |request| {
        let server = server.clone();
        async move { Ok::<_, Infallible>(server.handle(request, remote_addr).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    // A connection that breaks is its client's affair.
    let _ = Box::pin(connection).await;
}
