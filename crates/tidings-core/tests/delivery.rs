//! Delivery over the real store, from logs that skip, repeat and fall behind.

#![expect(clippy::unwrap_used, reason = "a test says what went wrong by panicking")]

#[path = "delivery/cold.rs"]
mod cold;
#[path = "delivery/node.rs"]
mod node;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;
use tidings_core::clock::{ManualClock, Timestamp};
use tidings_core::conversations::CreateConversation;
use tidings_core::events::{Event, EventBody};
use tidings_core::ids::{ConversationId, LogId, Seq, StreamId};
use tidings_core::limits::Limits;
use tidings_core::memory::InProcessLog;
use tidings_core::messages::HistoryAnchor;
use tidings_core::ports::event_log::{EventLog, Tailed};
use tidings_core::sessions::{self, Actor};
use tokio::sync::Notify;

use node::Node;

/// A log that hands over each event as often as it is told, zero included, by its place.
struct LyingLog {
    times: fn(LogId) -> usize,
    queue: Mutex<VecDeque<Arc<Event>>>,
    published: Notify,
}

#[async_trait]
impl EventLog for LyingLog {
    fn publish(&self, events: Vec<Arc<Event>>) {
        let mut queue = self.queue.lock();
        for event in events {
            queue.extend(std::iter::repeat_n(event.clone(), (self.times)(event.log_id)));
        }
        drop(queue);
        self.published.notify_one();
    }

    async fn tail(&self, _: LogId) -> Tailed {
        loop {
            let events: Vec<_> = self.queue.lock().drain(..).collect();
            if !events.is_empty() {
                return Tailed::Events(events);
            }
            self.published.notified().await;
        }
    }
}

/// Every position once, in order, up to the last.
fn assert_one_line(shown: &[u64], last: u64) {
    for (before, after) in shown.iter().zip(&shown[1..]) {
        assert_eq!(*after, before + 1, "twice, missing, or out of order");
    }
    assert_eq!(shown.last(), Some(&last));
}

fn lying(times: fn(LogId) -> usize) -> Arc<LyingLog> {
    Arc::new(LyingLog { times, queue: Mutex::default(), published: Notify::new() })
}

#[tokio::test]
async fn a_log_that_skips_and_repeats_is_repaired() {
    // 20 out of 27 places are never handed over, some come three times; the very last one of the test does come.
    let node = Node::over(lying(|log_id| match log_id.0 % 27 {
        0..=2 => 3,
        3..=6 => 1,
        _ if log_id.0 == 303 => 1,
        _ => 0,
    }))
    .await;
    node.deliver();
    let (alice, bob) = (node.user("alice").await, node.user("bob").await);
    let chat = node.direct(&alice, &bob).await;
    let mut last = 0;
    for n in 0..300 {
        last = node.send(if n % 2 == 0 { &alice } else { &bob }, chat).await;
    }
    let stream = StreamId::Conversation(chat);
    for user in [alice.user, bob.user] {
        node.shown.until(user, stream, last).await;
        let shown = node.shown.of(user, stream);
        // From the first one that this node heard of: every position once, in order.
        assert_one_line(&shown, last);
        assert!(shown.len() > 290, "it began at {}", shown[0]);
    }
}

#[tokio::test]
async fn a_node_that_has_fallen_behind_its_log_reads_the_store() {
    const MESSAGES: u64 = 9_000;
    let node = Node::over(InProcessLog::new()).await;
    let (alice, bob) = (node.user("alice").await, node.user("bob").await);
    let chat = node.direct(&alice, &bob).await;
    // More than the log holds, before anybody reads it; in parts, because the writer's queue is bounded.
    for _ in 0..MESSAGES / 1_000 {
        futures_util::future::join_all((0..1_000).map(|_| node.send(&alice, chat))).await;
    }
    node.deliver();
    let stream = StreamId::Conversation(chat);
    node.shown.until(bob.user, stream, MESSAGES + 1).await;
    let shown = node.shown.of(bob.user, stream);
    assert_eq!(shown[0], 1);
    assert_one_line(&shown, MESSAGES + 1);
    let last = node.send(&alice, chat).await;
    node.shown.until(bob.user, stream, last).await;
}

