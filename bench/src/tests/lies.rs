//! One frame of many is dropped, doubled, or swapped with the next: each is found, and called by its name.

use std::time::Duration;

use super::relay::{self, Lie};
use super::site::Site;
use crate::checker::Verdict;
use crate::crowd::Door;
use crate::measure::Rate;

async fn verdict_over(lie: Lie) -> Verdict {
    let site = Site::start().await;
    let address = relay::start(site.address, lie);
    let run = move || site.send_through(address, Door::Socket, Rate::InFlight(4), Duration::from_millis(300));
    let measured = tokio::task::spawn_blocking(run).await.unwrap().unwrap();
    assert!(measured.verdict.acknowledged > 8, "enough was sent: {:?}", measured.verdict);
    measured.verdict
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_honest_relay_passes() {
    let verdict = verdict_over(Lie::Nothing).await;
    assert!(verdict.is_good(), "{verdict:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dropped_frame_is_found() {
    let verdict = verdict_over(Lie::Drop).await;
    assert_eq!((verdict.lost, verdict.doubled, verdict.reordered), (1, 0, 0), "{verdict:?}");
    let example = &verdict.examples[0];
    assert!(example.starts_with("lost: ") && example.contains("seq 3, was shown to 1 of 2"), "{example}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_doubled_frame_is_found() {
    let verdict = verdict_over(Lie::Double).await;
    assert_eq!((verdict.lost, verdict.doubled, verdict.reordered), (0, 1, 0), "{verdict:?}");
    assert!(verdict.examples[0].starts_with("doubled: device 0 got seq 3"), "{verdict:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_swapped_frame_is_found() {
    let verdict = verdict_over(Lie::Swap).await;
    assert_eq!((verdict.lost, verdict.doubled, verdict.reordered), (0, 0, 1), "{verdict:?}");
    assert!(verdict.examples[0].starts_with("reordered: device 0 got seq 3"), "{verdict:?}");
}
