//! What handles, requests and the task of a session share: the queue of frames, bounded in bytes, the way out of them,
//! and the wish to close.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Waker};

use futures_util::task::AtomicWaker;
use parking_lot::Mutex;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::sync::Notify;

use super::flusher::Flusher;
use super::mailbox::{Mailbox, Poll as PollRequest};
use super::outgoing::{Flushed, Outgoing, To, Way};
use super::pending::Pending;
use super::queue::{Flush, Queue, SendError, Written};
use crate::close::CloseReason;
use crate::config::Config;
use crate::frame::SharedFrame;
use crate::id::ConnectionId;

/// The shared half of one session of Engine.IO. What every frame touches stands first, in few cache lines: with ten
/// thousand sessions each of them is fetched from memory.
#[repr(C)]
pub(crate) struct Link {
    flusher: Arc<Flusher>,
    queue_bytes_max: usize,
    queue: Mutex<Queue>,
    /// Locked before the queue where both are.
    outgoing: Mutex<Outgoing>,
    engine_id: ConnectionId,
    /// What requests of long-polling bring; none once the session has a WebSocket.
    mailbox: Mutex<Option<Box<Mailbox>>>,
    waker: AtomicWaker,
    /// Notified when something was written, and when nothing more will be.
    written: Notify,
}

impl Link {
    pub(super) fn new(engine_id: ConnectionId, config: &Config, flusher: Arc<Flusher>, to: To) -> Arc<Self> {
        let mailbox = matches!(to, To::Poll(_)).then(Box::default);
        Arc::new(Self {
            engine_id,
            queue_bytes_max: config.queue_bytes_max,
            flusher,
            queue: Mutex::default(),
            outgoing: Mutex::new(Outgoing::new(to)),
            mailbox: Mutex::new(mailbox),
            waker: AtomicWaker::new(),
            written: Notify::new(),
        })
    }

    /// The id that requests name. Who knows it can act for the client.
    pub(crate) const fn engine_id(&self) -> ConnectionId {
        self.engine_id
    }

    /// Queues a frame and sees to it that somebody writes it.
    pub(crate) fn send(self: &Arc<Self>, frame: SharedFrame) -> Result<(), SendError> {
        self.try_send(frame, usize::MAX).map(|_| ())
    }

    /// The same, unless more than `bytes_max` would be queued: then nothing happens, and it is false.
    pub(crate) fn try_send(
        self: &Arc<Self>,
        frame: SharedFrame,
        bytes_max: usize,
    ) -> Result<bool, SendError> {
        let mut queue = self.queue.lock();
        if queue.is_ended {
            return Err(SendError::Closed);
        }
        if queue.bytes + frame.cost_bytes() > bytes_max {
            return Ok(false);
        }
        let result = queue.push(frame, self.queue_bytes_max);
        let must_list = result.is_ok() && queue.flush == Flush::Idle;
        if must_list {
            queue.flush = Flush::Listed;
        }
        drop(queue);
        if must_list {
            self.flusher.list(Arc::clone(self));
        } else if result == Err(SendError::QueueFull) {
            self.waker.wake();
        }
        result.map(|()| true)
    }

    /// The same from the task itself, which flushes before it sleeps.
    pub(crate) fn send_from_task(&self, frame: SharedFrame) {
        // A full queue is noticed by the task as the wish to close.
        let _ = self.queue.lock().push(frame, self.queue_bytes_max);
    }

    /// The last frames of all, whatever the budget: they are few, and small.
    pub(crate) fn send_last(&self, frame: SharedFrame) {
        let mut queue = self.queue.lock();
        queue.bytes += frame.cost_bytes();
        queue.frames.push(frame);
    }

    /// Wishes the end of the connection; an earlier wish stands.
    pub(crate) fn close(&self, reason: CloseReason) {
        self.queue.lock().close.get_or_insert(reason);
        self.waker.wake();
    }

    /// Ends the connection at once, whatever is still to be written.
    pub(super) fn abort(&self) {
        self.queue.lock().is_aborted = true;
        self.waker.wake();
    }

    /// Wakes the task, which will find [`Self::take_call`].
    pub(crate) fn call(&self) {
        self.queue.lock().is_called = true;
        self.waker.wake();
    }

    /// Whether [`Self::call`] was called since the last look.
    pub(crate) fn take_call(&self) -> bool {
        std::mem::take(&mut self.queue.lock().is_called)
    }

    /// The application's part is over: nothing more is taken from it.
    pub(crate) fn end(&self) {
        self.queue.lock().is_ended = true;
        self.written.notify_waiters();
    }

    /// The task is over: what was still queued is freed, and the stream with it, although handles may keep this link
    /// for long.
    pub(super) fn clear(&self) {
        self.end();
        let outgoing = std::mem::replace(&mut *self.outgoing.lock(), Outgoing::new(To::Nobody));
        if let To::Tcp(writer) = outgoing.to {
            // The task closes the whole socket: no call for one side of it.
            writer.forget();
        }
        *self.mailbox.lock() = None;
        let mut queue = self.queue.lock();
        queue.bytes = 0;
        queue.frames = Pending::default();
    }

    /// Whether frames are taken still.
    pub(crate) fn is_open(&self) -> bool {
        let queue = self.queue.lock();
        !queue.is_ended && queue.close.is_none()
    }

