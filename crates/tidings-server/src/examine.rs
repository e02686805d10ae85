//! The state of a node in detail, and the metrics of its parts.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ipnet::IpNet;
use tidings_core::delivery::Delivery;
use tidings_core::ports::store::EventStore as _;
use tidings_gateway::hub::Hub;
use tidings_gateway::operations::{Operations, Page};
use tidings_protocol::server::{DeliveryHealth, DetailedHealth, DiskHealth, StoreHealth};
use tidings_store_sqlite::SqliteStore;

/// A store that has not been read by then is not well.
const READ_TIMEOUT: Duration = Duration::from_secs(2);
/// Events that delivery may be behind, as a busy node is for a moment.
const LAG_MAX: u64 = 1_000;
/// What must be free of a disk: the smaller of so much
const FREE_BYTES: u64 = 1 << 30;
/// and such a part of it.
const FREE_PART: u64 = 20;

/// Looks at the parts of a node.
#[derive(Clone)]
pub(crate) struct Examiner {
    pub data_dir: PathBuf,
    pub store: Arc<SqliteStore>,
    pub delivery: Arc<Delivery>,
    pub hub: Arc<Hub>,
    pub started: Instant,
}

impl Examiner {
    pub(crate) fn operations(self, allow: Vec<IpNet>, trusted_proxies: Vec<IpNet>) -> Operations {
        let examiner = self.clone();
        Operations {
            allow,
            trusted_proxies,
            collect: Box::new(move |page| self.collect(page)),
            examine: Box::new(move || Box::pin(examiner.clone().examine())),
        }
    }

    async fn examine(self) -> DetailedHealth {
        let begun = Instant::now();
        let read = tokio::time::timeout(READ_TIMEOUT, self.store.log_bounds()).await;
        let read_micros = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
        let end = read.as_ref().ok().and_then(|bounds| bounds.as_ref().ok()).map(|(end, _)| end.0);
        let store = StoreHealth {
            status: word(end.is_some()),
            kind: "sqlite".to_owned(),
            read_micros,
            writer_queue: self.store.queued() as u64,
        };
        let lag_events = end.unwrap_or_default().saturating_sub(self.delivery.watermark().0);
        let delivery = DeliveryHealth { status: word(lag_events <= LAG_MAX), lag_events };
        let disk = disk(&self.data_dir);
        let is_well =
            [&store.status, &delivery.status, &disk.status].iter().all(|status| **status == word(true));
        DetailedHealth {
            status: word(is_well),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            uptime_seconds: self.started.elapsed().as_secs(),
            connections: self.hub.connection_count() as u64,
            store,
            disk,
            delivery,
        }
    }

    fn collect(&self, page: &mut Page) {
        let store = self.store.stats();
        page.value("tidings_messages_accepted_total", &[], store.messages);
        page.value("tidings_events_committed_total", &[], store.events);
        page.value("tidings_commits_total", &[], store.commits);
        page.histogram("tidings_commit_batch_requests", &[], &self.store.batch_sizes(), 1);
        page.histogram("tidings_commit_seconds", &[], &self.store.commit_latencies(), 1_000_000);
        page.value("tidings_writer_queue_requests", &[], self.store.queued() as u64);
        for (kind, count) in [
            ("overloaded", store.overloads),
            ("read_overloaded", store.read_overloads),
            ("disk_full", store.disk_fulls),
            ("failed", store.failures),
            ("outcome_unknown", store.unknowns),
        ] {
            page.value("tidings_store_errors_total", &[("kind", kind)], count);
        }
        let end = self.store.log_end().0;
        page.value("tidings_tail_lag_events", &[], end.saturating_sub(self.delivery.watermark().0));
        page.value("tidings_disk_free_bytes", &[], disk(&self.data_dir).free_bytes);
        page.value("tidings_process_resident_bytes", &[], resident_bytes());
    }
}

fn word(is_well: bool) -> String {
    if is_well { "ok" } else { "failing" }.to_owned()
}

fn disk(data_dir: &Path) -> DiskHealth {
    let (free_bytes, total_bytes) = rustix::fs::statvfs(data_dir)
        .map_or((0, 0), |disk| (disk.f_bavail * disk.f_frsize, disk.f_blocks * disk.f_frsize));
    let is_well = free_bytes >= FREE_BYTES.min(total_bytes / FREE_PART) && total_bytes > 0;
    DiskHealth { status: word(is_well), free_bytes, total_bytes }
}

/// As Linux says; 0 elsewhere.
fn resident_bytes() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let resident = pages.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or_default();
    resident * rustix::param::page_size() as u64
}
