//! Tidings in this process, over a set of two people, for one test.

use std::net::SocketAddr;
use std::time::Duration;

use tempfile::TempDir;
use tidings_server::config::Config;
use tidings_server::lifecycle::{Running, start};

use crate::crowd::{Choice, Crowd, Door, Joining};
use crate::dialect::Dialect;
use crate::engine::Engine;
use crate::measure::{Measured, Rate, Series, measure};
use crate::seed::{ClientIds, Plan};
use crate::world::World;

/// A running server and what was seeded.
pub(super) struct Site {
    pub address: SocketAddr,
    pub world: World,
    pub tokens: Vec<String>,
    _running: Running,
    _dir: TempDir,
}

impl Site {
    pub(super) async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let data_dir = dir.path().join("data");
        Plan::pairs(1).write(&data_dir).unwrap();
        let world = World::read(&data_dir).unwrap();
        let tokens = World::mint_tokens(&data_dir, &world.people).unwrap();
        let listen = "127.0.0.1:0".parse().unwrap();
        let running =
            start(Config { listen, data_dir, rate_limits: false, ..Config::default() }).await.unwrap();
        Self { address: running.local_addr, world, tokens, _running: running, _dir: dir }
    }

    /// A short series of sends through this address, which may be a relay's. By REST on one connection.
    pub(super) fn send_through(
        &self,
        address: SocketAddr,
        door: Door,
        rate: Rate,
        measured: Duration,
    ) -> anyhow::Result<Measured> {
        let mut engine = Engine::new()?;
        let mut crowd = Crowd::new(Dialect::Tidings, address, self.world.clone(), self.tokens.clone());
        crowd.patience = 1_000_000_000;
        crowd.connect_devices(&mut engine, Joining::default())?;
        crowd.expect_everything();
        crowd.connect_posts(&mut engine, 1)?;
        let series = Series {
            door,
            choice: Choice::InTurn,
            client_ids: ClientIds::V7,
            rate,
            warm_up: Duration::ZERO,
            measured,
        };
        measure(&mut engine, &mut crowd, std::process::id(), &series)
    }
}
