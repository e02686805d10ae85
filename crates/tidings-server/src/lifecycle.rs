//! From start to stop: bind, open, serve; then take nobody new, finish what is in flight, close the store.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tidings_core::accounts::Passwords;
use tidings_core::clock::{Clock, SystemClock};
use tidings_core::ids::{IdSource, SystemIds};
use tidings_gateway::http;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::config::Config;
use crate::stats::Stats;
use crate::wiring::{self, Node};

/// How long requests in flight and sockets may take to finish; orchestrators kill after 30 s.
const DRAIN: Duration = Duration::from_secs(20);

/// What a server takes from outside beside its configuration. Tests bring their own.
pub struct World {
    /// The present.
    pub clock: Arc<dyn Clock>,
    /// New ids.
    pub ids: Arc<dyn IdSource>,
    /// Hashes passwords; tests take [`Passwords::quick`].
    pub passwords: Passwords,
    /// The name of a registered SQLite VFS.
    pub vfs: Option<String>,
    /// What happens when the store cannot go on. The process ends, unless a test wants to look.
    pub on_fatal: Arc<dyn Fn(&str) + Send + Sync>,
}

impl Default for World {
    fn default() -> Self {
        Self {
            clock: Arc::new(SystemClock),
            ids: Arc::new(SystemIds),
            passwords: Passwords::new(),
            vfs: None,
            on_fatal: Arc::new(wiring::abort),
        }
    }
}

/// A server that serves.
pub struct Running {
    /// Where it listens.
    pub local_addr: SocketAddr,
    data_dir: PathBuf,
    drain: watch::Sender<bool>,
    serving: JoinHandle<usize>,
    node: Node,
}

/// Starts a server in this process.
///
/// # Errors
/// The address is taken, or the data directory cannot be used; the error says what to do.
pub async fn start(config: Config) -> anyhow::Result<Running> {
    start_in(config, World::default()).await
}

/// Starts a server that takes time, ids and the disk from `world`.
///
/// # Errors
/// As [`start`].
pub async fn start_in(config: Config, world: World) -> anyhow::Result<Running> {
    // First the address: a second server started by mistake stops here and touches nothing.
    let listener =
        http::bind(config.listen).with_context(|| format!("cannot listen on {}", config.listen))?;
    let local_addr = listener.local_addr()?;
    let node = wiring::open(&config, world).await?;
    let (drain, draining) = watch::channel(false);
    let serving =
        tokio::spawn(http::serve(listener, node.tls.clone(), Arc::clone(&node.gateway), draining, DRAIN));
    Ok(Running { local_addr, data_dir: config.data_dir, drain, serving, node })
}

impl Running {
    /// What to open and what to try next, for whoever has just started it.
    #[must_use]
    pub fn greeting(&self) -> String {
        let mut at = self.local_addr;
        if at.ip().is_unspecified() {
            at.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
        }
        let scheme = if self.node.tls.is_some() { "https" } else { "http" };
        let (version, data) = (env!("CARGO_PKG_VERSION"), self.data_dir.display());
        format!(
            "Tidings {version} is up.\n\n\
             \x20 Open   {scheme}://{at}/\n\
             \x20 Data   {data}\n\
             \x20 Tour   README.md, \"Five minutes\"\n\n\
             Try:\n\n\
             \x20 curl -s {scheme}://{at}/api/auth/register -H 'content-type: application/json' \\\n\
             \x20   -d '{{\"username\":\"alice\",\"password\":\"correct horse\"}}'\n\n\
             Ctrl-C stops it; what it has acknowledged stays.\n"
        )
    }

    /// What the node has counted since it was started.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let Node { store, delivery, hub, signals, .. } = &self.node;
        let watched = signals.watched();
        Stats { store: store.stats(), delivery: delivery.stats(), hub: hub.stats(), watched }
    }

    /// Returns when something ended that never should: the server cannot go on.
    pub async fn failed(&mut self) -> anyhow::Error {
        tokio::select! {
            ended = &mut self.serving => anyhow::anyhow!("the accept loop ended: {ended:?}"),
            ended = self.node.tasks.join_next() => anyhow::anyhow!("a task of the node ended: {ended:?}"),
        }
    }

    /// Takes nobody new, lets requests and sockets finish, closes the store.
    pub async fn shutdown(self) {
        let Self { drain, serving, node, .. } = self;
        let Node { gateway, store, signals, mut tasks, .. } = node;
        // Fails only where the accept loop is gone already.
        let _ = drain.send(true);
        let (late_requests, late_sockets) = tokio::join!(serving, gateway.sockets().shutdown(DRAIN));
        let late_requests = late_requests.unwrap_or_default();
        if late_requests + late_sockets > 0 {
            tracing::warn!(late_requests, late_sockets, "cut off what had not finished");
        }
        // Last, because it is what the sockets were still being told by.
        tasks.shutdown().await;
        signals.settle().await;
        drop(signals);
        drop(gateway);
        if tokio::task::spawn_blocking(move || store.close()).await.is_err() {
            tracing::error!("the store did not close; it begins from its log at the next start");
        }
        tracing::info!("stopped");
    }
}
