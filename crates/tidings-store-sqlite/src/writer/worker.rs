//! The worker: takes what is there, writes it in one transaction, hands it over, answers.

use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use rusqlite::config::DbConfig;
use rusqlite::trace::{TraceEvent, TraceEventCodes};
use tidings_core::error::StoreError;
use tidings_core::events::{Event, EventBody};
use tidings_core::fail_points::{FailPoint, fails, reached};
use tidings_core::ids::LogId;
use tidings_core::ports::event_log::EventLog;

use super::backfill::Backfill;
use super::checkpoint::{self, Checkpoints};
use super::poison::{FatalIfPanicking, Poison};
use super::trouble::{Trouble, begin, commit, roll_back};
use super::{Parts, Upkeep};
use crate::OpenError;
use crate::heads::flush::Round;
use crate::read::Readers;
use crate::state::Memory;
use crate::stats::{Counters, add, count};
use crate::write::{Draft, Request, Tx, Unexpected};

/// Requests in one transaction.
const BATCH_MAX: usize = 512;
/// With more dirty heads than this they are flushed at once.
const DIRTY_HEADS_MAX: usize = 20_000;

/// With more events than this after the heads in the rows they are flushed at once: a start that has to count them
/// again takes some tenths of a second.
const UNFLUSHED_MAX: u64 = 100_000;

pub(super) struct Worker {
    conn: Connection,
    memory: Memory,
    readers: Arc<Readers>,
    log: Arc<dyn EventLog>,
    counters: Arc<Counters>,
    requests: Receiver<Box<dyn Request>>,
    poison: Arc<Poison>,
    checkpoints: Checkpoints,
    upkeep: Upkeep,
    /// Up to here every event is in the head rows.
    flushed: LogId,
    flush_due: Option<Instant>,
    round: Option<Round>,
    told_full: Option<Instant>,
    /// Open for longer than every connection: whoever closes a file takes the locks of the whole process on it away.
    _database: Arc<File>,
}

/// A full disk is told of this often: the log may be kept on the same one.
const TELL_FULL_EVERY: Duration = Duration::from_secs(60);

enum Next {
    Batch(Vec<Box<dyn Request>>),
    Idle,
    Closed,
}

impl Worker {
    pub(super) fn new(
        parts: Parts,
        requests: Receiver<Box<dyn Request>>,
        poison: Arc<Poison>,
    ) -> Result<Self, OpenError> {
        let Parts { mut conn, database, backfill, memory, flushed, readers, log, counters, upkeep, .. } =
            parts;
        let (told, counted) = (Arc::clone(&poison), Arc::clone(&counters));
        let backfill =
            Backfill::spawn(backfill, Arc::clone(&database), told, counted).map_err(OpenError::Thread)?;
        let checkpoints =
            Checkpoints::watch(&mut conn, backfill, Arc::clone(&counters), upkeep.wal_bytes_max)?;
        count_statements(&mut conn, Arc::clone(&counters));
        // A process that is killed again and again before its first flush would leave more and more to the next.
        let wait = if is_much(memory.log, flushed) { Duration::ZERO } else { upkeep.flush_every };
        let flush_due = (memory.log > flushed).then(|| Instant::now() + wait);
        Ok(Self {
            conn,
            memory,
            readers,
            log,
            counters,
            requests,
            poison,
            checkpoints,
            upkeep,
            flushed,
            flush_due,
            round: None,
            told_full: None,
            _database: database,
        })
    }

    /// The thread that works beside this one.
    pub(super) fn beside(&self) -> ThreadId {
        self.checkpoints.thread()
    }

    pub(super) fn run(mut self) {
        let _fatal = FatalIfPanicking(Arc::clone(&self.poison));
        loop {
            match self.next() {
                Next::Batch(batch) if self.poison.is_set() => self.answer(batch, Err(StoreError::Failed)),
                Next::Batch(batch) => self.write(batch),
                Next::Idle => {}
                Next::Closed => break,
            }
            self.keep_house();
        }
        self.finish();
    }

