//! The one writer: a worker of its own with a bounded queue before it.
//!
//! While one commit is being made durable the next batch gathers; no timers. Between batches the worker flushes heads
//! and, when the write-ahead log has grown, ends the checkpoint that a second connection has begun.

mod backfill;
mod checkpoint;
mod poison;
mod trouble;
mod worker;

use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::thread::{self, JoinHandle, ThreadId};
use std::time::Duration;

use parking_lot::{Mutex, RwLock};
use rusqlite::Connection;
use tidings_core::error::StoreError;
use tidings_core::fail_points::{FailPoint, reached};
use tidings_core::ids::LogId;
use tidings_core::ports::event_log::EventLog;

use crate::OpenError;
use crate::read::Readers;
use crate::state::Memory;
use crate::stats::{Counters, count};
use crate::write::{Change, Failure, Request, Tx, Waiting};

use self::poison::Poison;
use self::worker::Worker;

/// Requests that wait for the writer; the next is refused as overloaded.
pub const WRITER_QUEUE_MAX: usize = 8_192;

/// What the writer does beside writing, between two batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Upkeep {
    /// Heads are in their rows after this long, or after 100,000 events. The longer, the more messages share the
    /// writing of a head, and the more a start has to count again after a kill.
    pub flush_every: Duration,
    /// At three quarters of this size of the write-ahead log, in bytes, a checkpoint begins; above it the writer waits
    /// for it.
    pub wal_bytes_max: u64,
}

impl Default for Upkeep {
    fn default() -> Self {
        Self { flush_every: Duration::from_secs(5), wal_bytes_max: 64 * 1024 * 1024 }
    }
}

/// What is told of a failure after which nothing may be acknowledged.
pub type OnFatal = Arc<dyn Fn(&str) + Send + Sync>;

/// Takes requests to the worker.
pub(crate) struct Writer {
    queue: RwLock<Option<SyncSender<Box<dyn Request>>>>,
    worker: Mutex<Option<JoinHandle<()>>>,
    /// The threads of the writer: none of them can wait for itself.
    threads: [ThreadId; 2],
    poison: Arc<Poison>,
    counters: Arc<Counters>,
}

/// What the worker works with.
pub(crate) struct Parts {
    pub conn: Connection,
    /// The database's file.
    pub database: Arc<File>,
    /// From which the log is copied.
    pub backfill: Connection,
    pub memory: Memory,
    /// Up to here every event is in the head rows.
    pub flushed: LogId,
    /// Closed before the writer's own connection, or the log would outlive both.
    pub readers: Arc<Readers>,
    pub log: Arc<dyn EventLog>,
    pub counters: Arc<Counters>,
    pub on_fatal: OnFatal,
    pub upkeep: Upkeep,
}

impl Writer {
    pub(crate) fn spawn(parts: Parts) -> Result<Self, OpenError> {
        let (queue, requests) = sync_channel(WRITER_QUEUE_MAX);
        let poison = Poison::new(Arc::clone(&parts.on_fatal));
        let counters = Arc::clone(&parts.counters);
        let worker = Worker::new(parts, requests, Arc::clone(&poison))?;
        let beside = worker.beside();
        let worker = thread::Builder::new().name("writer".to_owned()).spawn(move || worker.run());
        let worker = worker.map_err(OpenError::Thread)?;
        let threads = [worker.thread().id(), beside];
        Ok(Self {
            queue: RwLock::new(Some(queue)),
            worker: Mutex::new(Some(worker)),
            threads,
            poison,
            counters,
        })
    }

    /// Runs a body in the next batch and waits for its commit. The place in the queue is taken when this is called,
    /// not when it is first polled.
    pub(crate) fn write<B, T, E>(&self, body: B) -> impl Future<Output = Result<T, E>> + Send + use<B, T, E>
    where
        B: FnMut(&mut Tx<'_>) -> Result<Change<T>, Failure<E>> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let (request, answer) = Waiting::new(body);
        let queued = self.enqueue(Box::new(request));
        async move {
            queued?;
            // A writer that died in the middle has not said what became of it.
            answer.await.unwrap_or_else(|_| Err(StoreError::OutcomeUnknown.into()))
        }
    }

    fn enqueue(&self, request: Box<dyn Request>) -> Result<(), StoreError> {
        if self.is_poisoned() {
            return Err(StoreError::Failed);
        }
        let queue = self.queue.read();
        match queue.as_ref().ok_or(StoreError::Failed)?.try_send(request) {
            Ok(()) => {
                self.counters.queued.fetch_add(1, Ordering::Relaxed);
                reached(FailPoint::Queued);
                Ok(())
            }
            Err(TrySendError::Full(_)) => {
                count(&self.counters.overloads);
                Err(StoreError::Overloaded)
            }
            Err(TrySendError::Disconnected(_)) => Err(StoreError::Failed),
        }
    }

    /// Requests that wait for the worker.
    pub(crate) fn queued(&self) -> usize {
        usize::try_from(self.counters.queued.load(Ordering::Relaxed)).unwrap_or_default()
    }

    /// Something has failed after which nothing may be acknowledged.
    pub(crate) fn is_poisoned(&self) -> bool {
        self.poison.is_set()
    }

    /// Takes no more requests, lets the worker finish those it has, flush and checkpoint, and waits for it.
    pub(crate) fn close(&self) {
        self.queue.write().take();
        let Some(worker) = self.worker.lock().take() else { return };
        // They may be the ones who close, from within `on_fatal`.
        if !self.threads.contains(&thread::current().id()) && worker.join().is_err() {
            tracing::error!("the writer ended in a panic");
        }
    }
}
