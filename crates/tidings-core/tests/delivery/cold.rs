//! Catch-ups that the tail in memory cannot serve.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use rusqlite::Connection;
use tidings_core::clock::SystemClock;
use tidings_core::limits::Limits;
use tidings_core::memory::InProcessLog;
use tidings_core::sync::ResetReason;

use crate::node::Node;

/// When everybody comes back at once, those who send are not the ones who wait.
#[tokio::test]
async fn so_many_cold_catch_ups_run_and_the_next_waits_for_its_turn() {
    let limits = Limits { sync_cold_max: 1, ..Limits::default() };
    let node = Node::with(InProcessLog::new(), Arc::new(SystemClock), limits).await;
    let alice = node.user("alice").await;
    let since = node.delivery.present_token().to_string();
    let catch_up = || node.services.sync(&alice, Some(&since), None, usize::MAX);
    // It has asked the store and is not looked at again: its turn does not end. Where the store answered before that
    // was seen, another one asks.
    let mut first = Box::pin(catch_up());
    while poll_fn(|context| Poll::Ready(first.as_mut().poll(context).is_ready())).await {
        first = Box::pin(catch_up());
    }
    let second = tokio::time::timeout(Duration::from_millis(200), catch_up()).await;
    assert!(second.is_err(), "it did not wait");
    drop(first);
    assert_eq!(catch_up().await.unwrap().events.len(), 1, "her own registration");
}

/// What is no longer in the log cannot be replayed, and is not passed over in silence.
#[tokio::test]
async fn a_token_from_before_the_log_begins_is_too_old() {
    let node = Node::over(InProcessLog::new()).await;
    let (alice, bob) = (node.user("alice").await, node.user("bob").await);
    let since = node.delivery.present_token().to_string();
    let chat = node.direct(&alice, &bob).await;
    node.send(&alice, chat).await;
    let node = node
        .reopen(|dir| {
            let pruned =
                "DELETE FROM event; UPDATE meta SET value = (SELECT value FROM meta WHERE key = 'heads_log')
                          WHERE key = 'events_floor_log'";
            Connection::open(dir.join("tidings.db")).unwrap().execute_batch(pruned).unwrap();
        })
        .await;
    let page = node.services.sync(&bob, Some(&since), None, usize::MAX).await.unwrap();
    assert_eq!((page.reset, page.events.len()), (Some(ResetReason::TooOld), 0));
    let next = page.next.to_string();
    let page = node.services.sync(&bob, Some(&next), None, usize::MAX).await.unwrap();
    assert_eq!(page.reset, None);
}
