//! What a check found, as counts, and as one line.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use super::{Finding, Harm, Violation};

/// Findings that are kept of each violation; all are counted.
const FINDINGS_KEPT_MAX: usize = 3;

/// What a check found.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Sends that were answered with success.
    pub acknowledged: u64,
    /// Sends that were never answered.
    pub unknown: u64,
    /// Sends that were refused.
    pub refused: u64,
    /// Sends that were answered after they had been sent again.
    pub retried: u64,
    /// Messages that stand.
    pub stored: u64,
    /// Messages that devices showed.
    pub shown: u64,
    /// Frames that devices dropped because they had them already: no harm, but needless.
    pub repeats: u64,
    /// Gaps that devices found and filled: no harm, but needless.
    pub gaps: u64,
    /// The longest time until every device had shown everything.
    pub converged: Duration,
    counts: BTreeMap<Violation, u64>,
    findings: Vec<Finding>,
}

impl Report {
    /// How often this promise was broken.
    #[must_use]
    pub fn count(&self, violation: Violation) -> u64 {
        self.counts.get(&violation).copied().unwrap_or_default()
    }

    /// The promises that were broken.
    #[must_use]
    pub fn violations(&self) -> BTreeSet<Violation> {
        self.counts.keys().copied().collect()
    }

    /// Some places of each violation.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// Nothing was broken.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.counts.is_empty()
    }

    /// Panics unless nothing was broken.
    #[track_caller]
    pub fn assert_clean(&self) {
        assert!(self.is_clean(), "{self}");
    }

    /// How often this harm was done.
    #[must_use]
    pub fn harmed(&self, harm: Harm) -> u64 {
        self.counts.iter().filter(|(violation, _)| violation.harm() == harm).map(|(_, count)| count).sum()
    }

    pub(super) fn found(&mut self, violation: Violation, what: impl FnOnce() -> String) {
        let count = self.counts.entry(violation).or_default();
        *count += 1;
        if *count <= FINDINGS_KEPT_MAX as u64 {
            self.findings.push(Finding { violation, what: what() });
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "acknowledged {}, unknown {}, lost {}, doubled {}, reordered {}, converged in {} ms \
             (stored {}, shown {}, refused {}, retried {}, repeats {}, gaps {})",
            self.acknowledged,
            self.unknown,
            self.harmed(Harm::Lost),
            self.harmed(Harm::Doubled),
            self.harmed(Harm::Reordered),
            self.converged.as_millis(),
            self.stored,
            self.shown,
            self.refused,
            self.retried,
            self.repeats,
            self.gaps,
        )?;
        for (violation, count) in &self.counts {
            write!(f, "\n  {violation}: {count}")?;
            for finding in self.findings.iter().filter(|finding| finding.violation == *violation) {
                write!(f, "\n    {}", finding.what)?;
            }
        }
        Ok(())
    }
}
