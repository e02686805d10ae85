//! Each acknowledged message stands once, as it was acknowledged; without an answer it stands once or not at all.

use std::collections::HashMap;

use uuid::Uuid;

use super::streams::Round;
use super::{Checker, Open};
use crate::history::{Attempt, Id, Message, Place, Violation};

impl Checker {
    /// Compares the attempts of a round, and those that were open before, with what stands. Gives all of them.
    pub(super) fn check_attempts(&mut self, attempts: Vec<Attempt>, round: &Round) -> HashMap<Uuid, Open> {
        let mut all = std::mem::take(&mut self.open);
        for attempt in attempts {
            let id = attempt.message.client_id;
            match all.get_mut(&id) {
                Some(open) => open.goes_on(attempt),
                None => {
                    all.insert(id, Open { attempt, standing: Vec::new() });
                }
            }
        }
        for (id, standing) in &round.by_client_id {
            match all.get_mut(id) {
                Some(open) => open.standing.extend(standing.iter().cloned()),
                None => self.report.found(Violation::NobodySent, || format!("{standing:?}")),
            }
        }
        let mut given: HashMap<(&Id, u64), Uuid> = HashMap::new();
        for (id, open) in &all {
            self.check_attempt(open, round);
            for place in &open.attempt.places {
                let other = given.insert((&open.attempt.message.conversation, place.seq), *id);
                if let Some(other) = other.filter(|other| other != id) {
                    self.report.found(Violation::PlaceAcknowledgedTwice, || {
                        format!("{place:?} of {} to {id} and {other}", open.attempt.message.conversation)
                    });
                }
            }
        }
        all
    }

    fn check_attempt(&mut self, open: &Open, round: &Round) {
        let Open { attempt, standing } = open;
        let what = || format!("{attempt:?} stands as {standing:?}");
        let report = &mut self.report;
        if attempt.places.len() > 1 {
            report.found(Violation::AnswersDiffer, what);
        }
        if let Some(place) = attempt.places.first() {
            report.acknowledged += 1;
            report.retried += u64::from(attempt.unanswered > 0);
            match standing.as_slice() {
                [] => report.found(Violation::AcknowledgedLost, what),
                [one] if stands_as_said(one, attempt, Some(place)) && is_at(place, one, round) => {}
                [_] => report.found(Violation::OtherThanAcknowledged, what),
                _ => report.found(Violation::StoredTwice, what),
            }
        } else if attempt.refused.is_some() {
            report.refused += 1;
            if !standing.is_empty() {
                report.found(Violation::RefusedStored, what);
            }
        } else {
            match standing.as_slice() {
                [] => {}
                [one] if stands_as_said(one, attempt, None) => {}
                [_] => report.found(Violation::OtherThanAcknowledged, what),
                _ => report.found(Violation::UnknownStoredTwice, what),
            }
        }
    }

    /// Who sends after an acknowledgement stands after what was acknowledged.
    pub(super) fn check_order(&mut self, attempts: &HashMap<Uuid, Open>, round: &Round) {
        for (conversation, standing) in &round.conversations {
            let mut first_of_later = (u64::MAX, 0);
            for (message, _) in standing.messages.iter().rev() {
                let Some(Open { attempt, .. }) = attempts.get(&message.client_id) else { continue };
                if attempt.invoked_at > first_of_later.0 {
                    self.report.found(Violation::OvertookAcknowledged, || {
                        format!(
                            "{conversation}: seq {} was sent after seq {} had been acknowledged",
                            message.seq, first_of_later.1
                        )
                    });
                }
                if let Some(at) = attempt.acknowledged_at {
                    first_of_later = first_of_later.min((at, message.seq));
                }
            }
        }
    }
}

impl Open {
    /// It was sent again in a later round.
    fn goes_on(&mut self, later: Attempt) {
        self.attempt.acknowledged_at = later.acknowledged_at;
        self.attempt.places = later.places;
        self.attempt.refused = later.refused;
        self.attempt.unanswered += later.unanswered;
    }
}

fn stands_as_said((conversation, message): &(Id, Message), attempt: &Attempt, place: Option<&Place>) -> bool {
    let sent = &attempt.message;
    let is_as_sent =
        *conversation == sent.conversation && message.sender == sent.sender && message.text == sent.text;
    let is_at = |place: &Place| place.seq == message.seq && place.message_id == message.id;
    is_as_sent && place.is_none_or(is_at)
}

/// Not every answer says its position, and what stood in an earlier round has been compared.
fn is_at(place: &Place, (conversation, message): &(Id, Message), round: &Round) -> bool {
    let standing = round.conversations.get(conversation).and_then(|standing| standing.find(message.seq));
    let pos = standing.and_then(|(_, pos)| *pos);
    place.pos.zip(pos).is_none_or(|(said, pos)| said == pos)
}
