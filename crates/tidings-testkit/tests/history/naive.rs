//! The workload against the naive double: it passes without a fault, and each fault is found and named.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tidings_testkit::history::{Fault, Naive, Plan, Report, Violation, Workload};

const SEEDS: u64 = 5;

fn plan(seed: u64) -> Plan {
    Plan {
        away_max: Duration::from_millis(2),
        retry_pause: Duration::from_millis(1),
        // The double needs no time; what is not shown at once never is.
        patience: Duration::from_secs(2),
        ..Plan::small(seed)
    }
}

async fn run(plan: Plan, fault: Option<Fault>) -> Report {
    let seed = plan.seed;
    let report = Workload::run(Arc::new(Naive::new(seed, fault)), plan).await;
    println!("{fault:?}, seed {seed}: {report}");
    report
}

/// With every seed nothing but these violations, and with some seed all of them.
async fn assert_found(fault: Fault, violations: &[Violation]) {
    assert_found_among(fault, violations, Plan::small(0).visitors).await;
}

/// The same with so many who come and go.
async fn assert_found_among(fault: Fault, violations: &[Violation], visitors: usize) {
    let expected: BTreeSet<_> = violations.iter().copied().collect();
    let mut found = BTreeSet::new();
    for seed in 0..SEEDS {
        let report = run(Plan { visitors, ..plan(seed) }, Some(fault)).await;
        assert!(!report.is_clean(), "{fault:?} went by unseen with seed {seed}");
        assert!(report.violations().is_subset(&expected), "{fault:?}, seed {seed}: {report}");
        found.extend(report.violations().iter().copied());
    }
    assert_eq!(found, expected, "{fault:?}");
}

#[tokio::test]
async fn without_a_fault_it_passes() {
    for seed in 0..SEEDS {
        let report = run(plan(seed), None).await;
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
    // Nobody comes and goes: the retry of one who was removed meanwhile would be refused though the message stands.
    assert_found_among(Fault::RetryIsNewMessage, &[Violation::StoredTwice], 0).await;
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
    assert_found(Fault::WriteFailsAfterPublish, &named).await;
}

#[tokio::test]
async fn f6_a_list_that_is_filled_after_it_was_drained_is_not_caught_up_with() {
    assert_found(Fault::PushAfterDrain, &[Violation::NotCaughtUp]).await;
}

#[tokio::test]
async fn f9_a_subscriber_that_is_away_is_not_shown_what_was_published() {
    assert_found(Fault::SubscriberAway, &[Violation::NotShown, Violation::NotCaughtUp]).await;
}