    fn next(&mut self) -> Next {
        let first = if self.round.is_some() {
            self.requests.recv_timeout(Duration::ZERO)
        } else if let Some(due) = self.flush_due {
            self.requests.recv_timeout(due.saturating_duration_since(Instant::now()))
        } else {
            self.requests.recv().map_err(|_| RecvTimeoutError::Disconnected)
        };
        match first {
            Ok(first) => {
                // Where the writer shares its core with those who ask, it is woken by the first of them before the
                // others have come: with their turn in between they share this commit instead of waiting for it.
                thread::yield_now();
                let mut batch = vec![first];
                batch.extend(self.requests.try_iter().take(BATCH_MAX - 1));
                let taken = i64::try_from(batch.len()).unwrap_or(i64::MAX);
                self.counters.queued.fetch_sub(taken, Ordering::Relaxed);
                Next::Batch(batch)
            }
            Err(RecvTimeoutError::Timeout) => Next::Idle,
            Err(RecvTimeoutError::Disconnected) => Next::Closed,
        }
    }

    /// Writes a batch, or each of it by itself where together they met something unexpected.
    fn write(&mut self, mut batch: Vec<Box<dyn Request>>) {
        count(&self.counters.batches);
        add(&self.counters.batch_requests, batch.len());
        self.counters.batch_requests_max.fetch_max(batch.len() as u64, Ordering::Relaxed);
        let begun = Instant::now();
        let attempted = self.attempt(&mut batch);
        if attempted.is_ok() {
            self.counters.sizes.0.count(batch.len() as u64);
            self.counters.latencies.0.count(u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX));
        }
        match attempted {
            Ok(events) => {
                if !events.is_empty() {
                    self.log.publish(events);
                    reached(FailPoint::Published);
                }
                self.answer(batch, Ok(()));
                reached(FailPoint::Answered);
            }
            Err(Trouble::Full) => {
                count(&self.counters.disk_fulls);
                self.tell_full();
                self.answer(batch, Err(StoreError::Full));
            }
            Err(Trouble::Unexpected(error)) if batch.len() == 1 => {
                tracing::error!(%error, "a request failed in the store");
                self.answer(batch, Err(StoreError::Failed));
            }
            Err(Trouble::Unexpected(_)) => self.write_one_by_one(batch),
            Err(Trouble::Fatal(error)) => {
                self.poison.set(&error);
                self.answer(batch, Err(StoreError::OutcomeUnknown));
            }
        }
    }

    fn tell_full(&mut self) {
        if self.told_full.is_none_or(|told| told.elapsed() >= TELL_FULL_EVERY) {
            self.told_full = Some(Instant::now());
            tracing::error!("the disk is full: requests are refused until there is room");
        }
    }

    fn write_one_by_one(&mut self, batch: Vec<Box<dyn Request>>) {
        count(&self.counters.reruns);
        for request in batch {
            if self.poison.is_set() {
                self.answer(vec![request], Err(StoreError::Failed));
            } else {
                self.write(vec![request]);
            }
        }
    }

    /// One transaction. What it gives is durable, and what the memory holds is true.
    fn attempt(&mut self, batch: &mut [Box<dyn Request>]) -> Result<Vec<Arc<Event>>, Trouble> {
        reached(FailPoint::BatchTaken);
        if fails(FailPoint::Beginning) {
            return Err(Trouble::Unexpected(Unexpected::Broken("a test wants it")));
        }
        begin(&self.conn)?;
        let mut staged = self.memory.stage();
        let mut drafts: Vec<Draft> = Vec::new();
        for request in batch {
            let mut tx = Tx::new(&self.conn, &mut self.memory, &mut staged);
            match request.run(&mut tx) {
                Ok(new) => drafts.extend(new),
                Err(error) => return Err(roll_back(&self.conn, Trouble::before_commit(error))),
            }
        }
        if fails(FailPoint::Committing) {
            return Err(roll_back(&self.conn, Trouble::Fatal("a test wants it".to_owned())));
        }
        commit(&self.conn).map_err(|trouble| roll_back(&self.conn, trouble))?;
        if self.poison.is_set() {
            // A sync has failed meanwhile, on the other connection: whether to believe this one is not to be decided.
            return Err(Trouble::Fatal("a checkpoint failed beside this commit".to_owned()));
        }
        reached(FailPoint::Committed);
        self.memory.apply(staged);
        reached(FailPoint::Merged);
        self.count_committed(&drafts);
        if !drafts.is_empty() && self.flush_due.is_none() {
            self.flush_due = Some(Instant::now() + self.upkeep.flush_every);
        }
        Ok(drafts.into_iter().map(|draft| Arc::new(draft.into_event())).collect())
    }

    fn count_committed(&self, drafts: &[Draft]) {
        if drafts.is_empty() {
            return;
        }
        let sent = drafts.iter().filter(|draft| matches!(draft.body, EventBody::MessageSent(_))).count();
        count(&self.counters.commits);
        add(&self.counters.events, drafts.len());
        add(&self.counters.messages, sent);
    }

    fn answer(&self, batch: Vec<Box<dyn Request>>, outcome: Result<(), StoreError>) {
        match outcome {
            Err(StoreError::Failed) => add(&self.counters.failures, batch.len()),
            Err(StoreError::OutcomeUnknown) => add(&self.counters.unknowns, batch.len()),
            Ok(()) | Err(StoreError::Full | StoreError::Overloaded) => {}
        }
        for request in batch {
            request.answer(outcome, &self.counters);
        }
    }

    /// What is done between two batches.
    fn keep_house(&mut self) {
        if self.poison.is_set() {
            (self.round, self.flush_due) = (None, None);
            return;
        }
        let due = self.flush_due.is_some_and(|due| due <= Instant::now());
        let many = self.memory.overlay.len() > DIRTY_HEADS_MAX || is_much(self.memory.log, self.flushed);
        if self.round.is_none() && (due || many) {
            self.round = Some(Round::begin(&self.memory.overlay));
        }
        let mut kept = self.flush_piece();
        if kept.is_ok() {
            kept = self.checkpoints.tend(&self.conn, &self.counters);
        }
        match kept {
            Ok(()) => {}
            Err(Trouble::Fatal(error)) => self.poison.set(&error),
            Err(trouble) => {
                tracing::warn!(
                    ?trouble,
                    "heads could not be written; they stay in memory until the next try"
                );
                self.round = None;
                self.flush_due = Some(Instant::now() + self.upkeep.flush_every);
            }
        }
    }

    /// One piece of the round that is under way, in a transaction of its own.
    fn flush_piece(&mut self) -> Result<(), Trouble> {
        let Some(round) = &mut self.round else { return Ok(()) };
        let overlay = &self.memory.overlay;
        begin(&self.conn)?;
        let piece = round
            .write(&self.conn, overlay)
            .map_err(|error| roll_back(&self.conn, Trouble::before_commit(error.into())))?;
        reached(FailPoint::HeadsWritten);
        if fails(FailPoint::HeadsCommitting) {
            return Err(roll_back(&self.conn, Trouble::Full));
        }
        commit(&self.conn).map_err(|trouble| roll_back(&self.conn, trouble))?;
        reached(FailPoint::HeadsCommitted);
        overlay.forget(&piece.streams);
        reached(FailPoint::HeadsForgotten);
        round.advance(&piece);
        count(&self.counters.head_flushes);
        if piece.done {
            self.flushed = round.log();
            self.round = None;
            let later = self.memory.log > self.flushed;
            self.flush_due = later.then(|| Instant::now() + self.upkeep.flush_every);
        }
        Ok(())
    }

    /// The last flush and the last checkpoint. Without them the next start does the same work.
    fn finish(mut self) {
        while !self.poison.is_set() && self.memory.log > self.flushed {
            if self.round.is_none() {
                self.round = Some(Round::begin(&self.memory.overlay));
            }
            if let Err(trouble) = self.flush_piece() {
                tracing::warn!(
                    ?trouble,
                    "heads could not be written at the end; the next start counts them again"
                );
                break;
            }
        }
        // The last connection that is closed takes the log away; only the writer's may.
        self.checkpoints.end();
        self.readers.close();
        if self.poison.is_set() {
            // Closing must not touch the database any more.
            self.conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).ok();
        } else if let Err(error) = checkpoint::truncate(&self.conn) {
            tracing::warn!(%error, "the last checkpoint failed; the next start does it");
        }
    }
}

/// Whether more events than may wait lie between what is committed and what is in the head rows.
fn is_much(log: LogId, flushed: LogId) -> bool {
    log.0.saturating_sub(flushed.0) > UNFLUSHED_MAX
}

/// SQLite counts: nothing that a body runs can be forgotten.
fn count_statements(conn: &mut Connection, counters: Arc<Counters>) {
    let counted = move |_: TraceEvent<'_>| count(&counters.statements);
    if let Err(error) = conn.trace_v2(TraceEventCodes::SQLITE_TRACE_STMT, Some(counted)) {
        tracing::warn!(%error, "statements are not counted");
    }
}
