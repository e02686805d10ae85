//! The peer: the pipeline of the requirements on Node, with its own PostgreSQL and Redis in throw-away directories. Its
//! README is in `bench/peers/node`. PostgreSQL keeps `fsync` and `synchronous_commit` on.

mod backends;

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use tempfile::TempDir;
use tidings_core::ids::{IdSource as _, SystemIds};

use crate::cpu;
use crate::crowd::Crowd;
use crate::dialect::Dialect;
use crate::engine::Engine;
use crate::seed::Plan;
use crate::server::{Server, command};
use crate::stage::{Bench, Cores, Stage};
use crate::world::World;

use backends::Backends;

/// How long a process of the peer may take until it listens.
const START_MAX: Duration = Duration::from_secs(20);
/// Free ports are looked for from here on: below the ephemeral ones, which would come and go.
const PORTS: std::ops::Range<u16> = 21_000..31_000;

/// The running peer. Fields end in this order: the server before what it needs.
pub(crate) struct Peer {
    pub stage: Stage,
    _backends: Backends,
    _dir: TempDir,
}

impl Peer {
    /// The peer with everybody online, if it takes part in this run.
    pub(crate) fn start_if_wanted(bench: &Bench, plan: &Plan) -> anyhow::Result<Option<Self>> {
        let mut peer = Self::start_if_wanted_without_devices(bench, plan)?;
        if let Some(peer) = &mut peer {
            peer.stage.come_online()?;
        }
        Ok(peer)
    }

    /// The peer with nobody online.
    pub(crate) fn start_if_wanted_without_devices(
        bench: &Bench,
        plan: &Plan,
    ) -> anyhow::Result<Option<Self>> {
        bench.peer.as_deref().map(|program| Self::start(bench, program, plan)).transpose()
    }

    fn start(bench: &Bench, program: &Path, plan: &Plan) -> anyhow::Result<Self> {
        cpu::pin_self(None);
        ensure!(
            program.join("node_modules").is_dir(),
            "the peer's packages are missing: npm ci in {}",
            program.display()
        );
        let dir = tempfile::tempdir_in(&bench.root)?;
        let backends = Backends::start(dir.path(), &program.join("schema.sql"))?;
        let port = free_port()?;
        let child = command(Path::new("node"), Cores::Apart.of_server())
            .arg(program.join("server.js"))
            .env("NODE_ENV", "production")
            .env("PORT", port.to_string())
            .env("PGURL", backends.postgres_url())
            .env("REDIS_URL", backends.redis_url())
            .stdout(Stdio::null())
            .spawn()
            .context("cannot start node")?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let server = Server::of(child, address);
        wait_for(address)?;
        let tokens = tokens(program, plan.people)?;
        Cores::Apart.pin_generator();
        let crowd = Crowd::new(Dialect::Node, address, World::planned(plan), tokens);
        let stage = Stage { server, engine: Engine::new()?, crowd };
        Ok(Self { stage, _backends: backends, _dir: dir })
    }
}

fn tokens(program: &Path, count: u32) -> anyhow::Result<Vec<String>> {
    let made = Command::new("node").arg(program.join("mktokens.js")).arg(count.to_string()).output()?;
    ensure!(made.status.success(), "the peer's tokens: {}", String::from_utf8_lossy(&made.stderr));
    Ok(String::from_utf8(made.stdout)?.lines().map(str::to_owned).collect())
}

/// A port that nobody listens on.
fn free_port() -> anyhow::Result<u16> {
    let mut offset = [0; 2];
    SystemIds.fill(&mut offset);
    let from = usize::from(u16::from_be_bytes(offset)) % PORTS.len();
    let mut ports = PORTS.cycle().skip(from).take(PORTS.len());
    ports.find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok()).context("no free port")
}

/// Waits until somebody listens.
fn wait_for(address: SocketAddr) -> anyhow::Result<()> {
    let begun = Instant::now();
    while std::net::TcpStream::connect(address).is_err() {
        if begun.elapsed() > START_MAX {
            bail!("nobody listens on {address}");
        }
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}
