//! The workloads that find the faults of the naive design find none here.

use std::sync::Arc;

use tidings_testkit::history::{Plan, Real, Report, Sending, Workload};

use crate::harness::TestServer;
use crate::process::server_process::ServerProcess;

const SEEDS: u64 = 3;

fn assert_kept(what: &str, seed: u64, report: &Report) {
    println!("{what}, seed {seed}: {report}");
    report.assert_clean();
    assert!(report.acknowledged > 300 && report.refused > 0, "{report}");
    assert_eq!((report.repeats, report.gaps), (0, 0), "nothing needless without a fault: {report}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_in_this_process_keeps_the_promise() {
    for (seed, sending) in (0..SEEDS).zip([Sending::Both, Sending::Rest, Sending::Socket]) {
        let server = TestServer::start().await;
        let messenger = Real::at(&server.api.url).sending(sending);
        assert_kept("in process", seed, &Workload::run(Arc::new(messenger), Plan::small(seed)).await);
    }
}

/// Replays of more than a few events are skipped, pages are small: devices load windows all the time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn devices_that_are_skipped_and_reset_are_shown_everything() {
    // After a reset nobody finds a group that they joined and were put out of meanwhile: there only members.
    for (seed, streams_max, visitors) in [(0, 1_000, 2), (1, 2, 0)] {
        let limits = [("sync_stream_events_max", 3), ("sync_page_max", 4), ("sync_streams_max", streams_max)];
        let mut server = TestServer::with_limits(&limits).await;
        let plan = Plan { visitors, sends_max: Some(15), stay_arrivals_max: 10, ..Plan::small(seed) };
        let address = server.api.url.clone();
        let mut workload = Workload::begin(Arc::new(Real::at(&address)), plan).await;
        for _ in 0..3 {
            workload.load().done().await;
            // A new process has no tail in memory: all replays come from the store.
            server.restart_there().await;
            workload.settle(std::time::Instant::now()).await;
        }
        let report = workload.finish().await;
        println!("skipped and reset, seed {seed}: {report}");
        report.assert_clean();
        assert_eq!((report.repeats, report.gaps), (0, 0), "nothing needless: {report}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_process_keeps_the_promise() {
    let dir = tempfile::tempdir().unwrap();
    let server = ServerProcess::start(dir.path());
    let report = Workload::run(Arc::new(Real::at(&server.api.url)), Plan::small(7)).await;
    assert_kept("a process", 7, &report);
}
