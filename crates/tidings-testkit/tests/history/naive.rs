//! The workload against the naive double: it passes without a fault, and each fault is found and named.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tidings_testkit::history::{Fault, Naive, Plan, Report, Violation, Workload};

const SEEDS: u64 = 5;

async fn run(seed: u64, fault: Option<Fault>) -> Report {
    let plan = Plan {
        away_max: Duration::from_millis(2),
        retry_pause: Duration::from_millis(1),
        // The double needs no time; what is not shown at once never is.
        patience: Duration::from_secs(2),
        ..Plan::small(seed)
    };
    let report = Workload::run(Arc::new(Naive::new(seed, fault)), plan).await;
    println!("{fault:?}, seed {seed}: {report}");
    report
}

/// With every seed nothing but these violations, and with some seed all of them.
async fn assert_found(fault: Fault, violations: &[Violation]) {
    assert_found_with(fault, violations, &[]).await;
}

/// The same where others may come along: whether they do depends on who was faster.
async fn assert_found_with(fault: Fault, violations: &[Violation], others: &[Violation]) {
    let expected: BTreeSet<_> = violations.iter().copied().collect();
    let others: BTreeSet<_> = others.iter().copied().collect();
    let mut found = BTreeSet::new();
    for seed in 0..SEEDS {
        let report = run(seed, Some(fault)).await;
        assert!(!report.is_clean(), "{fault:?} went by unseen with seed {seed}");
        let named: BTreeSet<_> = report.violations().difference(&others).copied().collect();
        assert!(named.is_subset(&expected), "{fault:?}, seed {seed}: {report}");
        found.extend(named);
    }
    assert_eq!(found, expected, "{fault:?}");
}

#[tokio::test]
async fn without_a_fault_it_passes() {
    for seed in 0..SEEDS {
        let report = run(seed, None).await;
        report.assert_clean();
        assert!(report.acknowledged > 400 && report.retried > 0 && report.refused > 0, "{report}");
    }
}

#[tokio::test]
async fn f1_a_counter_that_rolls_back_gives_one_place_twice_and_loses_a_message() {
    assert_found(Fault::CounterRollsBack, &[Violation::PlaceAcknowledgedTwice, Violation::AcknowledgedLost])
        .await;
}

#[tokio::test]
async fn f2_a_retry_without_an_id_stands_twice() {
    // Refused though it stands: the retry of somebody who was removed meanwhile is not known again either.
    let others = [Violation::UnknownStoredTwice, Violation::RefusedStored];
    assert_found_with(Fault::RetryIsNewMessage, &[Violation::StoredTwice], &others).await;
}

#[tokio::test]
async fn f5_a_crash_between_write_and_publish_is_never_delivered() {
    assert_found(Fault::CrashBeforePublish, &[Violation::NeverDelivered]).await;
}

#[tokio::test]
async fn f5_a_write_that_fails_after_the_publish_loses_what_was_acknowledged_and_shown() {
    let named = [
        Violation::AcknowledgedLost,
        Violation::ShownNotStored,
        Violation::PositionHole,
        Violation::SequenceHole,
    ];
    // Where the last write of a conversation fails, its head is beyond what stands.
    let others = [Violation::HeadDiffers];
    assert_found_with(Fault::WriteFailsAfterPublish, &named, &others).await;
}

#[tokio::test]
async fn f6_a_list_that_is_filled_after_it_was_drained_is_not_caught_up_with() {
    assert_found(Fault::PushAfterDrain, &[Violation::NotCaughtUp]).await;
}

#[tokio::test]
async fn f9_a_subscriber_that_is_away_is_not_shown_what_was_published() {
    assert_found(Fault::SubscriberAway, &[Violation::NotShown, Violation::NotCaughtUp]).await;
}
