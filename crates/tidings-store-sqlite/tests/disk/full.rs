//! No room on the disk: nothing is half done, and nothing that was acknowledged is lost.

use tidings_core::accounts::{self, User};
use tidings_core::error::StoreError;
use tidings_core::ids::ConversationId;
use tidings_core::memory::InProcessLog;
use tidings_core::messages::{Error, HistoryAnchor, Message};
use tidings_core::ports::store::AppendMessage;
use tidings_store_sqlite::OpenError;
use tidings_testkit::contract::{Desk, Person};

use crate::site::{Site, queue};

/// Sends at once; those that are stored, and those that found no room.
async fn send_some(desk: &Desk, who: &Person, chat: ConversationId) -> (Vec<Message>, Vec<AppendMessage>) {
    let (mut stored, mut refused) = (Vec::new(), Vec::new());
    let mut sends = Vec::new();
    for n in 0..40 {
        let append = desk.make.message(&who.actor, chat, &format!("{n} {}", "x".repeat(500)));
        sends.push((append.clone(), queue(desk, append).await));
    }
    for (append, send) in sends {
        match send.await.unwrap() {
            Ok(sent) => stored.push(Message::clone(&sent.message)),
            Err(Error::Store(StoreError::Full)) => refused.push(append),
            Err(error) => panic!("neither stored nor full: {error:?}"),
        }
    }
    (stored, refused)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_refuses_and_recovers() {
    let site = Site::new();
    let desk = Desk::open(site.clone()).await;
    let alice = desk.person("alice").await;
    let chat = desk.group([&alice]).await;
    let (mut acknowledged, none) = send_some(&desk, &alice, chat).await;
    assert!(none.is_empty());

    // A little room, so that the disk fills up in the middle of a transaction. What a refused batch has written of the
    // log is room for a smaller one, so it takes a few rounds until nothing fits any more.
    site.disk.free_bytes(Some(60_000));
    let mut refused = Vec::new();
    loop {
        let (stored, full) = send_some(&desk, &alice, chat).await;
        let nothing_fits = stored.is_empty();
        acknowledged.extend(stored);
        refused.extend(full);
        if nothing_fits {
            break;
        }
    }
    let (view, log) = (desk.view(&alice, chat).await, desk.log.len());
    let user = User { last_name: Some("x".repeat(100_000)), ..desk.make.user("bob") };
    let registered = desk.store.insert_user(&user, &desk.make.password()).await;
    assert!(matches!(registered, Err(accounts::Error::Store(StoreError::Full))), "{registered:?}");
    assert_eq!(desk.store.find_user(user.app, user.id).await.unwrap(), None);
    assert_eq!(desk.view(&alice, chat).await, view, "nothing is half done");
    assert_eq!((desk.log.len(), desk.end().await.0), (log, log as u64), "nor published");
    assert_eq!(history(&desk, &alice, chat).await, acknowledged);
    assert!(site.store().stats().disk_fulls > 1);

    site.disk.free_bytes(None);
    for append in refused {
        let sent = desk.store.append_message(append).await.expect("room again");
        assert!(!sent.replayed, "what was refused does not stand");
        acknowledged.push(Message::clone(&sent.message));
    }
    assert_eq!(site.fatal(), 0);
    assert_eq!(history(&desk, &alice, chat).await, acknowledged);
    let view = desk.view(&alice, chat).await;
    drop(site.take_store());
    let desk = desk.reopen().await;
    assert_eq!(history(&desk, &alice, chat).await, acknowledged, "in order, without a hole");
    assert_eq!(desk.view(&alice, chat).await, view);
}

/// While it is full, what is only in memory stays there, and closing and opening lose nothing of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heads_that_found_no_room_are_counted_again() {
    let site = Site::new();
    let desk = Desk::open(site.clone()).await;
    let alice = desk.person("alice").await;
    let chat = desk.group([&alice]).await;
    desk.send_many(&alice, chat, 5).await;
    let view = desk.view(&alice, chat).await;
    site.disk.full(true);
    drop(site.take_store());
    let Desk { store, make, .. } = desk;
    drop(store);
    site.disk.full(false);
    let mut desk = Desk::open(site.clone()).await;
    desk.make = make;
    assert_eq!(desk.view(&alice, chat).await, view);
    desk.send(&alice, chat, "the sixth").await;
    assert_eq!(desk.seqs(&alice, chat).await, [1, 2, 3, 4, 5, 6]);
}

async fn history(desk: &Desk, who: &Person, chat: ConversationId) -> Vec<Message> {
    desk.history(who, chat, HistoryAnchor::Latest, 10_000).await.messages
}

#[test]
fn a_start_on_a_full_disk_says_so_and_works_when_there_is_room() {
    let site = Site::new();
    site.disk.full(true);
    let refused = site.try_open(InProcessLog::new()).map(drop).unwrap_err();
    assert!(matches!(refused, OpenError::Full), "{refused}");
    site.disk.full(false);
    site.try_open(InProcessLog::new()).map(drop).unwrap();
}
