//! The log of the single node: the writer hands over what it has just committed.

use std::collections::VecDeque;
use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::events::Event;
use crate::ids::LogId;
use crate::ports::event_log::{EventLog, Tailed};

/// What the log holds for a reader that is slower than the writer. Beyond it the reader goes to the store.
const EVENTS_MAX: usize = 8_192;
/// The same in bytes.
const BYTES_MAX: usize = 16 * 1024 * 1024;
/// Events that a reader gets at a time.
const BATCH_MAX: usize = 512;

/// A bounded buffer of the newest events. It expects the log ids of one writer: dense.
#[derive(Default)]
pub struct InProcessLog {
    buffer: Mutex<Buffer>,
    published: Notify,
}

#[derive(Default)]
struct Buffer {
    events: VecDeque<Arc<Event>>,
    bytes: usize,
}

impl InProcessLog {
    /// An empty log.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Arc::default()
    }
}

impl Buffer {
    fn push(&mut self, event: Arc<Event>) {
        self.bytes += event.bytes();
        self.events.push_back(event);
        while self.events.len() > EVENTS_MAX || self.bytes > BYTES_MAX && self.events.len() > 1 {
            if let Some(oldest) = self.events.pop_front() {
                self.bytes -= oldest.bytes();
            }
        }
    }

    fn after(&self, after: LogId) -> Option<Tailed> {
        let newest = self.events.back()?.log_id;
        if newest <= after {
            return None;
        }
        let from = self.events.partition_point(|event| event.log_id <= after);
        if self.events[from].log_id != after.next() {
            return Some(Tailed::Behind);
        }
        Some(Tailed::Events(self.events.range(from..).take(BATCH_MAX).cloned().collect()))
    }
}

#[async_trait]
impl EventLog for InProcessLog {
    fn publish(&self, events: Vec<Arc<Event>>) {
        let mut buffer = self.buffer.lock();
        for event in events {
            buffer.push(event);
        }
        drop(buffer);
        self.published.notify_one();
    }

    async fn tail(&self, after: LogId) -> Tailed {
        loop {
            if let Some(tailed) = self.buffer.lock().after(after) {
                return tailed;
            }
            // One reader: a permit left by a publish between the look and this wait ends the wait at once.
            self.published.notified().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::events::EventBody;
    use crate::ids::{Pos, SessionId, StreamId, UserId};
    use uuid::Uuid;

    fn event(n: u64) -> Arc<Event> {
        let user = UserId(Uuid::nil());
        Arc::new(Event {
            log_id: LogId(n),
            stream: StreamId::User(user),
            pos: Pos(n),
            span: 1,
            at: Timestamp(0),
            actor: user,
            body: EventBody::SessionEnded { session: SessionId(Uuid::nil()), tokens_until: Timestamp(0) },
        })
    }

    async fn ids(log: &InProcessLog, after: u64) -> Option<Vec<u64>> {
        match log.tail(LogId(after)).await {
            Tailed::Events(events) => Some(events.iter().map(|event| event.log_id.0).collect()),
            Tailed::Behind => None,
        }
    }

    #[tokio::test]
    async fn a_reader_gets_what_follows_its_place_and_waits_for_more() {
        let log = InProcessLog::new();
        log.publish(vec![event(1), event(2), event(3)]);
        assert_eq!(ids(&log, 1).await, Some(vec![2, 3]));
        let reader = tokio::spawn({
            let log = Arc::clone(&log);
            async move { ids(&log, 3).await }
        });
        tokio::task::yield_now().await;
        log.publish(vec![event(4)]);
        assert_eq!(reader.await.unwrap(), Some(vec![4]));
    }

    #[tokio::test]
    async fn a_reader_that_is_too_slow_is_told_so() {
        let log = InProcessLog::new();
        log.publish((1..=EVENTS_MAX as u64 + 1).map(event).collect());
        assert_eq!(ids(&log, 0).await, None);
        assert_eq!(ids(&log, 1).await.map(|ids| ids[0]), Some(2));
    }

    #[tokio::test]
    async fn what_was_committed_before_the_buffer_began_is_not_skipped() {
        let log = InProcessLog::new();
        log.publish(vec![event(10)]);
        assert_eq!(ids(&log, 8).await, None);
        assert_eq!(ids(&log, 9).await, Some(vec![10]));
    }
}
