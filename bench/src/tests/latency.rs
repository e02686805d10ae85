//! A server that stands still for 200 ms: an open loop counts it for every send that was intended meanwhile, also for those
//! that could not even leave because the one connection waited for its answer.

use std::time::Duration;

use super::relay::{self, Lie};
use super::site::Site;
use crate::crowd::Door;
use crate::measure::Rate;

const PAUSE: Lie = Lie::Pause { after: Duration::from_millis(400), time: Duration::from_millis(200) };

/// The part, in hundredths, of a second's sends that took more than 50 ms, and how many there were.
async fn late_share(rate: Rate) -> (f64, u64) {
    let site = Site::start().await;
    let address = relay::start(site.address, PAUSE);
    let run = move || site.send_through(address, Door::Rest, rate, Duration::from_secs(1));
    let measured = tokio::task::spawn_blocking(run).await.unwrap().unwrap();
    assert!(measured.verdict.is_good(), "{:?}", measured.verdict);
    let late = (1..=1000)
        .rev()
        .take_while(|permille| measured.answered.percentile_ms(f64::from(*permille) / 10.0) > 50.0);
    #[expect(clippy::cast_precision_loss, reason = "at most a thousand")]
    let late = late.count() as f64 / 10.0;
    (late, measured.answered.count())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_open_loop_counts_a_pause_for_all_who_were_to_send() {
    let (late, sends) = late_share(Rate::PerSecond(50.0)).await;
    assert!((48..=51).contains(&sends), "the clock does not wait: {sends}");
    // Of 200 ms of a second 150 are more than 50 before the end.
    assert!(late > 12.0, "a pause of 200 ms shows in {late} %");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_closed_loop_hides_it() {
    let (late, sends) = late_share(Rate::InFlight(1)).await;
    assert!(late < 100.0 * 20.0 / measured_sends(sends), "of {sends} sends one waited, and not {late} %");
}

#[expect(clippy::cast_precision_loss, reason = "some hundreds")]
fn measured_sends(sends: u64) -> f64 {
    sends as f64
}
