//! What the guarantee says, checked while it is measured: every acknowledged message reaches every online member
//! exactly once and in order, at dense places.
//!
//! Per device and conversation the `seq` (and `pos`, where the server has one) must grow by one. A gap that is filled
//! later was reordered, one that never is was lost, a place that comes again was doubled. Per operation the members
//! that have shown it are counted, and all of them, and the acknowledgement, must name the same place.

use std::collections::HashMap;

/// Examples that are kept of what went wrong.
const EXAMPLES_MAX: usize = 8;
/// Places that one device may miss before it is called lost for good.
const MISSING_MAX: usize = 4_096;

/// An operation of the run: a send, by the number that stands in its text.
#[derive(Debug, Clone, Copy, Default)]
struct Operation {
    /// Its place, once it is known.
    seq: u64,
    acknowledged: bool,
    refused: bool,
    shown: u32,
    members: u32,
}

/// One message as a device got it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shown {
    pub conversation: u32,
    pub seq: u64,
    /// Where the server counts events: the place, and from how many before it takes a device there.
    pub pos: Option<(u64, u64)>,
    /// The number in its text; none when it is nobody's of this run.
    pub operation: Option<u64>,
}

/// What a device has of a conversation.
#[derive(Debug)]
struct Place {
    seq: u64,
    pos: u64,
    missing: Vec<u64>,
}

/// What went wrong, counted; all zero is the only good run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub acknowledged: u64,
    pub lost: u64,
    pub doubled: u64,
    pub reordered: u64,
    /// Acknowledged at one place and shown at another, shown though refused, or at a position that is not dense.
    pub misplaced: u64,
    /// Neither acknowledged nor refused.
    pub unanswered: u64,
    pub examples: Vec<String>,
}

/// Watches a run.
#[derive(Debug, Default)]
pub(crate) struct Checker {
    operations: Vec<Operation>,
    /// Operations that are not acknowledged and shown to all yet.
    open: u64,
    places: HashMap<(u32, u32), Place>,
    found: Verdict,
}

impl Checker {
    /// A device that is online in a conversation which stands at these numbers.
    pub(crate) fn expect(&mut self, device: u32, conversation: u32, seq: u64, pos: u64) {
        self.places.insert((device, conversation), Place { seq, pos, missing: Vec::new() });
    }

    /// A new operation, which this many online members will show. Gives its number.
    pub(crate) fn begin(&mut self, members: u32) -> u64 {
        self.operations.push(Operation { members, ..Operation::default() });
        self.open += 1;
        self.operations.len() as u64 - 1
    }

    /// The server says that the operation stands.
    pub(crate) fn acknowledged(&mut self, operation: u64, seq: u64) {
        let Some(known) = self.operation(operation) else { return };
        let is_whole = !known.acknowledged && known.shown >= known.members;
        known.acknowledged = true;
        self.open -= u64::from(is_whole);
        self.found.acknowledged += 1;
        self.settle(operation, seq, "acknowledged");
    }

    /// The server says that nothing was done.
    pub(crate) fn refused(&mut self, operation: u64) {
        let Some(known) = self.operation(operation) else { return };
        let was_shown = known.shown > 0;
        (known.members, known.refused) = (0, true);
        self.open -= 1;
        if was_shown {
            self.found.misplaced += 1;
            self.tell(format!("misplaced: operation {operation} was refused and shown"));
        }
    }

    /// A device got a message. True when it was the last member that had to.
    pub(crate) fn shown(&mut self, device: u32, shown: Shown) -> bool {
        let Some(place) = self.places.get_mut(&(device, shown.conversation)) else {
            self.found.misplaced += 1;
            self.tell(format!("device {device} got {shown:?} and is no member there"));
            return false;
        };
        let (before, at) = (place.seq, shown.seq);
        let is_new = at > before;
        if is_new {
            place.missing.extend((before + 1..at).take(MISSING_MAX.saturating_sub(place.missing.len())));
            place.seq = at;
        } else if let Some(found) = place.missing.iter().position(|missing| *missing == at) {
            place.missing.swap_remove(found);
            self.found.reordered += 1;
            self.tell(format!(
                "reordered: device {device} got seq {at} of {} after {before}",
                shown.conversation
            ));
        } else {
            self.found.doubled += 1;
            self.tell(format!("doubled: device {device} got seq {at} of {} again", shown.conversation));
            return false;
        }
        self.check_pos(device, &shown, at == before + 1, is_new);
        let Some(operation) = shown.operation else { return false };
        self.settle(operation, at, "shown");
        let Some(known) = self.operation(operation) else { return false };
        known.shown += 1;
        if known.refused {
            self.found.misplaced += 1;
            self.tell(format!("misplaced: operation {operation} was shown and had been refused"));
            return false;
        }
        let is_last = known.shown == known.members;
        let is_whole = is_last && known.acknowledged;
        self.open -= u64::from(is_whole);
        is_last
    }

