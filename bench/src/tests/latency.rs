//! A server that stands still for 400 ms: an open loop counts it for every send that was intended meanwhile, also for
//! those that could not even leave because the one connection waited for its answer.

use std::time::Duration;

use super::relay::{self, Lie};
use super::site::Site;
use crate::crowd::Door;
use crate::latency::Latency;
use crate::measure::{Rate, as_float};

const PAUSE: Lie = Lie::Pause { after: Duration::from_millis(400), time: Duration::from_millis(400) };
/// More than a send takes by itself, also on a machine that is busy with other tests.
const LATE_MS: f64 = 150.0;

/// The latencies of a second's sends.
async fn answered(rate: Rate) -> Latency {
    let site = Site::start().await;
    let address = relay::start(site.address, PAUSE);
    let run = move || site.send_through(address, Door::Rest, rate, Duration::from_secs(1));
    let measured = tokio::task::spawn_blocking(run).await.unwrap().unwrap();
    assert!(measured.verdict.is_good(), "{:?}", measured.verdict);
    measured.answered
}

/// The latency below which all but so many of the slowest lie.
fn all_but_ms(answered: &Latency, slowest: u64) -> f64 {
    let sends = answered.count();
    answered.percentile_ms(100.0 * as_float(sends - slowest) / as_float(sends))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_open_loop_counts_a_pause_for_all_who_were_to_send() {
    let answered = answered(Rate::PerSecond(50.0)).await;
    let sends = answered.count();
    assert!((48..=51).contains(&sends), "the clock does not wait: {sends}");
    // Of 50 sends 20 were intended in the pause, and 12 of them more than 150 ms before its end.
    let late = all_but_ms(&answered, 9);
    assert!(late > LATE_MS, "a pause of 400 ms shows in less than ten sends: {late} ms");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_closed_loop_hides_it() {
    let answered = answered(Rate::InFlight(1)).await;
    let (sends, slowest, others) =
        (answered.count(), answered.percentile_ms(100.0), all_but_ms(&answered, 3));
    assert!(slowest > LATE_MS, "one waited: {slowest} ms");
    assert!(others < LATE_MS, "of {sends} sends one waits, and at most three do: {others} ms");
}