/// The node that ends a session does not wait for its own log to say so.
#[tokio::test]
async fn a_session_has_ended_when_logging_out_is_answered() {
    let node = Node::over(InProcessLog::new()).await;
    let alice = node.user("alice").await;
    assert_eq!(node.services.check_session(&alice), Ok(()));
    // Nobody reads the log.
    node.services.logout(&alice).await.unwrap();
    assert_eq!(node.services.check_session(&alice), Err(sessions::Error::Ended));
}

/// What another node has ended is known here when the log has said so.
#[tokio::test]
async fn a_session_that_was_ended_elsewhere_ends_with_its_event() {
    let node = Node::over(InProcessLog::new()).await;
    node.deliver();
    let alice = node.user("alice").await;
    let (store, now) = (&node.services.store, node.services.clock.now());
    store.end_session(alice, alice.session, now, now.plus_seconds(1_000)).await.unwrap();
    let (end, _) = store.log_bounds().await.unwrap();
    while node.delivery.watermark() < end {
        tokio::task::yield_now().await;
    }
    assert_eq!(node.services.check_session(&alice), Err(sessions::Error::Ended));
}

/// A replay whose first page came from the store ends where the store stood, which may be above what has been
/// dispatched: its next pages must not come from the tail in memory, which lacks that end.
#[tokio::test]
async fn a_replay_that_begins_in_the_store_ends_where_the_store_stood() {
    // Place 6 is committed and never dispatched.
    let node = Node::over(lying(|log_id| usize::from(log_id.0 <= 5))).await;
    node.deliver();
    let (alice, bob) = (node.user("alice").await, node.user("bob").await); // places 1 and 2
    let chat = node.direct(&alice, &bob).await; // 3
    let stream = StreamId::Conversation(chat);
    node.shown.until(bob.user, stream, 1).await;
    let mut since = node.delivery.present_token();
    let second = node.send(&alice, chat).await; // 4
    node.shown.until(bob.user, stream, second).await;
    // Another device of his connects: from here on the tail keeps his events at hand.
    while node.delivery.watermark() < LogId(4) {
        tokio::task::yield_now().await;
    }
    node.delivery.track(bob.user);
    let third = node.send(&alice, chat).await; // 5
    node.shown.until(bob.user, stream, third).await;
    let last = node.send(&alice, chat).await; // 6
    let mut given = Vec::new();
    loop {
        let page = node.services.sync(&bob, Some(&since.to_string()), Some(1), usize::MAX).await.unwrap();
        given.extend(page.events.iter().map(|event| event.pos.0));
        since = page.next;
        if !page.has_more {
            break;
        }
    }
    assert_eq!(given, [second, third, last]);
}

/// A log that hands over only what the test lets go.
#[derive(Default)]
struct HeldLog {
    held: Mutex<VecDeque<Arc<Event>>>,
    ready: Mutex<VecDeque<Arc<Event>>>,
    released: Notify,
}

impl HeldLog {
    fn release(&self, count: usize) {
        let mut held = self.held.lock();
        let count = count.min(held.len());
        self.ready.lock().extend(held.drain(..count));
        drop(held);
        self.released.notify_one();
    }
}

#[async_trait]
impl EventLog for HeldLog {
    fn publish(&self, events: Vec<Arc<Event>>) {
        self.held.lock().extend(events);
    }

    async fn tail(&self, _: LogId) -> Tailed {
        loop {
            let events: Vec<_> = self.ready.lock().drain(..).collect();
            if !events.is_empty() {
                return Tailed::Events(events);
            }
            self.released.notified().await;
        }
    }
}

/// A device that asks for page after page and shows each message once, in order.
struct Device {
    actor: Actor,
    since: String,
    shown: HashMap<ConversationId, u64>,
    /// What happened so far, for who has to read a failure.
    story: Vec<String>,
}