    /// No WebSocket has taken over.
    pub(crate) fn is_polling(&self) -> bool {
        self.mailbox.lock().is_some()
    }

    pub(crate) fn queue_bytes(&self) -> usize {
        self.queue.lock().bytes
    }

    /// Bytes that went out by a stream since the beginning.
    pub(super) fn written_bytes(&self) -> u64 {
        self.outgoing.lock().frames.total_bytes
    }

    pub(crate) fn written_tag(&self) -> u64 {
        self.queue.lock().written_tag
    }

    /// From now on wishes wake this task.
    pub(super) fn register(&self, waker: &Waker) {
        self.waker.register(waker);
    }

    pub(super) fn wake(&self) {
        self.waker.wake();
    }

    /// The wish to close, if there is one.
    pub(super) fn close_wish(&self) -> Option<CloseReason> {
        self.queue.lock().close
    }

    pub(super) fn is_aborted(&self) -> bool {
        self.queue.lock().is_aborted
    }

    /// Writes what is queued as far as the client takes it. Who calls is told what is left to do; the flusher leaves it
    /// to the task.
    pub(super) fn flush(&self) -> Flushed {
        let mut outgoing = self.outgoing.lock();
        let flushed = outgoing.flush(self);
        if flushed == Flushed::Blocked {
            self.queue.lock().flush = Flush::Blocked;
        }
        flushed
    }

    /// The same for a stream that only the task can write to.
    pub(super) fn flush_to(&self, way: &mut Way<'_, '_>) -> Flushed {
        let mut outgoing = self.outgoing.lock();
        let flushed = outgoing.flush_to(self, way);
        if flushed == Flushed::Blocked {
            self.queue.lock().flush = Flush::Blocked;
        }
        flushed
    }

    /// What requests have brought, as long as they bring something: none once the session has a WebSocket.
    pub(super) fn with_mailbox<T>(&self, look: impl FnOnce(&mut Mailbox) -> T) -> Option<T> {
        self.mailbox.lock().as_mut().map(|mailbox| look(mailbox))
    }

    /// From here on frames go to this stream. A poll that waits is given back.
    pub(super) fn upgrade(&self, writer: Option<OwnedWriteHalf>) -> Option<PollRequest> {
        *self.mailbox.lock() = None;
        let to = writer.map_or(To::Task, To::Tcp);
        match std::mem::replace(&mut self.outgoing.lock().to, to) {
            To::Poll(waiting) => waiting,
            _ => None,
        }
    }

    /// A poll that will be answered when there is something to say; given back where one waits already.
    pub(super) fn wait(&self, poll: PollRequest) -> Result<(), PollRequest> {
        self.outgoing.lock().wait(poll)
    }

    /// The poll that waits, if one does.
    pub(super) fn take_waiting(&self) -> Option<PollRequest> {
        match &mut self.outgoing.lock().to {
            To::Poll(waiting) => waiting.take(),
            _ => None,
        }
    }

    /// Whether a poll waited and its client is gone. Wakes the task when that happens.
    pub(super) fn is_poll_cancelled(&self, cx: &mut Context<'_>) -> bool {
        match &mut self.outgoing.lock().to {
            To::Poll(Some(waiting)) => waiting.is_cancelled(cx),
            _ => false,
        }
    }

    /// Takes what is queued: gives the only frame, or puts several into an empty queue. Where there is nothing, the
    /// next frame has to be listed again.
    pub(super) fn take_frames(&self, several: &mut VecDeque<SharedFrame>) -> Option<SharedFrame> {
        self.queue.lock().take(several)
    }

    /// Whether something is queued. Where there is nothing, the next frame has to be listed again.
    pub(super) fn has_frames(&self) -> bool {
        let mut queue = self.queue.lock();
        if queue.frames.is_empty() {
            queue.flush = Flush::Idle;
        }
        !queue.frames.is_empty()
    }

    /// One write finished this.
    pub(super) fn on_written(&self, written: &Written) {
        self.on_written_then(written, |_| ());
    }

    /// The same and [`Self::take_frames`] at once.
    pub(super) fn on_written_then_take(
        &self,
        written: &Written,
        several: &mut VecDeque<SharedFrame>,
    ) -> Option<SharedFrame> {
        self.on_written_then(written, |queue| queue.take(several))
    }

    fn on_written_then<T>(&self, written: &Written, then: impl FnOnce(&mut Queue) -> T) -> T {
        self.flusher.count(written.frames);
        let mut queue = self.queue.lock();
        let is_awaited = queue.on_written(written);
        let next = then(&mut queue);
        drop(queue);
        if is_awaited {
            self.written.notify_waiters();
        }
        next
    }

    /// Waits until at most this much is queued, or the connection is ending.
    pub(crate) async fn drained(&self, bytes_max: usize) {
        loop {
            let written = self.written.notified();
            tokio::pin!(written);
            // Before the look, so that a write between the look and the wait is not missed.
            written.as_mut().enable();
            {
                let mut queue = self.queue.lock();
                if queue.bytes <= bytes_max || queue.is_ended || queue.close.is_some() {
                    return;
                }
                queue.is_awaited = true;
            }
            written.await;
        }
    }
}

#[cfg(test)]
mod tests;
