//! Readers: a bounded queue, one of them delivery's own, and a look that tells whether the store can be read.

use std::sync::{Arc, mpsc};
use std::time::Duration;

use tidings_core::error::StoreError;
use tidings_core::ids::{LogId, Pos, StreamId};
use tidings_core::messages::{self, HistoryAnchor};
use tidings_core::ports::store::{EventStore, MessageStore};
use tidings_testkit::disk::FaultyDisk;
use tokio::task::JoinHandle;

use super::desk::Desk;
use crate::READS_WAITING_MAX;
use crate::write::{Change, Failure};

/// Reads that take until this is dropped.
struct SlowReads {
    release: Vec<mpsc::Sender<()>>,
    reads: Vec<JoinHandle<Result<(), StoreError>>>,
}

impl SlowReads {
    /// On all connections that are not delivery's.
    async fn begin(desk: &Desk) -> Self {
        let mut slow = Self { release: Vec::new(), reads: Vec::new() };
        for _ in 0..super::desk::READERS {
            let (release, released) = mpsc::channel::<()>();
            let (begun, has_begun) = tokio::sync::oneshot::channel();
            let readers = Arc::clone(&desk.store.readers);
            slow.release.push(release);
            slow.reads.push(tokio::spawn(async move {
                readers
                    .read(move |_| {
                        begun.send(()).ok();
                        released.recv().ok();
                        Ok::<_, Failure<StoreError>>(())
                    })
                    .await
            }));
            has_begun.await.unwrap();
        }
        slow
    }

    async fn end(self) {
        drop(self.release);
        for read in self.reads {
            read.await.unwrap().unwrap();
        }
    }
}

#[tokio::test]
async fn delivery_reads_while_everybody_scrolls_back() {
    let desk = Desk::new();
    let alice = desk.person("alice").await;
    let chat = desk.group(&alice, &[]).await;
    let slow = SlowReads::begin(&desk).await;
    let delivery = async {
        assert_eq!(desk.store.load_rosters(&[chat], LogId(0)).await.unwrap()[0].len(), 1);
        assert_eq!(desk.store.list_log(LogId(0), 100).await.unwrap().len(), 2);
        let stream = StreamId::Conversation(chat);
        assert_eq!(desk.store.list_stream_range(stream, Pos(0), Pos(9)).await.unwrap().len(), 1);
    };
    tokio::time::timeout(Duration::from_secs(5), delivery).await.expect("a connection of its own");
    slow.end().await;
}

#[tokio::test]
async fn so_many_reads_wait_and_the_next_is_refused() {
    let desk = Desk::new();
    let alice = desk.person("alice").await;
    let chat = desk.group(&alice, &[]).await;
    let slow = SlowReads::begin(&desk).await;
    let look = {
        let store = Arc::clone(&desk.store);
        move || {
            let store = Arc::clone(&store);
            async move { store.list_messages(alice.user, chat, HistoryAnchor::Latest, 1).await }
        }
    };
    let waiting: Vec<_> = (0..READS_WAITING_MAX).map(|_| tokio::spawn(look())).collect();
    while desk.store.readers.waiting() < READS_WAITING_MAX {
        tokio::task::yield_now().await;
    }
    let refused = tokio::time::timeout(Duration::from_secs(5), look()).await.expect("at once");
    assert!(matches!(refused, Err(messages::Error::Store(StoreError::Overloaded))), "{refused:?}");
    assert_eq!(desk.store.check_readable().await, Err(StoreError::Overloaded));
    assert_eq!(desk.store.stats().read_overloads, 2);
    // One who gives up makes room.
    waiting[0].abort();
    while desk.store.readers.waiting() == READS_WAITING_MAX {
        tokio::task::yield_now().await;
    }
    let one_more = tokio::spawn(look());
    slow.end().await;
    for read in waiting.into_iter().skip(1) {
        read.await.unwrap().unwrap();
    }
    one_more.await.unwrap().unwrap();
    look().await.unwrap();
}

#[tokio::test]
async fn a_store_that_can_be_read_says_so() {
    let desk = Desk::new();
    assert_eq!(desk.store.check_readable().await, Ok(()));
    let broken = desk.store.writer.write(|tx| {
        tx.conn.execute("DELETE FROM meta WHERE key = 'epoch'", [])?;
        Ok::<_, Failure<StoreError>>(Change::silent((), "for this test"))
    });
    broken.await.unwrap();
    assert_eq!(desk.store.check_readable().await, Err(StoreError::Failed), "it looks at a row");
    desk.store.close();
    assert_eq!(desk.store.check_readable().await, Err(StoreError::Failed));
}

#[tokio::test]
async fn a_store_that_acknowledges_nothing_more_is_not_ready() {
    let disk = FaultyDisk::new();
    let desk = Desk::on(&disk);
    let alice = desk.person("alice").await;
    let chat = desk.group(&alice, &[]).await;
    disk.fail_syncs(1);
    let unknown = desk.store.append_message(desk.message(&alice, chat, "hi")).await;
    assert!(matches!(unknown, Err(messages::Error::Store(StoreError::OutcomeUnknown))), "{unknown:?}");
    assert_eq!(desk.store.check_readable().await, Err(StoreError::Failed));
}
