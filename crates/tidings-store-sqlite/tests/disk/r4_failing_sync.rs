//! R4, a sync that failed: the disk may have forgotten what it was given, so nothing is acknowledged any more.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use tidings_core::error::StoreError;
use tidings_core::memory::InProcessLog;
use tidings_core::messages::{Error, HistoryAnchor, Message, Sent};
use tidings_core::ports::store::MessageStore as _;
use tidings_store_sqlite::Upkeep;
use tidings_testkit::builders::Values;
use tidings_testkit::contract::Desk;
use tidings_testkit::disk::{Dice, FileKind};
use tidings_testkit::scale::seeds;

use crate::audit::{assert_sound, dump};
use crate::load::{Held, Load};
use crate::site::{Site, queue};

fn store_error(sent: Result<Sent, Error>) -> StoreError {
    match sent {
        Err(Error::Store(error)) => error,
        other => panic!("not the store's error: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r4_nothing_is_acknowledged_after_a_failed_sync() {
    let site = Site::new();
    let desk = Desk::open(site.clone()).await;
    let alice = desk.person("alice").await;
    let chat = desk.group([&alice]).await;
    let acknowledged = desk.send(&alice, chat, "acknowledged").await;
    let (log, view) = (desk.log.len(), desk.view(&alice, chat).await);

    // One is being synced, a batch has gathered behind it, and the sync fails. Only one does: the disk says that all
    // is well again, and that must not be believed.
    site.disk.reset_counts();
    site.disk.slow_sync(Duration::from_millis(200));
    site.disk.fail_syncs(1);
    let first = queue(&desk, desk.make.message(&alice.actor, chat, "in flight")).await;
    let is_syncing = async {
        while site.disk.counts().wal.syncs == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), is_syncing).await.expect("a commit is synced");
    let mut gathered = Vec::new();
    for n in 0..8 {
        gathered.push(queue(&desk, desk.make.message(&alice.actor, chat, &format!("gathered {n}"))).await);
    }
    assert_eq!(store_error(first.await.unwrap()), StoreError::OutcomeUnknown);
    assert_eq!(site.fatal(), 1, "the server is told before those who wait");
    for send in gathered {
        // They were never tried.
        let error = store_error(send.await.unwrap());
        assert!(matches!(error, StoreError::Failed | StoreError::OutcomeUnknown), "{error:?}");
    }
    site.disk.slow_sync(Duration::ZERO);
    for n in 0..5 {
        let later =
            desk.store.append_message(desk.make.message(&alice.actor, chat, &format!("later {n}"))).await;
        assert_eq!(store_error(later), StoreError::Failed);
    }
    let registered = desk.store.insert_user(&desk.make.user("bob"), &desk.make.password()).await;
    assert!(matches!(registered, Err(tidings_core::accounts::Error::Store(StoreError::Failed))));
    assert_eq!(desk.log.len(), log, "nothing is published either");
    assert_eq!(desk.view(&alice, chat).await, view, "nor shown");
    let writes = site.disk.counts();
    drop(site.take_store());
    drop(desk);
    let after = site.disk.counts();
    assert_eq!((after.database.writes, after.wal.writes), (writes.database.writes, writes.wal.writes));

    for seed in 0..20 {
        assert_crash_image_holds(&site, seed, &acknowledged).await;
    }
}

/// A flush comes within a second.
async fn wait_until_fatal(site: &Site) {
    let told = async {
        while site.fatal() == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), told).await.expect("the server is told");
    assert_eq!(site.fatal(), 1, "once");
}

/// Whatever the power cut leaves: what was acknowledged, then at most the one that was in flight.
async fn assert_crash_image_holds(site: &Site, seed: u64, acknowledged: &Message) {
    let store = site.image(seed).try_open(InProcessLog::new()).unwrap();
    let (viewer, chat) = (acknowledged.sender, acknowledged.id.conversation);
    let page = store.list_messages(viewer, chat, HistoryAnchor::Latest, 100).await;
    let messages = page.unwrap().messages;
    assert_eq!(messages[0], *acknowledged, "seed {seed}");
    let later: Vec<&str> = messages[1..].iter().map(|message| &message.content[..]).collect();
    assert!(later.is_empty() || later == ["in flight"], "seed {seed}: {later:?}");
}

/// Also when it fails under a flush of heads, of which nobody waits for an answer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r4_a_failed_sync_between_batches_is_as_fatal() {
    let site = Site::new();
    let desk = Desk::open(site.clone()).await;
    let alice = desk.person("alice").await;
    let chat = desk.group([&alice]).await;
    desk.send(&alice, chat, "acknowledged").await;
    site.disk.fail_syncs_always();
    wait_until_fatal(&site).await;
    site.disk.fail_syncs(0);
    let later = desk.store.append_message(desk.make.message(&alice.actor, chat, "later")).await;
    assert_eq!(store_error(later), StoreError::Failed);
}

