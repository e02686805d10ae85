//! Many messages share one sync, and one that is refused costs its neighbours nothing.

use std::sync::Arc;
use std::time::Duration;

use tidings_core::ids::Seq;
use tidings_core::messages::Error;
use tidings_testkit::contract::Desk;

use crate::site::{Site, queue};

/// Clients that send at the same time, each its next message when the one before is acknowledged.
const SENDERS: usize = 64;
const MESSAGES_EACH: usize = 8;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_four_senders_share_their_syncs() {
    let site = Site::new();
    let desk = Arc::new(Desk::open(site.clone()).await);
    let [owner, stranger] = desk.people(["owner", "stranger"]).await;
    let mut tasks = Vec::new();
    site.disk.slow_sync(Duration::from_millis(5));
    for n in 0..SENDERS {
        let phone = desk.log_in(&owner.user).await;
        let chat = desk.group([&phone]).await;
        tasks.push((n, phone, chat));
    }
    site.disk.reset_counts();
    let before = site.store().stats();
    let senders = tasks.into_iter().map(|(n, phone, chat)| {
        let (desk, stranger) = (Arc::clone(&desk), stranger.clone());
        tokio::spawn(async move {
            for text in 0..MESSAGES_EACH {
                desk.send(&phone, chat, &format!("{n}.{text}")).await;
                if n == 0 {
                    let refused = desk.try_send(&stranger, chat, "let me in").await;
                    assert!(matches!(refused, Err(Error::NotFound)), "{refused:?}");
                }
            }
        })
    });
    for sender in senders.collect::<Vec<_>>() {
        sender.await.unwrap();
    }
    let (stats, syncs) = (site.store().stats(), site.disk.counts().wal.syncs);
    let messages = stats.messages - before.messages;
    let refusals = stats.refusals - before.refusals;
    let commits = stats.commits - before.commits;
    println!(
        "group commit: {messages} messages, {refusals} refusals, {syncs} WAL syncs, {commits} commits: \
         {:.1} messages a sync, at most {} requests in a batch",
        messages as f64 / syncs as f64,
        stats.batch_requests_max
    );
    assert_eq!((messages, refusals), ((SENDERS * MESSAGES_EACH) as u64, MESSAGES_EACH as u64));
    assert!(messages >= 8 * syncs, "{messages} messages took {syncs} syncs");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_is_refused_does_not_fail_its_batch() {
    let site = Site::new();
    let desk = Desk::open(site.clone()).await;
    let [alice, bob, eve] = desk.people(["alice", "bob", "eve"]).await;
    let chat = desk.group([&alice, &bob]).await;
    let message = |who: &tidings_testkit::contract::Person, text| desk.make.message(&who.actor, chat, text);
    let original = message(&bob, "before");
    desk.store.append_message(original.clone()).await.unwrap();
    let (before, log_before) = (site.store().stats(), desk.log.len());
    // While this one is being synced the others gather.
    site.disk.reset_counts();
    site.disk.slow_sync(Duration::from_millis(300));
    let first = queue(&desk, message(&alice, "the first")).await;
    while site.disk.counts().wal.syncs == 0 {
        tokio::task::yield_now().await;
    }
    let stored = queue(&desk, message(&alice, "stored")).await;
    let refused = queue(&desk, message(&eve, "refused")).await;
    let replayed = queue(&desk, original).await;
    let also_stored = queue(&desk, message(&bob, "stored too")).await;
    let outcome = |sent: Result<tidings_core::messages::Sent, Error>| sent.unwrap().message.id.seq;
    assert_eq!(outcome(first.await.unwrap()), Seq(2));
    assert_eq!(outcome(stored.await.unwrap()), Seq(3));
    let refused = refused.await.unwrap();
    assert!(matches!(refused, Err(Error::NotFound)), "{refused:?}");
    assert_eq!(outcome(replayed.await.unwrap()), Seq(1));
    assert_eq!(outcome(also_stored.await.unwrap()), Seq(4));
    let stats = site.store().stats();
    assert_eq!(stats.batches - before.batches, 2, "one, and then all that had gathered");
    assert_eq!((stats.commits - before.commits, stats.messages - before.messages), (2, 3));
    assert_eq!(stats.batch_requests_max, 4);
    assert_eq!(site.disk.counts().wal.syncs, 2);
    assert_eq!(desk.log.since(log_before).len(), 3);
}

/// With nothing slow: what one message costs in pages, alone in its commit and in a crowd.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_dirties_few_pages() {
    let site = Site::new();
    let desk = Desk::open(site.clone()).await;
    let alice = desk.person("alice").await;
    let chat = desk.group([&alice]).await;
    let pages =
        |before: u64, messages: u64| (site.store().stats().wal_pages - before) as f64 / messages as f64;

    let before = site.store().stats().wal_pages;
    for n in 0..200 {
        desk.make.clock.advance_seconds(1); // clients make UUIDv7: later ones are greater
        desk.send(&alice, chat, &format!("alone {n}")).await;
    }
    let alone = pages(before, 200);

    let before = site.store().stats().wal_pages;
    let mut sends = Vec::new();
    for n in 0..2_000 {
        desk.make.clock.advance_seconds(1);
        sends.push(queue(&desk, desk.make.message(&alice.actor, chat, &format!("crowd {n}"))).await);
    }
    for send in sends {
        send.await.unwrap().unwrap();
    }
    let crowd = pages(before, 2_000);
    println!("WAL pages a message: {alone:.2} alone in its commit, {crowd:.2} in a crowd");
    assert!(alone < 4.5, "{alone}: the message, its client id, its event, now and then a split and a flush");
    assert!(crowd < 2.0, "{crowd}: neighbours share their pages");
}