    /// Everything that was begun is acknowledged and shown to all of its members.
    pub(crate) fn is_settled(&self) -> bool {
        self.open == 0
    }

    /// Every acknowledged operation and its place.
    pub(crate) fn acknowledged_places(&self) -> Vec<(u64, u64)> {
        let acknowledged = (0..).zip(&self.operations).filter(|(_, known)| known.acknowledged);
        acknowledged.map(|(number, known)| (number, known.seq)).collect()
    }

    /// The number that the next operation gets.
    pub(crate) fn next_operation(&self) -> u64 {
        self.operations.len() as u64
    }

    /// What went wrong since the beginning, when nothing more is expected to come.
    pub(crate) fn verdict(&self) -> Verdict {
        let mut verdict = self.found.clone();
        let mut lost = 0;
        for (number, known) in self.operations.iter().enumerate().filter(|(_, known)| known.acknowledged) {
            if known.shown < known.members {
                lost += u64::from(known.members - known.shown);
                if verdict.examples.len() < EXAMPLES_MAX {
                    let Operation { seq, shown, members, .. } = known;
                    let text = format!(
                        "lost: operation {number}, acknowledged at seq {seq}, was shown to {shown} of {members}"
                    );
                    verdict.examples.push(text);
                }
            }
        }
        let holes: u64 = self.places.values().map(|place| place.missing.len() as u64).sum();
        if holes > lost && verdict.examples.len() < EXAMPLES_MAX {
            verdict.examples.push(format!("lost: {holes} places were passed over and never came"));
        }
        verdict.lost = lost.max(holes);
        let unanswered = self.operations.iter().filter(|known| !known.acknowledged && !known.refused);
        verdict.unanswered = unanswered.count() as u64;
        verdict
    }

    /// One operation has one place, whoever says so.
    fn settle(&mut self, operation: u64, seq: u64, how: &str) {
        let Some(known) = self.operation(operation) else { return };
        let before = known.seq;
        known.seq = seq;
        if before != 0 && before != seq {
            self.found.misplaced += 1;
            self.tell(format!(
                "misplaced: operation {operation} is {how} at seq {seq} and stood at {before}"
            ));
        }
    }

    fn check_pos(&mut self, device: u32, shown: &Shown, is_next: bool, is_new: bool) {
        let Some((pos, span)) = shown.pos else { return };
        let Some(place) = self.places.get_mut(&(device, shown.conversation)) else { return };
        let before = place.pos;
        if is_new {
            place.pos = pos;
        }
        if is_next && pos.saturating_sub(span) != before {
            self.found.misplaced += 1;
            self.tell(format!("misplaced: device {device} got pos {pos} (span {span}) after {before}"));
        }
    }

    fn operation(&mut self, number: u64) -> Option<&mut Operation> {
        self.operations.get_mut(usize::try_from(number).ok()?)
    }

    fn tell(&mut self, text: String) {
        if self.found.examples.len() < EXAMPLES_MAX {
            self.found.examples.push(text);
        }
    }
}

impl Verdict {
    /// Nothing was lost, doubled, reordered, misplaced, or left without an answer.
    pub(crate) fn is_good(&self) -> bool {
        self.lost + self.doubled + self.reordered + self.misplaced + self.unanswered == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(seq: u64, operation: u64) -> Shown {
        Shown { conversation: 0, seq, pos: None, operation: Some(operation) }
    }

    /// One device in one conversation, and one operation that it is to show.
    fn begun() -> (Checker, u64) {
        let mut checker = Checker::default();
        checker.expect(0, 0, 0, 0);
        let operation = checker.begin(1);
        (checker, operation)
    }

    #[test]
    fn what_was_shown_must_not_be_refused() {
        let (mut checker, operation) = begun();
        checker.shown(0, shown(1, operation));
        checker.refused(operation);
        let verdict = checker.verdict();
        assert_eq!(
            (verdict.misplaced, verdict.is_good(), checker.is_settled()),
            (1, false, true),
            "{verdict:?}"
        );
    }

    #[test]
    fn what_was_refused_must_not_be_shown() {
        let (mut checker, operation) = begun();
        checker.refused(operation);
        assert!(checker.verdict().is_good(), "a refusal by itself is an answer");
        checker.shown(0, shown(1, operation));
        let verdict = checker.verdict();
        assert_eq!(
            (verdict.misplaced, verdict.is_good(), checker.is_settled()),
            (1, false, true),
            "{verdict:?}"
        );
    }
}
