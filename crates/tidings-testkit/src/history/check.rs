//! The comparison: what was acknowledged, what stands, what was shown.

mod attempts;
mod digest;
mod screens;
mod streams;

use std::collections::HashMap;
use std::time::Duration;

use uuid::Uuid;

use super::{Attempt, Id, Message, Records, Report, Stored, Violation};
pub use digest::HistoryDigest;
use streams::{Round, Through};

/// Compares what clients wrote down with all that stands.
#[must_use]
pub fn check(records: Records, stored: &Stored) -> Report {
    let mut checker = Checker::default();
    checker.check_round(records, stored);
    checker.finish()
}

/// A check by rounds. Of a round that is over it keeps the counts, the sends without an answer, and one digest of each
/// conversation.
///
/// A round ends when nothing is being sent and devices have shown what they are owed.
#[derive(Debug, Default)]
pub struct Checker {
    report: Report,
    through: HashMap<Id, Through>,
    open: HashMap<Uuid, Open>,
    devices: HashMap<Id, DeviceThrough>,
}

/// A send that has no answer yet.
#[derive(Debug)]
struct Open {
    attempt: Attempt,
    /// What stood of it in the rounds before.
    standing: Vec<(Id, Message)>,
}

/// What a device had shown in the rounds before.
#[derive(Debug, Default)]
struct DeviceThrough {
    last_seqs: HashMap<Id, u64>,
    read_marks: HashMap<Id, u64>,
}

impl Checker {
    /// Compares a round. `stored` is what came after [`Self::through`].
    pub fn check_round(&mut self, records: Records, stored: &Stored) {
        let Records { attempts, devices } = records;
        let mut round = Round::default();
        for (conversation, stream) in &stored.conversations {
            let through = self.through.entry(Id::clone(conversation)).or_default();
            round.add(conversation, stream, through, &mut self.report);
        }
        let attempts = self.check_attempts(attempts, &round);
        self.check_order(&attempts, &round);
        self.check_screens(&devices, &attempts, &round);
        self.forget(attempts);
    }

    /// Position and `seq` through which a conversation has been compared.
    #[must_use]
    pub fn through(&self, conversation: &Id) -> (u64, u64) {
        self.through.get(conversation).map_or((0, 0), |through| (through.pos, through.seq))
    }

    /// The last message that each user's devices have to show of each conversation, by user and conversation. A run
    /// waits for it before it [checks](Self::check_round).
    #[must_use]
    pub fn last_owed(&self, stored: &Stored) -> HashMap<(Id, Id), u64> {
        streams::last_owed(stored, &self.through)
    }

    /// Devices took this long to show everything.
    pub fn converged(&mut self, after: Duration) {
        self.report.converged = self.report.converged.max(after);
    }

    /// Compares a whole history, read once more, with all that was compared by rounds.
    pub fn check_digest(&mut self, conversation: &Id, read: &HistoryDigest) {
        let compared =
            self.through.get(conversation).map(|through| through.digest.clone()).unwrap_or_default();
        if compared != *read {
            self.report.found(Violation::HistoryChanged, || {
                format!("{conversation} had {compared:?} and has {read:?}")
            });
        }
    }

    /// What has been found so far.
    #[must_use]
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// What was found.
    #[must_use]
    pub fn finish(mut self) -> Report {
        self.report.unknown += self.open.len() as u64;
        self.report
    }

    /// Keeps of a round what the next one needs.
    fn forget(&mut self, attempts: HashMap<Uuid, Open>) {
        self.open = attempts;
        self.open.retain(|_, open| open.attempt.places.is_empty() && open.attempt.refused.is_none());
    }
}
