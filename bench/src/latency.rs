//! Latencies in a histogram of three significant digits: what a percentile says is within a thousandth of the truth.

use hdrhistogram::Histogram;

use crate::engine::Nanos;

/// Longer than any run waits for an answer.
const LATENCY_NANOS_MAX: Nanos = 120_000_000_000;

/// Counted latencies.
#[derive(Debug, Clone)]
pub(crate) struct Latency(Histogram<u64>);

impl Latency {
    pub(crate) fn new() -> Self {
        let histogram = Histogram::new_with_bounds(1_000, LATENCY_NANOS_MAX, 3);
        Self(histogram.expect("bounds that a histogram can have"))
    }

    pub(crate) fn record(&mut self, nanos: Nanos) {
        self.0.saturating_record(nanos);
    }

    pub(crate) fn count(&self) -> u64 {
        self.0.len()
    }

    /// In milliseconds; 0 when nothing was counted.
    pub(crate) fn percentile_ms(&self, percentile: f64) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "at most two minutes of nanoseconds")]
        let nanos = self.0.value_at_percentile(percentile) as f64;
        nanos / 1e6
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_within_a_thousandth() {
        let mut latency = Latency::new();
        for micros in 1..=10_000_u64 {
            latency.record(micros * 1_000);
        }
        assert_eq!(latency.count(), 10_000);
        for (percentile, ms) in [(50.0, 5.0), (99.0, 9.9), (100.0, 10.0)] {
            let found = latency.percentile_ms(percentile);
            assert!((found / ms - 1.0).abs() < 0.001, "p{percentile}: {found} and not {ms}");
        }
    }

    #[test]
    fn what_is_out_of_bounds_is_counted_at_the_bound() {
        let mut latency = Latency::new();
        latency.record(u64::MAX);
        assert_eq!(latency.count(), 1);
        assert!(latency.percentile_ms(50.0) >= 120_000.0);
    }
}
