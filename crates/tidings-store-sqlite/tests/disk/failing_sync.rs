//! A sync that failed: the disk may have forgotten what it was given, so nothing is acknowledged any more.

use std::time::Duration;

use tidings_core::error::StoreError;
use tidings_core::messages::{Error, Message, Sent};
use tidings_testkit::contract::Desk;
use tidings_testkit::disk::FaultyDisk;

use crate::site::{Site, open, queue};

fn store_error(sent: Result<Sent, Error>) -> StoreError {
    match sent {
        Err(Error::Store(error)) => error,
        other => panic!("not the store's error: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_acknowledged_after_a_failed_sync() {
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
    while site.disk.counts().wal.syncs == 0 {
        tokio::task::yield_now().await;
    }
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
    let image = tempfile::tempdir().unwrap();
    site.disk.crash_image(image.path(), seed).unwrap();
    let disk = FaultyDisk::new();
    let store = open(image.path(), &disk, &site.fatal, tidings_core::memory::InProcessLog::new());
    let (viewer, chat) = (acknowledged.sender, acknowledged.id.conversation);
    let latest = tidings_core::messages::HistoryAnchor::Latest;
    let page =
        tidings_core::ports::store::MessageStore::list_messages(&store, viewer, chat, latest, 100).await;
    let messages = page.unwrap().messages;
    assert_eq!(messages[0], *acknowledged, "seed {seed}");
    let later: Vec<&str> = messages[1..].iter().map(|message| &message.content[..]).collect();
    assert!(later.is_empty() || later == ["in flight"], "seed {seed}: {later:?}");
}

/// Also when it fails under a flush of heads, of which nobody waits for an answer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_sync_between_batches_is_as_fatal() {
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
