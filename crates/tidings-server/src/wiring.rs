//! Which adapters the ports get: the only file that names them.

use std::sync::Arc;
use std::time::Instant;

use anyhow::Context as _;
use tidings_core::delivery::Delivery;
use tidings_core::memory::{InMemoryRates, InProcessLog};
use tidings_core::ports::store::SessionStore as _;
use tidings_core::services::{Parts, Services};
use tidings_core::sessions::{AccessTokens, Revocations};
use tidings_core::signals::Signals;
use tidings_gateway::gateway::{Gateway, Web};
use tidings_gateway::http::Tls;
use tidings_gateway::hub::Hub;
use tidings_gateway::socket::{count_presence, socket_server, tell_signals, watch_expiry, write_last_seen};
use tidings_store_sqlite::{Options, SqliteStore, Upkeep};
use tokio::task::JoinSet;

use crate::certificates;
use crate::config::{Config, Store};
use crate::examine::Examiner;
use crate::keys;
use crate::lifecycle::World;

/// One node, put together and delivering, not yet listening.
pub(crate) struct Node {
    pub gateway: Arc<Gateway>,
    pub tls: Option<Arc<Tls>>,
    pub store: Arc<SqliteStore>,
    pub delivery: Arc<Delivery>,
    pub hub: Arc<Hub>,
    pub signals: Arc<Signals>,
    /// Run until they are aborted; none ever ends by itself.
    pub tasks: JoinSet<()>,
}

/// Puts a node together over the data directory.
pub(crate) async fn open(config: &Config, world: World) -> anyhow::Result<Node> {
    let Store::Sqlite = config.store;
    let tls = config.tls.as_ref().map(certificates::load).transpose()?.map(Arc::new);
    let World { clock, ids, passwords, vfs, on_fatal } = world;
    let log = InProcessLog::new();
    let store = {
        let options = Options {
            data_dir: config.data_dir.clone(),
            vfs,
            readers: readers(),
            upkeep: Upkeep { wal_bytes_max: config.wal_bytes_max, ..Upkeep::default() },
            on_fatal,
            ids: Arc::clone(&ids),
            clock: Arc::clone(&clock),
        };
        let log = Arc::clone(&log);
        Arc::new(tokio::task::spawn_blocking(move || SqliteStore::open(options, log)).await??)
    };
    // After the store, whose lock says that the directory is ours.
    let signing_keys = {
        let data_dir = config.data_dir.clone();
        tokio::task::spawn_blocking(move || keys::load_or_make(&data_dir)).await??
    };
    let access = Arc::new(AccessTokens::new(signing_keys));
    let revocations = Arc::new(Revocations::default());
    let now = clock.now();
    for revocation in store.list_revocations(now).await.context("cannot read the revocations")? {
        revocations.insert(revocation.session, revocation.until, now);
    }
    let hub = Hub::new(Arc::clone(&clock));
    let signals = Signals::new(Arc::clone(&store) as _, Arc::clone(&hub) as _, Arc::clone(&clock))
        .await
        .context("cannot read who would not be seen")?;
    let delivery = Delivery::new(
        Arc::clone(&store) as _,
        Arc::clone(&hub) as _,
        Arc::clone(&revocations),
        Arc::clone(&signals),
        Arc::clone(&clock),
    )
    .await
    .context("cannot read the log")?;
    let services = Arc::new(Services::new(Parts {
        store: Arc::clone(&store) as _,
        clock,
        ids,
        limits: config.limits.clone(),
        revocations,
        delivery: Arc::clone(&delivery),
        signals: Arc::clone(&signals),
        access: Arc::clone(&access),
        passwords,
        rates: config.rate_limits.then(|| Arc::<InMemoryRates>::default() as _),
    }));
    let mut tasks = JoinSet::new();
    tasks.spawn(Arc::clone(&delivery).run(log));
    tasks.spawn(watch_expiry(Arc::clone(&services), Arc::clone(&hub)));
    tasks.spawn(tell_signals(Arc::clone(&signals)));
    tasks.spawn(count_presence(Arc::clone(&signals)));
    tasks.spawn(write_last_seen(Arc::clone(&signals)));
    tasks.spawn(keys::watch(config.data_dir.clone(), Arc::clone(&access)));
    let sockets = Arc::new(socket_server(Arc::clone(&services), Arc::clone(&hub), &config.origins));
    let examiner = Examiner {
        data_dir: config.data_dir.clone(),
        store: Arc::clone(&store),
        delivery: Arc::clone(&delivery),
        hub: Arc::clone(&hub),
        started: Instant::now(),
    };
    let operations = examiner.operations(config.ops_allow.clone(), config.trusted_proxies.clone());
    let web = Web { origins: config.origins.clone(), is_tls: tls.is_some() };
    let gateway = Arc::new(Gateway::new(services, sockets, Arc::clone(&hub), operations, &web));
    if let Some((files, tls)) = config.tls.clone().zip(tls.clone()) {
        tasks.spawn(certificates::watch(files, tls));
    }
    Ok(Node { gateway, tls, store, delivery, hub, signals, tasks })
}

/// Readers block a thread each while they read: as many as there are cores, and a few for the disk's sake.
fn readers() -> usize {
    std::thread::available_parallelism().map_or(4, |cores| cores.get() + 2)
}

/// What has been acknowledged is on the disk; what has not must not be: no destructor runs, nothing is answered.
pub(crate) fn abort(reason: &str) {
    tracing::error!(
        reason,
        "the store cannot go on: the process ends here and begins anew from what is durable"
    );
    std::process::abort();
}
