//! One frame of many is dropped, doubled, or swapped with the next, or one acknowledgement does not come or is wrong:
//! each is found, and called by its name.

use std::time::Duration;

use super::relay::{self, Lie};
use super::site::Site;
use crate::checker::Verdict;
use crate::crowd::Door;
use crate::measure::Rate;

async fn verdict_over(lie: Lie) -> Verdict {
    let verdict = verdict_at(lie, Rate::InFlight(4), Duration::from_millis(300)).await;
    assert!(verdict.acknowledged > 8, "enough was sent: {verdict:?}");
    verdict
}

async fn verdict_at(lie: Lie, rate: Rate, time: Duration) -> Verdict {
    let site = Site::start().await;
    let address = relay::start(site.address, lie);
    let run = move || site.send_through(address, Door::Socket, rate, time);
    tokio::task::spawn_blocking(run).await.unwrap().unwrap().verdict
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_last_frame_that_comes_again_when_all_is_done_is_found() {
    // The third send is due after 200 ms, and nothing follows: its frame comes again when the series is over.
    let time = Duration::from_millis(220);
    let verdict = verdict_at(Lie::DoubleLater, Rate::PerSecond(10.0), time).await;
    assert_eq!(verdict.acknowledged, 3, "the third is the last: {verdict:?}");
    assert_eq!((verdict.lost, verdict.doubled, verdict.reordered), (0, 1, 0), "{verdict:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_acknowledgement_that_never_comes_is_found() {
    let verdict = verdict_over(Lie::DropAck).await;
    assert_eq!((verdict.unanswered, verdict.lost, verdict.misplaced), (1, 0, 0), "{verdict:?}");
    assert!(!verdict.is_good());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_acknowledgement_of_another_place_is_found() {
    let verdict = verdict_over(Lie::AlterAck).await;
    // Each time that somebody says otherwise than whoever spoke before.
    assert!((1..=2).contains(&verdict.misplaced), "{verdict:?}");
    assert_eq!((verdict.unanswered, verdict.lost, verdict.doubled), (0, 0, 0), "{verdict:?}");
    assert!(verdict.examples[0].starts_with("misplaced: operation "), "{verdict:?}");
}
