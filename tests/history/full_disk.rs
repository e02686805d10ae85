//! R3: the disk fills up under load, on a small file system of its own: sends are refused and not stored, reading and
//! delivery go on; with room again sends go on; nothing is lost, doubled or out of order. The second time the process
//! is killed while the disk is full.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use reqwest::Method;
use serde_json::Value;
use tempfile::TempDir;
use tidings_testkit::actors::Person;
use tidings_testkit::history::{Plan, Real, Workload};
use tidings_testkit::scale::seeds;
use uuid::Uuid;

use crate::process::server_process::{ServerProcess, free_address};

/// Refused sends until the disk counts as full.
const REFUSALS: usize = 30;
/// Checkpoints come under way, also on a full disk.
const ENVIRONMENT: [(&str, &str); 1] = [("TIDINGS_WAL_BYTES_MAX", "524288")];

/// A file system of so many megabytes in memory.
struct SmallDisk(TempDir);

impl SmallDisk {
    fn mount(megabytes: u64) -> Self {
        let disk = Self(tempfile::tempdir().unwrap());
        disk.mount_with(&format!("size={megabytes}m"));
        disk
    }

    fn resize(&self, megabytes: u64) {
        self.mount_with(&format!("remount,size={megabytes}m"));
    }

    fn mount_with(&self, options: &str) {
        let told =
            Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(self.0.path()).output();
        let told = told.expect("this test needs the command mount");
        let why = String::from_utf8_lossy(&told.stderr);
        assert!(told.status.success(), "this test needs to mount a tmpfs (root, or CAP_SYS_ADMIN): {why}");
    }

    fn data(&self) -> PathBuf {
        self.0.path().join("data")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a server that a failing test leaves behind is killed a moment later.
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

/// Somebody who sends large messages, each once, and knows what became of it.
struct Filler {
    person: Person,
    chat: String,
    sent: u128,
    stored: Vec<String>,
    refused: Vec<String>,
}

impl Filler {
    /// Sends until the disk is full.
    async fn fill(&mut self) {
        let text = "x".repeat(15 * 1024);
        let mut refusals = 0;
        while refusals < REFUSALS {
            let id = Uuid::from_u128(0x0189_0a5d_ac96_774b_bcce << 48 | self.sent).to_string();
            self.sent += 1;
            let reply = self.person.try_send(&self.chat, &text, &id).await;
            if reply.status.is_success() {
                self.stored.push(id);
            } else {
                reply.assert_problem(507, "storage_full");
                self.refused.push(id);
                refusals += 1;
            }
        }
    }

    /// Asserts that what was stored stands in that order, and nothing that was refused.
    async fn assert_history(&self) {
        let mut ids: Vec<String> = Vec::new();
        loop {
            let page = self.person.history(&self.chat, &format!("?after={}&limit=200", ids.len())).await;
            let messages = page["messages"].as_array().unwrap();
            ids.extend(
                messages.iter().map(|message| message["clientMessageId"].as_str().unwrap().to_owned()),
            );
            if page["hasMoreAfter"] == Value::Bool(false) {
                break;
            }
        }
        let refused: BTreeSet<_> = self.refused.iter().collect();
        assert!(ids.iter().all(|id| !refused.contains(id)), "what was refused is stored");
        assert_eq!(ids, self.stored);
    }
}

/// Starts on the full disk: it serves, or says what is wrong with it and leaves everything as it is.
fn try_start(address: SocketAddr, data: &Path) -> Option<ServerProcess> {
    let told = tempfile::NamedTempFile::new().unwrap();
    let server = ServerProcess::try_start_with(address, data, &ENVIRONMENT, Some(told.path()));
    if server.is_none() {
        let told = std::fs::read_to_string(told.path()).unwrap();
        assert!(told.contains("the disk is full"), "{told}");
    }
    server
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r3_a_disk_that_fills_up_and_has_room_again_breaks_no_promise() {
    for seed in seeds("TIDINGS_R3_SEEDS", 1) {
        fill_up_twice(seed).await;
    }
}

/// As operators see it: the node's and the disk's.
async fn state_of_the_disk(server: &ServerProcess) -> [String; 2] {
    let health = server.api.request(Method::GET, "/health/detailed", None, Value::Null).await.assert_ok(200);
    [&health["status"], &health["disk"]["status"]].map(|status| status.as_str().unwrap().to_owned())
}

async fn fill_up_twice(seed: u64) {
    let disk = SmallDisk::mount(3);
    let (address, data) = (free_address(), disk.data());
    let server = ServerProcess::start_with(address, &data, &ENVIRONMENT, None);
    let person = Person::register(&server.api, "filler").await;
    let other = Person::register(&server.api, "other").await;
    let chat = person.direct_with(&other).await;
    let mut filler = Filler { person, chat, sent: 0, stored: Vec::new(), refused: Vec::new() };
    let plan = Plan { sends_max: None, lanes: 1, ..Plan::small(seed) };
    let messenger = Real::at(&format!("http://{address}"));
    let mut workload = Workload::begin(Arc::new(messenger), plan).await;

    let since = other.connect().await.drop_connection();
    let load = workload.load();
    filler.fill().await;
    assert_eq!(state_of_the_disk(&server).await, ["failing", "failing"]);
    filler.assert_history().await;
    // Delivery goes on: a device comes, is given what it has missed, and is live.
    let mut device = other.resume(&since).await;
    let missed = device.expect_ready().await;
    assert!(missed.iter().any(|event| ["message:new", "skipped"].contains(&&*event.name)), "{missed:?}");
    disk.resize(5);
    load.stop();
    load.done().await;
    workload.settle(Instant::now()).await;
    assert!(workload.report().is_clean(), "with room again: {}", workload.report());
    disk.resize(16);
    assert_eq!(state_of_the_disk(&server).await, ["ok", "ok"]);
    disk.resize(5);
    filler.assert_history().await;
    drop(device);

    let load = workload.load();
    filler.fill().await;
    server.kill();
    let server = tokio::task::block_in_place(|| try_start(address, &data));
    let served = server.is_some();
    if served {
        filler.assert_history().await;
    }
    disk.resize(64);
    let server = tokio::task::block_in_place(|| {
        server.unwrap_or_else(|| ServerProcess::start_with(address, &data, &ENVIRONMENT, None))
    });
    let restarted = Instant::now();
    load.stop();
    load.done().await;
    workload.settle(restarted).await;
    let report = workload.finish().await;
    println!(
        "R3 full disk, {} large sends stored and {} refused, served while full after a kill: {served}: {report}",
        filler.stored.len(),
        filler.refused.len()
    );
    report.assert_clean();
    assert!(report.retried > 0, "there was a load while the disk was full: {report}");
    filler.assert_history().await;
    assert!(server.stop(), "it still ends in order");
}
