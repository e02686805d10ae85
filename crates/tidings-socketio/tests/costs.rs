//! What a connection and a delivery cost, counted: allocations, bytes of heap, writes. One test, because the allocator
//! counts for the whole process; its clients are plain sockets, which have nothing on the heap.

#![expect(clippy::unwrap_used, reason = "clippy takes the helpers of a test for no test")]

use std::alloc::System;
use std::convert::Infallible;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use tidings_socketio::codec::{mask, websocket};
use tidings_socketio::{
    CloseReason, Config, ConnectError, Connection, Event, Handler, Handshake, Reply, Server, SharedFrame,
};
use tokio::net::TcpListener;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const CONNECTIONS: usize = 200;
/// Of a connection that has nothing to do, everything included: its task, its timer, the runtime's part of its socket.
const IDLE_BYTES_MAX: usize = 1_800;
const FRAMES_AT_ONCE: usize = 16;

#[derive(Default)]
struct Room(Mutex<Vec<Connection<()>>>);

impl Handler for Room {
    type State = ();

    fn connect(&self, _: Handshake) -> BoxFuture<'static, Result<(), ConnectError>> {
        async { Ok(()) }.boxed()
    }

    fn connected(&self, connection: &Connection<()>) -> BoxFuture<'static, ()> {
        self.0.lock().unwrap().push(connection.clone());
        async {}.boxed()
    }

    fn event(&self, _: &Connection<()>, _: Event) -> BoxFuture<'static, Option<Reply>> {
        async { None }.boxed()
    }

    fn disconnected(&self, _: &Connection<()>, _: CloseReason) {}
}

async fn listen(server: Server) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, remote_addr)) = listener.accept().await {
            let server = server.clone();
            let service = service_fn(move |request| {
                let server = server.clone();
                async move { Ok::<_, Infallible>(server.handle(request, remote_addr).await) }
            });
            tokio::spawn(
                http1::Builder::new().serve_connection(TokioIo::new(stream), service).with_upgrades(),
            );
        }
    });
    address
}

/// A client that has joined, on a thread that may wait.
fn join(address: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    let request = "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: chat.example\r\nConnection: Upgrade\r\n\
        Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
        User-Agent: a browser with a name of its own\r\nAccept-Language: de,en\r\nOrigin: https://chat.example\r\n\r\n";
    stream.write_all(request.as_bytes()).unwrap();
    read_until(&mut stream, b"\"maxPayload\":262144}");
    let key = [1, 2, 3, 4];
    let (mut frame, header_bytes) = websocket::encode(websocket::Opcode::Text, b"40");
    frame[1] |= 0x80;
    mask::apply(&mut frame[header_bytes..], key, 0);
    frame.splice(header_bytes..header_bytes, key);
    stream.write_all(&frame).unwrap();
    read_until(&mut stream, b"\"}");
    stream
}

fn read_until(stream: &mut TcpStream, end: &[u8]) {
    let mut seen = Vec::new();
    while !seen.ends_with(end) {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        seen.push(byte[0]);
    }
}

/// Waits until everything is written.
async fn settled(connections: &[Connection<()>]) {
    for connection in connections {
        connection.drained(0).await;
    }
    // What the tasks still do for themselves.
    tokio::time::sleep(Duration::from_millis(200)).await;
}

#[tokio::test]
async fn connections_and_deliveries_cost_what_they_should() {
    let room = Arc::new(Room::default());
    let server = Server::new(Config::default(), Arc::clone(&room));
    let address = listen(server.clone()).await;
    let join_all = |count| async move {
        let join = move || (0..count).map(|_| join(address)).collect::<Vec<_>>();
        tokio::task::spawn_blocking(join).await.unwrap()
    };
    // What grows only once.
    let warm = join_all(CONNECTIONS).await;
    drop(warm);
    while server.connection_count() > 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    room.0.lock().unwrap().clear();

    let region = Region::new(ALLOCATOR);
    let clients = join_all(CONNECTIONS).await;
    let connections = room.0.lock().unwrap().clone();
    settled(&connections).await;
    let change = region.change();
    let idle_bytes = (change.bytes_allocated - change.bytes_deallocated) / CONNECTIONS;
    println!(
        "an idle connection has {idle_bytes} bytes of heap, and took {} allocations",
        change.allocations / CONNECTIONS
    );
    assert!(idle_bytes < IDLE_BYTES_MAX, "{idle_bytes}");

    // Once to make room in the queues, once to count.
    let frame = SharedFrame::event("message:new", "{\"content\":\"hello\"}", 1);
    for is_counted in [false, true] {
        let (region, before) = (Region::new(ALLOCATOR), server.stats());
        for _ in 0..FRAMES_AT_ONCE {
            for connection in &connections {
                connection.send(frame.clone()).unwrap();
            }
        }
        for connection in &connections {
            connection.drained(0).await;
        }
        let (change, after) = (region.change(), server.stats());
        let frames = after.frames_written - before.frames_written;
        assert_eq!(frames, (CONNECTIONS * FRAMES_AT_ONCE) as u64);
        if is_counted {
            let writes = after.writes - before.writes;
            println!("{frames} deliveries took {} allocations and {writes} writes", change.allocations);
            assert_eq!(change.allocations, 0, "a delivery allocates nothing");
            assert_eq!(writes, CONNECTIONS as u64, "what is queued goes out at once");
        }
    }
    drop(clients);
}
