//! How many of a kind were how large: for operators to look at.

use std::sync::atomic::{AtomicU64, Ordering};

/// Milliseconds, from what a node does by itself to what somebody complains of.
pub const LATENCY_MS: &[u64] = &[1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000];
/// Microseconds: from an answer out of memory to a disk that stands still.
pub const LATENCY_US: &[u64] =
    &[100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000, 5_000_000];

/// Counts by size.
#[derive(Debug)]
pub struct Histogram {
    bounds: &'static [u64],
    /// One more than there are bounds: what is larger than all of them.
    counts: Box<[AtomicU64]>,
    sum: AtomicU64,
}

/// What a histogram has counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counted {
    /// Of those up to and with each bound, and above the one before; at the end those above all.
    pub counts: Vec<u64>,
    /// The bounds.
    pub bounds: &'static [u64],
    /// Of all values.
    pub sum: u64,
}

impl Histogram {
    /// With these bounds, the smallest first.
    #[must_use]
    pub fn new(bounds: &'static [u64]) -> Self {
        let counts = (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect();
        Self { bounds, counts, sum: AtomicU64::new(0) }
    }

    /// Counts one of this size. Relaxed: it is for people to look at.
    pub fn count(&self, value: u64) {
        let place = self.bounds.partition_point(|bound| *bound < value);
        self.counts[place].fetch_add(1, Ordering::Relaxed);
        self.sum.fetch_add(value, Ordering::Relaxed);
    }

    /// Everything so far.
    #[must_use]
    pub fn counted(&self) -> Counted {
        let counts = self.counts.iter().map(|count| count.load(Ordering::Relaxed)).collect();
        Counted { counts, bounds: self.bounds, sum: self.sum.load(Ordering::Relaxed) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_holds_what_reaches_it() {
        let histogram = Histogram::new(&[1, 10]);
        for value in [0, 1, 2, 10, 11] {
            histogram.count(value);
        }
        let Counted { counts, sum, .. } = histogram.counted();
        assert_eq!((counts, sum), (vec![2, 2, 1], 24));
    }
}
