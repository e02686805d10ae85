//! R2: the power is cut at any operation on the disk, of sending, flushing, checkpointing and opening, and again while
//! the store recovers: what was acknowledged or shown is there, the rows agree with each other, and the store goes on.
//!
//! `TIDINGS_R2_SEEDS` says how many crash images are opened; each seed is another one.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use tidings_core::memory::InProcessLog;
use tidings_testkit::builders::Values;
use tidings_testkit::disk::{Dice, FileKind, Operation};
use tidings_testkit::scale::scale;

use crate::audit::{assert_sound, dump};
use crate::load::{Held, Load};
use crate::site::Site;

/// Crash images of one instant.
const IMAGES: u64 = 5;
/// Operations of one load, more or less, and of those that it has fewer of.
const LOAD_OPERATIONS: u64 = 2_500;
const LOAD_RARITIES: [(Operation, u64); 3] = [
    (Operation::Sync(FileKind::Wal), 150),
    (Operation::Sync(FileKind::Database), 25),
    (Operation::Write(FileKind::Database), 500),
];
/// Operations of one recovery: mostly those of the checkpoint and of the heads that are counted again.
const RECOVERY_OPERATIONS: u64 = 60;
/// Operations of opening a directory for the first time.
const FIRST_OPENING_OPERATIONS: u64 = 160;

