//! What handles and the connection's task share: the queue of frames, bounded in bytes, and the wish to close.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::task::AtomicWaker;
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::acks::{AckError, Acks};
use crate::close::CloseReason;
use crate::config::Config;
use crate::frame::SharedFrame;
use crate::id::ConnectionId;

/// Why a frame was not queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The connection has ended or is about to.
    #[error("the connection is closed")]
    Closed,
    /// The client reads too slowly; this frame went over the budget, and the connection is being closed.
    #[error("the connection's queue is full")]
    QueueFull,
}

/// The shared half of one connection.
#[derive(Debug)]
pub(crate) struct Link {
    id: ConnectionId,
    queue_bytes_max: usize,
    acks_outstanding_max: usize,
    queue: Mutex<Queue>,
    written_tag: AtomicU64,
    waker: AtomicWaker,
    acks: Acks,
    /// Notified when something was written, and when nothing more will be.
    written: Notify,
}

#[derive(Debug, Default)]
struct Queue {
    frames: VecDeque<SharedFrame>,
    /// What is queued and what the task took but has not written, summed.
    bytes: usize,
    /// The task found nothing to write: only then must a new frame wake it. Blocked by a slow client it is woken by
    /// the socket, and would only find it still blocked.
    is_idle: bool,
    /// The first wish wins.
    close: Option<CloseReason>,
    /// The application's part is over, though the task may still write.
    is_ended: bool,
    /// Do not even say goodbye.
    is_aborted: bool,
}

impl Link {
    pub(crate) fn new(id: ConnectionId, config: &Config) -> Self {
        Self {
            id,
            queue_bytes_max: config.queue_bytes_max,
            acks_outstanding_max: config.acks_outstanding_max,
            queue: Mutex::default(),
            written_tag: AtomicU64::new(0),
            waker: AtomicWaker::new(),
            acks: Acks::default(),
            written: Notify::new(),
        }
    }

    pub(crate) const fn id(&self) -> ConnectionId {
        self.id
    }

    /// Queues a frame and wakes the task if it may be asleep.
    pub(super) fn send(&self, frame: SharedFrame) -> Result<(), SendError> {
        let (result, wake) = {
            let mut queue = self.queue.lock();
            if queue.is_ended {
                return Err(SendError::Closed);
            }
            let result = queue.push(frame, self.queue_bytes_max);
            let wake = std::mem::take(&mut queue.is_idle);
            (result, wake || result == Err(SendError::QueueFull))
        };
        if wake {
            self.waker.wake();
        }
        result
    }

    /// The same from the task itself, which writes before it sleeps.
    pub(super) fn send_from_task(&self, frame: SharedFrame) {
        // A full queue is noticed by the task as the wish to close.
        let _ = self.queue.lock().push(frame, self.queue_bytes_max);
    }

    /// The last frame of all, whatever the budget: it is one, and small.
    pub(super) fn send_last(&self, frame: SharedFrame) {
        let mut queue = self.queue.lock();
        queue.bytes += frame.cost_bytes();
        queue.frames.push_back(frame);
    }

    /// Wishes the end of the connection; an earlier wish stands.
    pub(crate) fn close(&self, reason: CloseReason) {
        self.queue.lock().close.get_or_insert(reason);
        self.waker.wake();
    }

    /// Ends the connection at once, whatever is still to be written.
    pub(crate) fn abort(&self) {
        self.queue.lock().is_aborted = true;
        self.waker.wake();
    }

    pub(super) async fn emit_with_ack(
        &self,
        name: &str,
        args_json: &str,
        timeout: Duration,
    ) -> Result<String, AckError> {
        let mut expected = self.acks.expect(self.acks_outstanding_max)?;
        self.send(SharedFrame::event_with_ack(name, args_json, expected.id))?;
        match tokio::time::timeout(timeout, &mut expected.receiver).await {
            Ok(received) => received.map_err(|_| AckError::Closed),
            Err(_) => Err(AckError::Timeout),
        }
    }

    pub(super) fn on_ack(&self, id: u64, args_json: &str) {
        self.acks.resolve(id, args_json);
    }

    /// The application's part is over: nothing more is taken from it, and who waits for acknowledgements is told.
    pub(super) fn end(&self) {
        self.queue.lock().is_ended = true;
        self.acks.close();
        self.written.notify_waiters();
    }

    /// The task is over: what was still queued is freed, although handles may keep this link for long.
    pub(super) fn clear(&self) {
        self.end();
        let mut queue = self.queue.lock();
        queue.bytes = 0;
        queue.frames = VecDeque::new();
    }

    pub(super) fn queue_bytes(&self) -> usize {
        self.queue.lock().bytes
    }

    pub(super) fn written_tag(&self) -> u64 {
        self.written_tag.load(Ordering::Relaxed)
    }