impl Device {
    /// Takes one page. Gives whether there are more.
    async fn take_page(&mut self, node: &Node, limit: usize) -> bool {
        let page = node.services.sync(&self.actor, Some(&self.since), Some(limit), usize::MAX).await.unwrap();
        assert_eq!(page.reset, None);
        self.story.push(format!(
            "page of {}, {} skipped, more: {}",
            page.events.len(),
            page.skipped.len(),
            page.has_more
        ));
        for event in &page.events {
            if let EventBody::MessageSent(message) = &event.body {
                self.show(message.id.conversation, message.id.seq);
            }
        }
        for skipped in &page.skipped {
            let StreamId::Conversation(conversation) = skipped.stream else { continue };
            let last = self.shown.get(&conversation).copied().unwrap_or_default();
            let anchor = HistoryAnchor::After(Seq(last));
            let window =
                node.services.get_history(&self.actor, conversation, anchor, Some(200)).await.unwrap();
            for message in window.messages {
                self.show(conversation, message.id.seq);
            }
        }
        self.since = page.next.to_string();
        page.has_more
    }

    fn show(&mut self, conversation: ConversationId, seq: Seq) {
        let last = self.shown.entry(conversation).or_default();
        assert!(seq.0 <= *last + 1, "{seq} after {last}: something is missing\n{}", self.story.join("\n"));
        *last = (*last).max(seq.0);
    }
}

/// Pages of any size, from memory and from the store, while the log lags, the tail forgets, other devices come and go,
/// and messages arrive: whatever the mixture, nothing is missing.
#[tokio::test]
async fn however_a_replay_is_mixed_nothing_is_missing() {
    for seed in 0..60_u64 {
        let (log, clock) = (Arc::<HeldLog>::default(), Arc::new(ManualClock::starting_at(Timestamp(0))));
        let limits = Limits { sync_stream_events_max: 6, ..Limits::default() };
        let node = Node::with(log.clone(), clock.clone(), limits).await;
        node.deliver();
        let (alice, bob) = (node.user("alice").await, node.user("bob").await);
        let chats = [node.direct(&alice, &bob).await, {
            let create = CreateConversation::Group { title: "g".to_owned(), users: vec![bob.user] };
            node.services.create_conversation(&alice, create, None).await.unwrap().view.conversation.id
        }];
        let since = node.delivery.present_token().to_string();
        let story = vec![format!("seed {seed}")];
        let mut device = Device { actor: bob, since, shown: HashMap::new(), story };
        let mut random = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        let mut draw = |below: u64| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random % below
        };
        let (mut sent, mut connected) = ([0_u64; 2], false);
        for _ in 0..80 {
            match draw(10) {
                0..=3 => {
                    let chat = usize::try_from(draw(2)).unwrap();
                    node.send(&alice, chats[chat]).await;
                    sent[chat] += 1;
                    device.story.push(format!("sent to {chat}"));
                }
                4 | 5 => {
                    log.release(usize::try_from(draw(8)).unwrap());
                    for _ in 0..20 {
                        tokio::task::yield_now().await;
                    }
                    device.story.push(format!("dispatched to {}", node.delivery.watermark()));
                }
                6 => {
                    clock.advance_seconds(61);
                    device.story.push("the tail grows old".to_owned());
                }
                7 => {
                    if connected {
                        node.delivery.untrack(bob.user);
                    } else {
                        node.delivery.track(bob.user);
                    }
                    connected = !connected;
                    device.story.push(format!("another device: {connected}"));
                }
                _ => {
                    device.take_page(&node, usize::try_from(1 + draw(4)).unwrap()).await;
                }
            }
        }
        log.release(usize::MAX);
        let (end, _) = node.services.store.log_bounds().await.unwrap();
        while node.delivery.watermark() < end {
            tokio::task::yield_now().await;
        }
        // A replay that was under way ends where it began to; the next one gives the rest.
        for _ in 0..2 {
            while device.take_page(&node, 2).await {}
        }
        let shown = chats.map(|chat| device.shown.get(&chat).copied().unwrap_or_default());
        assert_eq!(shown, sent, "{}", device.story.join("\n"));
    }
}
