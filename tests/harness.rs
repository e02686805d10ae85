//! A server for one test: on a free port, in a directory of its own, with a clock that the test moves.

mod population;
mod tunnel;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use tempfile::TempDir;
use tidings_core::accounts::Passwords;
use tidings_core::clock::{Clock as _, ManualClock, SystemClock};
use tidings_server::config::Config;
use tidings_server::lifecycle::{Running, World, start_in};
use tidings_server::stats::Stats;
use tidings_testkit::actors::{Api, Person};
use tidings_testkit::disk::FaultyDisk;

pub use tunnel::Tunnel;

const ANY_PORT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// A server in this process. The directory goes with it.
pub struct TestServer {
    /// Where it is.
    pub api: Api,
    /// Its clock: stands still until moved.
    pub clock: Arc<ManualClock>,
    config: Config,
    dir: TempDir,
    running: Option<Running>,
    disk: Option<FaultyDisk>,
}

impl TestServer {
    pub async fn start() -> Self {
        Self::with_limits(&[]).await
    }

    pub async fn with_limits(changed: &[(&str, usize)]) -> Self {
        Self::start_with(changed, None, false).await
    }

    /// A server whose disk does what the test says. When its store cannot go on, the process stays for the test.
    pub async fn on_disk(disk: &FaultyDisk) -> Self {
        Self::start_with(&[], Some(disk.clone()), false).await
    }

    /// A server that has people already, `name0`, `name1`, …, and their ids. Who has something to do logs in.
    pub async fn with_people(name: &str, count: usize, changed: &[(&str, usize)]) -> (Self, Vec<String>) {
        let mut server = Self::with_limits(changed).await;
        server.stop().await;
        let names: Vec<String> = (0..count).map(|n| format!("{name}{n}")).collect();
        let ids = population::populate(server.dir.path(), &names).await;
        server.restart().await;
        (server, ids)
    }

    /// A server that counts how often people do something; the others let them.
    pub async fn that_counts(changed: &[(&str, usize)]) -> Self {
        Self::start_with(changed, None, true).await
    }

    /// The same, on a disk that does what the test says.
    pub async fn that_counts_on_disk(changed: &[(&str, usize)], disk: &FaultyDisk) -> Self {
        Self::start_with(changed, Some(disk.clone()), true).await
    }

    /// A server of which the configuration says something else than that of the others.
    pub async fn configured(change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config { listen: ANY_PORT, rate_limits: false, ..Config::default() };
        change(&mut config);
        Self::start_as(config, None).await
    }

    async fn start_with(changed: &[(&str, usize)], disk: Option<FaultyDisk>, rate_limits: bool) -> Self {
        let mut config = Config { listen: ANY_PORT, rate_limits, ..Config::default() };
        for (name, value) in changed {
            config.limits.set(name, *value).expect("a limit");
        }
        Self::start_as(config, disk).await
    }

    async fn start_as(mut config: Config, disk: Option<FaultyDisk>) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        dir.path().clone_into(&mut config.data_dir);
        let clock = Arc::new(ManualClock::starting_at(SystemClock.now()));
        let running = run(config.clone(), &clock, disk.as_ref()).await;
        Self { api: api_of(&running), clock, config, dir, running: Some(running), disk }
    }

    /// Stops the server and starts it again over the same directory, at another address.
    pub async fn restart(&mut self) {
        self.stop().await;
        let running = self.run_at(ANY_PORT).await;
        self.api = api_of(&running);
        self.running = Some(running);
    }

    /// Stops the server and starts it again over the same directory at the same address, as a process that was
    /// restarted.
    pub async fn restart_there(&mut self) {
        let Some(running) = self.running.take() else { return };
        let listen = running.local_addr;
        running.shutdown().await;
        self.running = Some(self.run_at(listen).await);
    }

    async fn run_at(&self, listen: SocketAddr) -> Running {
        run(Config { listen, ..self.config.clone() }, &self.clock, self.disk.as_ref()).await
    }

    /// Stops the server and starts it again over data of another epoch, as after a restored backup.
    pub async fn restart_with_new_epoch(&mut self) {
        self.stop().await;
        let database = rusqlite::Connection::open(self.dir.path().join("tidings.db")).expect("the database");
        let changed = database.execute("UPDATE meta SET value = randomblob(16) WHERE key = 'epoch'", []);
        assert_eq!(changed, Ok(1));
        drop(database);
        self.restart().await;
    }

    async fn stop(&mut self) {
        if let Some(running) = self.running.take() {
            running.shutdown().await;
        }
    }

    /// What the server has counted since it was started.
    pub fn stats(&self) -> Stats {
        self.running.as_ref().expect("a server that runs").stats()
    }

    /// The same person, at the address after a restart.
    pub fn moved(&self, person: &Person) -> Person {
        Person { api: self.api.clone(), ..person.clone() }
    }

    pub async fn user(&self, name: &str) -> Person {
        Person::register(&self.api, name).await
    }

    pub async fn users<const N: usize>(&self, names: [&str; N]) -> [Person; N] {
        let people = futures_util::future::join_all(names.map(|name| self.user(name))).await;
        people.try_into().unwrap_or_else(|_| unreachable!("as many people as names"))
    }
}

async fn run(config: Config, clock: &Arc<ManualClock>, disk: Option<&FaultyDisk>) -> Running {
    let world = World {
        clock: Arc::clone(clock) as _,
        passwords: Passwords::quick(),
        vfs: disk.map(|disk| disk.vfs_name().to_owned()),
        on_fatal: Arc::new(|reason| println!("the process would end here: {reason}")),
        ..World::default()
    };
    start_in(config, world).await.expect("a server")
}

fn api_of(running: &Running) -> Api {
    Api::new(format!("http://{}", running.local_addr))
}
