//! R5: every answer gets lost with p = 0.3, and senders send again until they are answered.

use std::sync::Arc;

use tidings_testkit::history::{Plan, Real, Sending, Workload};
use tidings_testkit::proxy::{Fault, Proxy};
use tidings_testkit::scale::seeds;

use crate::harness::TestServer;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r5_a_retry_storm_doubles_nothing() {
    for seed in seeds("TIDINGS_R5_SEEDS", 2) {
        let server = TestServer::start().await;
        let proxy = Proxy::before(&server.api.url, seed).await;
        proxy.does(Fault::DropAnswers { of_100: 30 });
        let messenger = Real::at(&server.api.url).sending(Sending::Rest).sending_through(&proxy.url);
        let plan = Plan { given_up_one_in: u64::MAX, sends_max: Some(40), ..Plan::small(seed) };
        let report = Workload::run(Arc::new(messenger), plan).await;
        println!("R5 retry storm, {} answers dropped, seed {seed}: {report}", proxy.dropped());
        report.assert_clean();
        assert!(report.retried > report.acknowledged / 5, "there was a storm: {report}");
    }
}

/// The same with sockets: what is cut is a connection with its acks and events, wherever it happens to be.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r5_sockets_that_are_cut_anywhere_lose_nothing() {
    for seed in seeds("TIDINGS_R5_SEEDS", 2) {
        let server = TestServer::start().await;
        let proxy = Proxy::before(&server.api.url, seed).await;
        let messenger = Real::at(&server.api.url).sending(Sending::Socket).connecting_through(&proxy.url);
        let plan = Plan { given_up_one_in: u64::MAX, sends_max: Some(40), ..Plan::small(seed) };
        let mut workload = Workload::begin(Arc::new(messenger), plan).await;
        proxy.does(Fault::CutAfter { bytes: 500..30_000 });
        workload.load().done().await;
        proxy.does(Fault::None);
        workload.settle(std::time::Instant::now()).await;
        let report = workload.finish().await;
        println!("R5 sockets cut, {} cuts, seed {seed}: {report}", proxy.dropped());
        report.assert_clean();
        assert!(report.retried > 0, "sends were hit: {report}");
    }
}