/// The connection that copies the log has nobody who waits for it, and the writer may be asleep: it tells by itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r4_a_failed_sync_of_a_copy_is_as_fatal_while_nobody_asks() {
    let upkeep = Upkeep { flush_every: Duration::from_secs(3_600), wal_bytes_max: 96 * 1024 };
    let site = Site::with(upkeep);
    let desk = Desk::open(site.clone()).await;
    let alice = desk.person("alice").await;
    let chat = desk.group([&alice]).await;
    // The copy asks for its sync after the send that made it begin has been answered.
    site.disk.slow_sync_of(FileKind::Database, Duration::from_millis(50));
    site.disk.fail_syncs_in(0, 1, Some(FileKind::Database));
    site.disk.reset_counts();
    while site.disk.counts().database.syncs == 0 {
        // The log may be full before the copy is over: then a send waits for it, and hears of the failure.
        desk.try_send(&alice, chat, &"x".repeat(2_000)).await.ok();
    }
    wait_until_fatal(&site).await;
    assert_eq!(site.disk.failed_syncs(), [FileKind::Database]);
    let later = desk.store.append_message(desk.make.message(&alice.actor, chat, "later")).await;
    assert_eq!(store_error(later), StoreError::Failed);
}

/// Syncs that a load asks for at least: whoever comes and goes waits for each of theirs, see `load.rs`.
const LOAD_SYNCS: u64 = 50;
/// Checkpoints that it makes at least.
const LOAD_CHECKPOINTS: u64 = 3;
/// Power cuts after each.
const CUTS: u64 = 6;

/// Under load, at any sync: of a commit, a flush, or either of a checkpoint's two.
///
/// The kernel then shows what is not on the disk, and a process that begins anew without a reboot reads it. Whatever it
/// has shown must be there when the power is cut in the middle of that, or after.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r4_a_restart_after_a_failed_sync_is_safe_from_a_power_cut() {
    let (mut acknowledged, mut failed, mut slowest) = (0, BTreeMap::new(), Duration::ZERO);
    let runs = seeds("TIDINGS_R4_SEEDS", 24);
    for run in runs.clone() {
        let mut dice = Dice::new(run);
        let site = Site::brisk();
        let load = Load::begin(&site).await;
        match run % 4 {
            // Only logins are under way: no head has to be counted again at the start.
            0 => {
                load.run().await;
                load.log_in_on(0).await;
                site.disk.fail_syncs_in(dice.below(10), 1, None);
                load.log_in_on(20).await;
            }
            1 => {
                site.disk.fail_syncs_in(dice.below(LOAD_CHECKPOINTS), 1, Some(FileKind::Database));
                load.run().await;
            }
            _ => {
                site.disk.fail_syncs_in(dice.below(LOAD_SYNCS), 1, None);
                load.run().await;
            }
        }
        assert!(!site.disk.will_fail_syncs(), "run {run}: the sync that fails was never asked for");
        wait_until_fatal(&site).await;
        for kind in site.disk.failed_syncs() {
            *failed.entry(kind).or_insert(0) += 1;
        }
        let held = load.end();
        acknowledged += held.messages.len();
        for cut in 0..CUTS {
            let took = restart_and_cut(&site, &held, &mut dice, &format!("run {run}, cut {cut}")).await;
            slowest = slowest.max(took);
        }
    }
    println!(
        "R4: {} failed syncs ({failed:?}), acknowledged {acknowledged}, lost 0, doubled 0, reordered 0, each \
         asserted; slowest start {} ms",
        runs.count(),
        slowest.as_millis()
    );
    for file in [FileKind::Wal, FileKind::Database] {
        assert!(failed.contains_key(&file), "no sync of {file:?} failed");
    }
}

/// The process begins anew on what the kernel shows, and then the power is cut.
/// Gives how long the slowest start took after that.
async fn restart_and_cut(site: &Site, held: &Held, dice: &mut Dice, context: &str) -> Duration {
    let mut slowest = Duration::ZERO;
    site.disk.halt_in(dice.below(60));
    let opened = site.try_open(InProcessLog::new());
    let shown = opened.is_ok().then(|| {
        site.disk.halt_in(0);
        dump(&site.database())
    });
    drop((opened, site.take_store()));
    for seed in 0..4 {
        let left = site.image(dice.below(u64::MAX));
        let begun = Instant::now();
        let store = left.try_open(InProcessLog::new()).unwrap_or_else(|error| panic!("{context}: {error}"));
        slowest = slowest.max(begun.elapsed());
        let there = dump(&left.database());
        assert!(
            shown.as_ref().is_none_or(|shown| *shown == there),
            "{context}.{seed}: a start has shown what is gone"
        );
        held.assert_in(&store, context).await;
        left.flushed().await;
        assert_sound(&left.database(), context);
        held.assert_goes_on(&store, &Values::seeded(7), context).await;
    }
    site.disk.go_on();
    slowest
}
