//! When operations are intended. An open loop does not wait for answers: what the server delays piles up as latency of
//! every operation that was intended meanwhile, as it would for people, who do not coordinate with it either.

use crate::engine::Nanos;

/// Evenly spaced moments.
#[derive(Debug, Clone)]
pub(crate) struct Schedule {
    begin: Nanos,
    per_second: f64,
    given: u64,
    count: u64,
}

impl Schedule {
    /// `count` moments from `begin` on.
    pub(crate) fn new(begin: Nanos, per_second: f64, count: u64) -> Self {
        Self { begin, per_second, given: 0, count }
    }

    /// The next moment, if there is one.
    pub(crate) fn next_at(&self) -> Option<Nanos> {
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "some minutes of nanoseconds, never negative"
        )]
        let since = (self.given as f64 * 1e9 / self.per_second) as Nanos;
        (self.given < self.count).then_some(self.begin + since)
    }

    /// Takes the next moment if it has come.
    pub(crate) fn take_due(&mut self, now: Nanos) -> Option<Nanos> {
        let at = self.next_at().filter(|at| *at <= now)?;
        self.given += 1;
        Some(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_even_and_do_not_wait() {
        let mut schedule = Schedule::new(1_000, 1_000_000.0, 4);
        assert_eq!(schedule.take_due(999), None);
        assert_eq!(schedule.take_due(1_000), Some(1_000));
        assert_eq!(schedule.take_due(1_000), None);
        // Whoever comes late gets all that were intended meanwhile, with the moments that were intended.
        let late: Vec<_> = std::iter::from_fn(|| schedule.take_due(60_000)).collect();
        assert_eq!(late, [2_000, 3_000, 4_000]);
        assert_eq!(schedule.next_at(), None);
    }
}