/// Where the power was cut, and what was found then.
#[derive(Default)]
struct Tally {
    cuts: BTreeMap<(&'static str, Operation), usize>,
    images: u64,
    slowest_start: Duration,
    acknowledged: usize,
    unacknowledged: usize,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r2_a_power_cut_at_any_operation_loses_nothing() {
    let mut tally = Tally::default();
    let seeds = scale("TIDINGS_R2_SEEDS", 500);
    for run in scale("TIDINGS_SEED", 1).. {
        if tally.images >= seeds {
            break;
        }
        let mut dice = Dice::new(run);
        match run % 8 {
            0 => cut_the_first_opening(&mut dice, run, &mut tally).await,
            n => cut_a_load(&mut dice, run, n < 3, &mut tally).await,
        }
    }
    println!(
        "R2: {} crash images, acknowledged {}, lost 0, doubled 0, reordered 0, each asserted; {} that were not \
         acknowledged stood too; slowest start {} ms",
        tally.images,
        tally.acknowledged,
        tally.unacknowledged,
        tally.slowest_start.as_millis()
    );
    for ((what, operation), count) in &tally.cuts {
        println!("  cut {count} times while {what}, at {operation:?}");
    }
    tally.assert_everywhere();
}

/// Cuts the power under load, and in some runs where only logins are under way.
async fn cut_a_load(dice: &mut Dice, run: u64, quiet: bool, tally: &mut Tally) {
    let site = Site::brisk();
    let load = Load::begin(&site).await;
    if quiet {
        load.run().await;
        load.log_in_on(0).await;
        // What was written and not synced is what the next process may show.
        site.disk.halt_at(Operation::Sync(FileKind::Wal), dice.below(10));
        load.log_in_on(20).await;
    } else {
        if dice.percent(40) {
            let (rarity, count) = dice.one_of(LOAD_RARITIES);
            site.disk.halt_at(rarity, dice.below(count));
        } else {
            site.disk.halt_in(dice.below(LOAD_OPERATIONS));
        }
        load.run().await;
    }
    let held = load.end();
    if let Some(operation) = site.disk.halted_at() {
        tally.note(if quiet { "quiet" } else { "sending" }, operation);
    }
    for image in 0..IMAGES {
        tally.images += 1;
        let context = format!("run {run}, image {image}");
        let mut left = site.image(dice.below(u64::MAX));
        if dice.percent(50) {
            left = cut_recovery(&left, dice, tally);
        }
        assert_recovered(&left, &held, tally, &context).await;
    }
    // The same instant, but only the process was killed: the next one finds what the kernel holds, and then the power
    // is cut.
    site.disk.go_on();
    for image in 0..2 {
        let context = format!("run {run}, killed, image {image}");
        show_then_cut(&site, &held, dice, tally, &context).await;
    }
}

/// A second cut, while the store recovers from the first.
fn cut_recovery(image: &Site, dice: &mut Dice, tally: &mut Tally) -> Site {
    image.disk.halt_in(dice.below(RECOVERY_OPERATIONS));
    // Heads that are counted again are flushed at the latest when the store is closed.
    drop((image.try_open(InProcessLog::new()), image.take_store()));
    if let Some(operation) = image.disk.halted_at() {
        tally.note("recovering", operation);
    }
    image.image(dice.below(u64::MAX))
}

/// What a start shows is on the disk.
async fn show_then_cut(site: &Site, held: &Held, dice: &mut Dice, tally: &mut Tally, context: &str) {
    tally.images += 1;
    site.disk.halt_in(if dice.percent(50) { dice.below(RECOVERY_OPERATIONS) } else { u64::MAX });
    let opened = site.try_open(InProcessLog::new());
    let shown = opened.is_ok().then(|| {
        site.disk.halt_in(0);
        dump(&site.database())
    });
    drop((opened, site.take_store()));
    let left = site.image(dice.below(u64::MAX));
    site.disk.go_on();
    let store = left.try_open(InProcessLog::new()).unwrap_or_else(|error| panic!("{context}: {error}"));
    if let Some(shown) = shown {
        let there = dump(&left.database());
        let lost: Vec<_> = shown.iter().filter(|row| there.binary_search(row).is_err()).collect();
        assert!(shown == there, "{context}: a start has shown it and it is gone: {lost:?}");
    }
    drop(store);
    assert_recovered(&left, held, tally, context).await;
}

async fn cut_the_first_opening(dice: &mut Dice, run: u64, tally: &mut Tally) {
    for _ in 0..IMAGES {
        tally.images += 1;
        let site = Site::brisk();
        site.disk.halt_in(dice.below(FIRST_OPENING_OPERATIONS));
        let opened = site.try_open(InProcessLog::new());
        if let Some(operation) = site.disk.halted_at() {
            tally.note("opening for the first time", operation);
        }
        let left = site.image(dice.below(u64::MAX));
        drop((opened, site.take_store()));
        let load = Load::begin(&left).await;
        let held = load.end();
        assert_recovered(&left, &held, tally, &format!("run {run}, a new directory")).await;
    }
}

async fn assert_recovered(left: &Site, held: &Held, tally: &mut Tally, context: &str) {
    let begun = Instant::now();
    let store = left.try_open(InProcessLog::new()).unwrap_or_else(|error| panic!("{context}: {error}"));
    tally.slowest_start = tally.slowest_start.max(begun.elapsed());
    tally.acknowledged += held.messages.len();
    tally.unacknowledged += held.assert_in(&store, context).await;
    left.flushed().await;
    assert_sound(&left.database(), context);
    held.assert_goes_on(&store, &Values::seeded(7), context).await;
    drop((store, left.take_store()));
    assert_eq!(left.fatal(), 0, "{context}");
}

impl Tally {
    fn note(&mut self, what: &'static str, operation: Operation) {
        *self.cuts.entry((what, operation)).or_default() += 1;
    }

    /// The seeds have found every kind of instant.
    fn assert_everywhere(&self) {
        let (log, database) = (FileKind::Wal, FileKind::Database);
        let expected = [
            ("sending", Operation::Write(log)),
            ("sending", Operation::Sync(log)),
            ("sending", Operation::Write(database)),
            ("sending", Operation::Sync(database)),
            ("quiet", Operation::Sync(log)),
            ("recovering", Operation::Sync(log)),
            ("recovering", Operation::Write(database)),
            ("recovering", Operation::Write(log)),
            ("opening for the first time", Operation::Write(log)),
        ];
        for cut in expected {
            assert!(self.cuts.contains_key(&cut), "the power was never cut while {} at {:?}", cut.0, cut.1);
        }
    }
}
