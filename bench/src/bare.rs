//! Servers without a database, which do the peer's fan-out and nothing else: what a delivery costs by itself.
//!
//! Three of them speak alike: a client connects with a token, joins rooms with `join`, and sends `message:send` as to
//! Tidings. Everybody in the room gets `message:new`, as long as Tidings' own frame, and the sender an
//! acknowledgement. [`floor`] does it with one `send()` for each frame and nothing between it and the kernel,
//! [`library`] with `tidings-socketio`, and `bench/peers/node/bare.js` with Socket.IO's own server.

mod floor;
mod library;
mod message;

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::Stdio;

use anyhow::Context as _;
use clap::ValueEnum;
use socket2::{Domain, Socket, Type};

use crate::cpu;
use crate::crowd::Crowd;
use crate::dialect::Dialect;
use crate::engine::Engine;
use crate::server::{Server, command};
use crate::stage::{Bench, Cores, Stage};
use crate::world::World;

/// As the product's: connects of a storm come all at once.
const BACKLOG: i32 = 4096;

/// What this binary itself can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Own {
    Floor,
    Library,
}

/// A server without a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bare {
    Own(Own),
    Node,
}

pub(crate) const FLOOR: Bare = Bare::Own(Own::Floor);
pub(crate) const LIBRARY: Bare = Bare::Own(Own::Library);

impl Own {
    /// Is this server, on a free port which it says first, until the process ends.
    pub(crate) fn serve(self) -> anyhow::Result<()> {
        // As the product.
        let _ = rustix::thread::disable_transparent_huge_pages(true);
        let listener = listen()?;
        println!("Open http://{}", listener.local_addr()?);
        self.serve_on(listener)
    }

    /// The same where somebody listens already, without blocking.
    pub(crate) fn serve_on(self, listener: TcpListener) -> anyhow::Result<()> {
        match self {
            Self::Floor => floor::serve(&listener),
            Self::Library => library::serve(listener),
        }
    }
}

impl Bare {
    /// How its lines in the table begin.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Own(Own::Floor) => "the floor",
            Self::Own(Own::Library) => "the library alone",
            Self::Node => "Socket.IO on Node alone",
        }
    }

    /// Starts it with nobody online; nothing where it is Node's and that takes no part in this run.
    pub(crate) fn start(self, bench: &Bench, world: World) -> anyhow::Result<Option<Stage>> {
        cpu::pin_self(None);
        let core = Cores::Apart.of_server();
        let mut command = match (self, &bench.peer) {
            (Self::Own(own), _) => {
                let mut command = command(&std::env::current_exe()?, core);
                let value = own.to_possible_value().context("a server without a name")?;
                command.arg("--serve").arg(value.get_name());
                command
            }
            (Self::Node, Some(peer)) => {
                let mut command = command(Path::new("node"), core);
                command.arg(peer.join("bare.js")).env("NODE_ENV", "production");
                command
            }
            (Self::Node, None) => return Ok(None),
        };
        let child =
            command.stdout(Stdio::piped()).spawn().with_context(|| format!("cannot start {self:?}"))?;
        let server = Server::listening(child).with_context(|| format!("{self:?} did not come up"))?;
        Cores::Apart.pin_generator();
        let tokens = (0..world.people.len()).map(|n| format!("token-{n}")).collect();
        let crowd = Crowd::new(Dialect::Bare, server.address, world, tokens);
        Ok(Some(Stage { server, engine: Engine::new()?, crowd }))
    }
}

pub(crate) fn listen() -> anyhow::Result<TcpListener> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}
