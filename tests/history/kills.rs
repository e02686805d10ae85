//! kill -9 of the real binary at random instants under load. Devices and senders do not know of it: they come back by
//! themselves, and send again what was not answered.

use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tidings_testkit::history::{Plan, Real, Report, Sending, Workload};
use tidings_testkit::scale::scale;

use super::victim::{Victim, sleep_ms};

/// In one of so many rounds the load goes on for a while after the restart.
const AND_ON_EVERY: u64 = 3;
const AND_ON_MS: u64 = 150;

/// Loads and kills until it is enough; gives what was found and how often it was killed.
async fn kill_until(
    plan: Plan,
    sending: Sending,
    load_ms: Range<u64>,
    enough: impl Fn(u64) -> bool,
) -> (Report, u64) {
    let mut victim = Victim::start(plan.seed);
    let messenger = Real::at(&victim.url()).sending(sending);
    let mut workload = Workload::begin(Arc::new(messenger), plan).await;
    let mut rounds = 0;
    while !enough(rounds) {
        rounds += 1;
        let load = workload.load();
        sleep_ms(victim.rng.u64(load_ms.clone())).await;
        let restarted = victim.kill().await;
        if rounds % AND_ON_EVERY == 0 {
            // New sends, too, meet the new process before everybody has settled.
            sleep_ms(AND_ON_MS).await;
        }
        load.stop();
        load.done().await;
        workload.settle(restarted).await;
        assert!(workload.report().is_clean(), "in round {rounds}: {}", workload.report());
    }
    let report = workload.finish().await;
    let kills = victim.kills;
    assert!(victim.stop(), "it still ends in order");
    (report, kills)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r1_nothing_is_lost_doubled_or_reordered_by_kills_under_load() {
    let rounds = scale("TIDINGS_R1_ROUNDS", 50);
    let plan = Plan { sends_max: None, ..Plan::small(scale("TIDINGS_SEED", 1)) };
    let (report, kills) = kill_until(plan, Sending::Both, 150..900, |done| done >= rounds).await;
    println!("R1 kill -9, {rounds} rounds, {kills} kills: {report}");
    report.assert_clean();
    assert!(report.acknowledged > 20 * rounds && report.retried > 0, "there was a load: {report}");
}

/// The long one: as many sends as the machine takes, over sockets, with a kill every few seconds.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn chaos_acknowledged_is_stored_is_displayed_once_in_order() {
    let seconds = scale("TIDINGS_CHAOS_SECONDS", 0);
    if seconds == 0 {
        println!("left out: TIDINGS_CHAOS_SECONDS says for how long");
        return;
    }
    let end = Instant::now() + Duration::from_secs(seconds);
    let plan = Plan {
        groups: 12,
        members: 12,
        lanes: 8,
        sends_max: None,
        churn_every: 50,
        stay_arrivals_max: 20_000,
        ..Plan::small(scale("TIDINGS_SEED", 1))
    };
    let (report, kills) = kill_until(plan, Sending::Socket, 1_000..4_000, |_| Instant::now() >= end).await;
    println!("Chaos, {seconds} s, {kills} kills: {report}");
    report.assert_clean();
    assert!(report.acknowledged > 100 * seconds, "there was a load: {report}");
}
