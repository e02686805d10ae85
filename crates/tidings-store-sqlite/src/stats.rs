//! What the store counts about itself.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tidings_core::histogram::{Histogram, LATENCY_US};

/// Pauses that are remembered for the p99.
const PAUSES_KEPT: usize = 1_000;

/// Counters since the store was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    /// Messages that were committed.
    pub messages: u64,
    /// Events that were committed, messages among them.
    pub events: u64,
    /// Transactions that wrote events.
    pub commits: u64,
    /// Batches, those that were rolled back or only refused among them.
    pub batches: u64,
    /// Requests in all batches.
    pub batch_requests: u64,
    /// Requests in the largest batch.
    pub batch_requests_max: u64,
    /// Requests that were refused by a rule.
    pub refusals: u64,
    /// Requests that were turned away because the writer's queue was full.
    pub overloads: u64,
    /// Reads that people asked for: requests, catch-ups.
    pub reads: u64,
    /// Reads of delivery: rosters, gaps, the log where it has fallen behind.
    pub delivery_reads: u64,
    /// Reads that were turned away because too many waited.
    pub read_overloads: u64,
    /// Sends that were answered with the message of an earlier try.
    pub replays: u64,
    /// Batches that ran again one by one after an unexpected error.
    pub reruns: u64,
    /// Batches that found the disk full.
    pub disk_fulls: u64,
    /// Requests that failed, whose reason is in the log.
    pub failures: u64,
    /// Requests of which it is not known whether they were done.
    pub unknowns: u64,
    /// Transactions that wrote heads and marks.
    pub head_flushes: u64,
    /// Heads that wait for their flush.
    pub heads_dirty: u64,
    /// Statements that the writer has run, BEGIN and COMMIT among them.
    pub statements: u64,
    /// Pages written to the write-ahead log.
    pub wal_pages: u64,
    /// Times that the log was copied into the database beside the writer.
    pub backfills: u64,
    /// Checkpoints, those that gave up because of a reader among them.
    pub checkpoints: u64,
    /// Those that gave up.
    pub checkpoints_busy: u64,
    /// The longest time that the writer stood still for a checkpoint, in microseconds.
    pub checkpoint_us_max: u64,
    /// The 99th percentile of the last thousand, in microseconds.
    pub checkpoint_us_p99: u64,
}

/// Where the counting happens. Relaxed: they are for people to look at.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub messages: AtomicU64,
    pub events: AtomicU64,
    pub commits: AtomicU64,
    pub batches: AtomicU64,
    pub batch_requests: AtomicU64,
    pub batch_requests_max: AtomicU64,
    pub refusals: AtomicU64,
    pub overloads: AtomicU64,
    pub reads: AtomicU64,
    pub delivery_reads: AtomicU64,
    pub read_overloads: AtomicU64,
    pub replays: AtomicU64,
    pub reruns: AtomicU64,
    pub disk_fulls: AtomicU64,
    pub failures: AtomicU64,
    pub unknowns: AtomicU64,
    /// A request may be counted as taken before it is as queued.
    pub queued: AtomicI64,
    pub sizes: BatchSizes,
    pub latencies: CommitLatencies,
    pub head_flushes: AtomicU64,
    pub statements: AtomicU64,
    pub wal_pages: AtomicU64,
    pub backfills: AtomicU64,
    checkpoints: Mutex<Checkpoints>,
}

/// Requests in a transaction.
#[derive(Debug)]
pub(crate) struct BatchSizes(pub Histogram);

/// From its beginning to its sync, in microseconds.
#[derive(Debug)]
pub(crate) struct CommitLatencies(pub Histogram);

impl Default for BatchSizes {
    fn default() -> Self {
        Self(Histogram::new(&[1, 2, 4, 8, 16, 32, 64, 128, 256, 512]))
    }
}

impl Default for CommitLatencies {
    fn default() -> Self {
        Self(Histogram::new(LATENCY_US))
    }
}

#[derive(Debug, Default)]
struct Checkpoints {
    count: u64,
    busy: u64,
    us_max: u64,
    us_last: VecDeque<u64>,
}

/// Counts one more.
pub(crate) fn count(counter: &AtomicU64) {
    add(counter, 1);
}

/// Counts `n` more.
pub(crate) fn add(counter: &AtomicU64, n: usize) {
    counter.fetch_add(n as u64, Ordering::Relaxed);
}

impl Counters {
    pub(crate) fn checkpoint(&self, pause: Duration, busy: bool) {
        let us = u64::try_from(pause.as_micros()).unwrap_or(u64::MAX);
        let mut checkpoints = self.checkpoints.lock();
        checkpoints.count += 1;
        checkpoints.busy += u64::from(busy);
        checkpoints.us_max = checkpoints.us_max.max(us);
        if checkpoints.us_last.len() == PAUSES_KEPT {
            checkpoints.us_last.pop_front();
        }
        checkpoints.us_last.push_back(us);
    }

    pub(crate) fn stats(&self, heads_dirty: usize) -> Stats {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let checkpoints = self.checkpoints.lock();
        Stats {
            messages: read(&self.messages),
            events: read(&self.events),
            commits: read(&self.commits),
            batches: read(&self.batches),
            batch_requests: read(&self.batch_requests),
            batch_requests_max: read(&self.batch_requests_max),
            refusals: read(&self.refusals),
            overloads: read(&self.overloads),
            reads: read(&self.reads),
            delivery_reads: read(&self.delivery_reads),
            read_overloads: read(&self.read_overloads),
            replays: read(&self.replays),
            reruns: read(&self.reruns),
            disk_fulls: read(&self.disk_fulls),
            failures: read(&self.failures),
            unknowns: read(&self.unknowns),
            head_flushes: read(&self.head_flushes),
            heads_dirty: heads_dirty as u64,
            statements: read(&self.statements),
            wal_pages: read(&self.wal_pages),
            backfills: read(&self.backfills),
            checkpoints: checkpoints.count,
            checkpoints_busy: checkpoints.busy,
            checkpoint_us_max: checkpoints.us_max,
            checkpoint_us_p99: p99(checkpoints.us_last.iter().copied().collect()),
        }
    }
}

fn p99(mut values: Vec<u64>) -> u64 {
    values.sort_unstable();
    let rank = (values.len() * 99).div_ceil(100);
    rank.checked_sub(1).and_then(|index| values.get(index)).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_p99_leaves_out_the_slowest_hundredth() {
        assert_eq!(p99((1..=1000).collect()), 990);
        assert_eq!(p99(vec![7]), 7);
        assert_eq!(p99(vec![]), 0);
    }
}