    /// From now on wishes wake this task.
    pub(super) fn register(&self, waker: &std::task::Waker) {
        self.waker.register(waker);
    }

    /// The wish to close, if there is one.
    pub(super) fn close_wish(&self) -> Option<CloseReason> {
        self.queue.lock().close
    }

    pub(super) fn is_aborted(&self) -> bool {
        self.queue.lock().is_aborted
    }

    /// Everything queued, in exchange for the empty queue; when there is nothing the task counts as asleep.
    pub(crate) fn take_frames(&self) -> VecDeque<SharedFrame> {
        let mut queue = self.queue.lock();
        queue.is_idle = queue.frames.is_empty();
        std::mem::take(&mut queue.frames)
    }

    /// Frames of this cost were written whole; the last tag among them, 0 for none.
    pub(crate) fn on_written(&self, cost_bytes: usize, tag: u64) {
        self.queue.lock().bytes -= cost_bytes;
        if tag != 0 {
            self.written_tag.store(tag, Ordering::Relaxed);
        }
        self.written.notify_waiters();
    }

    /// Waits until at most this much is queued, or the connection is ending.
    pub(super) async fn drained(&self, bytes_max: usize) {
        loop {
            let written = self.written.notified();
            tokio::pin!(written);
            // Before the look, so that a write between the look and the wait is not missed.
            written.as_mut().enable();
            {
                let queue = self.queue.lock();
                if queue.bytes <= bytes_max || queue.is_ended || queue.close.is_some() {
                    return;
                }
            }
            written.await;
        }
    }
}

impl Queue {
    fn push(&mut self, frame: SharedFrame, bytes_max: usize) -> Result<(), SendError> {
        if self.close.is_some() {
            return Err(SendError::Closed);
        }
        let bytes = self.bytes + frame.cost_bytes();
        if bytes > bytes_max {
            self.close = Some(CloseReason::QueueFull);
            // The client catches up from elsewhere; what it did not read is of no use, and memory is short.
            self.bytes -= self.frames.iter().map(SharedFrame::cost_bytes).sum::<usize>();
            self.frames = VecDeque::new();
            return Err(SendError::QueueFull);
        }
        self.bytes = bytes;
        self.frames.push_back(frame);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(queue_bytes_max: usize) -> Link {
        let config = Config { queue_bytes_max, ..Config::default() };
        Link::new(ConnectionId::random().unwrap(), &config)
    }

    #[test]
    fn a_frame_over_the_budget_closes_and_frees_what_waits() {
        let frame = SharedFrame::event("a", "1", 0);
        let link = link(frame.cost_bytes() * 2);
        assert_eq!(link.send(frame.clone()), Ok(()));
        assert_eq!(link.send(frame.clone()), Ok(()));
        assert_eq!(link.queue_bytes(), frame.cost_bytes() * 2);
        assert_eq!(link.send(frame.clone()), Err(SendError::QueueFull));
        assert_eq!(link.send(frame), Err(SendError::Closed));
        assert_eq!(link.close_wish(), Some(CloseReason::QueueFull));
        assert_eq!(link.queue_bytes(), 0);
    }

    #[test]
    fn what_the_task_took_counts_until_it_is_written() {
        let frame = SharedFrame::event("a", "1", 9);
        let link = link(frame.cost_bytes());
        assert_eq!(link.send(frame.clone()), Ok(()));
        assert_eq!(link.take_frames().len(), 1);
        assert_eq!(link.queue_bytes(), frame.cost_bytes());
        link.on_written(frame.cost_bytes(), frame.tag());
        assert_eq!((link.queue_bytes(), link.written_tag()), (0, 9));
        assert_eq!(link.send(frame), Ok(()));
    }

    #[tokio::test]
    async fn one_who_waits_for_room_goes_on_when_it_is_there_or_never_will_be() {
        let frame = SharedFrame::event("a", "1", 0);
        let link = std::sync::Arc::new(link(frame.cost_bytes() * 2));
        link.drained(0).await;
        assert_eq!(link.send(frame.clone()), Ok(()));
        let wait = |bytes_max| {
            let link = std::sync::Arc::clone(&link);
            tokio::spawn(async move { link.drained(bytes_max).await })
        };
        wait(frame.cost_bytes()).await.unwrap();
        let waiting = wait(0);
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        link.on_written(frame.cost_bytes(), 0);
        waiting.await.unwrap();
        assert_eq!(link.send(frame.clone()), Ok(()));
        let waiting = wait(0);
        tokio::task::yield_now().await;
        link.end();
        waiting.await.unwrap();
    }

    #[test]
    fn the_first_wish_to_close_stands() {
        let link = link(1_000);
        link.close(CloseReason::ServerShutdown);
        link.close(CloseReason::ServerClosed("later"));
        assert_eq!(link.close_wish(), Some(CloseReason::ServerShutdown));
    }
}
