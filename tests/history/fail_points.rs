//! R7: the process dies at every step of the way of a message, or the step fails, or it waits there, under load. Which
//! steps there are stands in one list; a step that nobody reaches fails the test.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tidings_core::fail_points::FailPoint;
use tidings_testkit::history::{Plan, Real, Workload};
use tidings_testkit::scale::seeds;

use crate::process::server_process::{Ended, ServerProcess, free_address};

/// Within this time a load reaches every step.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long a load goes on after a step that failed or waited.
const AND_ON: Duration = Duration::from_millis(150);
/// The smallest that there is: checkpoints come under way.
const WAL_BYTES_MAX: &str = "131072";

/// A step that fails and leaves the process alive.
const SURVIVED: [FailPoint; 3] =
    [FailPoint::Beginning, FailPoint::RostersLoading, FailPoint::HeadsCommitting];
/// Where what happens meanwhile might get in between.
const DELAYED: [FailPoint; 6] = [
    FailPoint::Queued,
    FailPoint::Committed,
    FailPoint::Merged,
    FailPoint::Published,
    FailPoint::RostersLoaded,
    FailPoint::TailPushed,
];

/// Which hit of a step. Most come with every send; some with the first one of a process, or now and then.
fn hit(point: FailPoint) -> u64 {
    use FailPoint::*;
    match point {
        OriginalLookedUp | MembershipLookedUp => 3,
        RostersLoading | RostersLoaded | HeadsWritten | HeadsCommitting | HeadsCommitted | HeadsForgotten
        | Backfilling | Backfilled | Checkpointing | Checkpointed => 1,
        _ => 25,
    }
}

struct Stage {
    address: SocketAddr,
    dir: TempDir,
    workload: Workload,
}

impl Stage {
    async fn set(seed: u64) -> Self {
        let (address, dir) = (free_address(), tempfile::tempdir().unwrap());
        let server = ServerProcess::start_at(address, &stage_data(dir.path()));
        let plan = Plan { sends_max: None, ..Plan::small(seed) };
        let messenger = Real::at(&format!("http://{address}"));
        let workload = Workload::begin(Arc::new(messenger), plan).await;
        assert!(server.stop());
        Self { address, dir, workload }
    }

    fn start(&self, fail_point: Option<&str>) -> ServerProcess {
        let mut environment = vec![("TIDINGS_WAL_BYTES_MAX", WAL_BYTES_MAX)];
        environment.extend(fail_point.map(|fail_point| ("FAIL_POINT", fail_point)));
        let data = stage_data(self.dir.path());
        tokio::task::block_in_place(|| {
            ServerProcess::start_with(self.address, &data, &environment, Some(&self.told()))
        })
    }

    fn told(&self) -> PathBuf {
        self.dir.path().join("stderr")
    }

    /// Under load until the process has died there; then it begins anew, and what clients saw is compared.
    async fn die_at(&mut self, point: FailPoint, action: &str) -> Ended {
        let server = self.start(Some(&format!("{}:{}:{action}", point.name(), hit(point))));
        let load = self.workload.load();
        let ended = tokio::task::block_in_place(|| server.wait_for_end(PATIENCE));
        let ended = ended.unwrap_or_else(|| panic!("nobody reached {}", point.name()));
        self.assert_told_of(point);
        let server = self.start(None);
        let restarted = Instant::now();
        load.stop();
        load.done().await;
        self.settle(restarted, &format!("{} {action}", point.name())).await;
        assert!(server.stop(), "it still ends in order");
        ended
    }

    /// Under load past a step at which something fails or waits.
    async fn live_through(&mut self, point: FailPoint, action: &str) {
        let server = self.start(Some(&format!("{}:{}:{action}", point.name(), hit(point))));
        let load = self.workload.load();
        let begun = Instant::now();
        while !self.is_told_of(point) {
            assert!(begun.elapsed() < PATIENCE, "nobody reached {}", point.name());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        tokio::time::sleep(AND_ON).await;
        load.stop();
        load.done().await;
        self.settle(Instant::now(), &format!("{} {action}", point.name())).await;
        assert!(server.stop(), "it lives");
    }

    async fn settle(&mut self, since: Instant, what: &str) {
        self.workload.settle(since).await;
        assert!(self.workload.report().is_clean(), "{what}: {}", self.workload.report());
    }

    fn is_told_of(&self, point: FailPoint) -> bool {
        let told = std::fs::read_to_string(self.told()).unwrap_or_default();
        told.lines().any(|line| line == format!("fail point {} reached", point.name()))
    }

    fn assert_told_of(&self, point: FailPoint) {
        assert!(self.is_told_of(point), "it died, and not at {}", point.name());
    }
}

fn stage_data(dir: &Path) -> PathBuf {
    dir.join("data")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r7_dying_failing_and_waiting_at_every_step_breaks_no_promise() {
    for seed in seeds("TIDINGS_R7_SEEDS", 1) {
        die_at_every_step(seed).await;
    }
}

async fn die_at_every_step(seed: u64) {
    let mut stage = Stage::set(seed).await;
    let mut reached = BTreeSet::new();
    for point in FailPoint::ALL {
        let ended = stage.die_at(*point, "abort").await;
        assert_eq!(ended, Ended::Aborted);
        reached.insert(*point);
    }
    // What a failed fsync is: nothing can be known any more, and the process ends by itself.
    assert_eq!(stage.die_at(FailPoint::Committing, "fail").await, Ended::Aborted);
    for point in SURVIVED {
        stage.live_through(point, "fail").await;
    }
    for point in DELAYED {
        stage.live_through(point, "delay").await;
    }
    let server = stage.start(None);
    let report = stage.workload.finish().await;
    println!(
        "R7: died at {} steps, {} failed, {} waited: {report}",
        reached.len(),
        SURVIVED.len() + 1,
        DELAYED.len()
    );
    report.assert_clean();
    assert!(reached.iter().eq(FailPoint::ALL), "every step was reached");
    assert!(server.stop());
}

/// A step that stands in the list and nowhere else would never be reached; one that stands twice is two steps.
#[test]
fn r7_every_step_of_the_list_stands_where_it_says_once() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut source = String::new();
    for name in ["core", "store-sqlite", "gateway", "socketio", "server"] {
        read_below(&crates.join(format!("tidings-{name}/src")), &mut source);
    }
    for point in FailPoint::ALL {
        let calls = ["reached", "fails"].map(|call| format!("{call}(FailPoint::{})", point.name()));
        let count: usize = calls.iter().map(|call| source.matches(call).count()).sum();
        assert_eq!(count, 1, "{}", point.name());
    }
}

fn read_below(dir: &Path, source: &mut String) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read_below(&path, source);
        } else if !path.ends_with("fail_points.rs") {
            source.push_str(&std::fs::read_to_string(&path).unwrap());
        }
    }
}
