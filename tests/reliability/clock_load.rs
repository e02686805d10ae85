//! R20 under load, with the checker: the injected clock, and a process whose clock is faked. Nothing that is said of
//! time may touch what stands, in which order, and who is shown it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tidings_core::clock::{Clock as _, SystemClock};
use tidings_testkit::actors::{Api, Person};
use tidings_testkit::history::{Load, Plan, Real, Report, Workload};
use tidings_testkit::scale::{scale, seeds};
use uuid::Uuid;

use crate::harness::TestServer;
use crate::process::server_process::{ServerProcess, free_address};

const HOUR: i64 = 3_600;
/// There and back, and beyond on the other side.
const JUMPS: [i64; 4] = [HOUR, -2 * HOUR, HOUR, -HOUR];
/// The load goes on for so long between two jumps.
const BETWEEN: Duration = Duration::from_millis(200);
/// Of those who look at a faked clock: now and then one sees it unfaked, as the library's threads share the buffer that
/// they read the offset into (libfaketime, pull request 547).
const WITNESSES_MAX: usize = 5;

fn plan(seed: u64) -> Plan {
    Plan { sends_max: None, ..Plan::small(seed) }
}

async fn end(load: Load) {
    load.stop();
    load.done().await;
}

fn assert_kept(what: &str, report: &Report) {
    println!("R20 {what}: {report}");
    report.assert_clean();
    assert!(report.acknowledged > 300 && report.retried > 0, "sends were refused and tried again: {report}");
    assert_eq!(report.gaps, 0, "{report}");
}

/// Jumps between batches, during resumes, around logins; and a restart on the other side of each.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r20_the_injected_clock_jumps_under_load() {
    for seed in seeds("TIDINGS_R20_SEEDS", 2) {
        let mut server = TestServer::start().await;
        let mut workload = Workload::begin(Arc::new(Real::at(&server.api.url)), plan(20 + seed)).await;
        for jump in JUMPS {
            let load = workload.load();
            tokio::time::sleep(BETWEEN).await;
            server.clock.advance_seconds(jump);
            tokio::time::sleep(BETWEEN).await;
            end(load).await;
            workload.settle(Instant::now()).await;

            // And once more over a restart, whose jump nobody was there to see.
            let load = workload.load();
            tokio::time::sleep(BETWEEN).await;
            server.clock.advance_seconds(-jump);
            server.restart_there().await;
            server.clock.advance_seconds(jump);
            tokio::time::sleep(BETWEEN).await;
            end(load).await;
            workload.settle(Instant::now()).await;
        }
        assert_kept(&format!("the injected clock, seed {seed}"), &workload.finish().await);
    }
}

/// A clock that does not know where it is: it jumps all the time, by an hour at the most from where it should be.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r20_a_clock_that_wanders_under_load() {
    let server = TestServer::start().await;
    let plan = Plan { sends_max: Some(60), ..plan(26) };
    let mut workload = Workload::begin(Arc::new(Real::at(&server.api.url)), plan).await;
    let load = workload.load();
    let mut rng = fastrand::Rng::with_seed(scale("TIDINGS_SEED", 1));
    let wander = async {
        let mut off = 0;
        loop {
            let next = rng.i64(-HOUR..=HOUR);
            server.clock.advance_seconds(next - off);
            off = next;
            tokio::time::sleep(Duration::from_millis(rng.u64(1..50))).await;
        }
    };
    tokio::select! {
        () = wander => {}
        () = load.done() => {}
    }
    workload.settle(Instant::now()).await;
    assert_kept("a clock that wanders", &workload.finish().await);
}

/// The real binary, whose clock is moved from outside while it runs, and killed across a jump.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r20_a_process_with_a_skewed_clock_under_load() {
    let mut skewed = Skewed::start();
    let mut workload = Workload::begin(Arc::new(Real::at(&skewed.url())), plan(28)).await;
    let mut off = 0;
    for (n, jump) in JUMPS.into_iter().enumerate() {
        let load = workload.load();
        tokio::time::sleep(BETWEEN).await;
        off += jump;
        skewed.set(off);
        skewed.assert_follows(off, &format!("witness{n}")).await;
        tokio::time::sleep(BETWEEN).await;
        skewed.kill();
        skewed.set(off - jump / 2);
        let restarted = skewed.come_back();
        tokio::time::sleep(BETWEEN).await;
        skewed.set(off);
        tokio::time::sleep(BETWEEN).await;
        end(load).await;
        workload.settle(restarted).await;
    }
    assert_kept("a process with a skewed clock", &workload.finish().await);
    assert!(skewed.server.take().unwrap().stop(), "it still ends in order");
}

/// A server process whose clock stands wrong by what a file says.
struct Skewed {
    server: Option<ServerProcess>,
    address: SocketAddr,
    preload: String,
    dir: TempDir,
}

impl Skewed {
    fn start() -> Self {
        // The wrapper knows where its library is; only the library follows a file.
        let wrapped = Command::new("faketime").args(["-m", "-f", "+0s", "printenv", "LD_PRELOAD"]).output();
        let wrapped = wrapped.expect("faketime is installed: scripts/need.sh faketime");
        let preload = String::from_utf8(wrapped.stdout).unwrap().trim().to_owned();
        let dir = tempfile::tempdir().unwrap();
        let mut skewed = Self { server: None, address: free_address(), preload, dir };
        skewed.set(0);
        skewed.come_back();
        skewed
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    fn offset(&self) -> PathBuf {
        self.dir.path().join("offset")
    }

    /// From the next look at the clock on it is so many seconds off.
    fn set(&self, seconds: i64) {
        let beside = self.dir.path().join("next");
        std::fs::write(&beside, format!("{seconds:+}\n")).unwrap();
        std::fs::rename(beside, self.offset()).unwrap();
    }

    fn kill(&mut self) {
        self.server.take().unwrap().kill();
    }

    fn come_back(&mut self) -> Instant {
        let (offset, data): (PathBuf, &Path) = (self.offset(), &self.dir.path().join("data"));
        let environment = [
            ("LD_PRELOAD", self.preload.as_str()),
            ("FAKETIME_TIMESTAMP_FILE", offset.to_str().unwrap()),
            ("FAKETIME_NO_CACHE", "1"),
            // Timeouts are of the machine's life, and so is the sleep of those who wait.
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
            ("FAKETIME_DONT_RESET", "1"),
        ];
        let address = self.address;
        self.server = Some(tokio::task::block_in_place(|| {
            ServerProcess::start_with(address, data, &environment, None)
        }));
        Instant::now()
    }

    async fn assert_follows(&self, off: i64, name: &str) {
        let mut seen = Vec::new();
        while seen.len() < WITNESSES_MAX {
            seen.push(self.seconds_off(&format!("{name}_{}", seen.len())).await);
            if seen.last().is_some_and(|seen| (seen - off).abs() < 60) {
                return;
            }
        }
        panic!("its clock does not follow: {seen:?} s off instead of {off}");
    }

    /// How far the server's clock is from ours: the id of who registers carries its time.
    async fn seconds_off(&self, name: &str) -> i64 {
        let person = Person::register(&Api::new(self.url()), name).await;
        let id: Uuid = person.id.parse().unwrap();
        let (seconds, _) = id.get_timestamp().unwrap().to_unix();
        i64::try_from(seconds).unwrap() - SystemClock.now().seconds()
    }
}
