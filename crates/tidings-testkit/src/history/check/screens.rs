//! Every device has shown exactly the history of its user's membership, in order, each message once.

use std::collections::{HashMap, HashSet};

use uuid::Uuid;

use super::streams::{Round, Standing};
use super::{Checker, DeviceThrough, Open};
use crate::history::{DeviceRecord, Id, Report, Shown, Violation};

/// Messages that any device was delivered, by conversation and `seq`.
type Delivered = HashSet<(Id, u64)>;

/// One device's part of one conversation.
struct Screen<'a> {
    device: &'a DeviceRecord,
    conversation: &'a Id,
    standing: &'a Standing,
    /// It had shown this before the round, or begins after it.
    after_seq: u64,
}

impl Checker {
    pub(super) fn check_screens(
        &mut self,
        devices: &[DeviceRecord],
        attempts: &HashMap<Uuid, Open>,
        round: &Round,
    ) {
        let delivered: Delivered = devices
            .iter()
            .flat_map(|device| &device.shown)
            .filter(|shown| shown.was_delivered)
            .map(|shown| (Id::clone(&shown.conversation), shown.message.seq))
            .collect();
        let mut ended = Vec::new();
        for device in devices {
            let report = &mut self.report;
            let through = self.devices.entry(Id::clone(&device.device)).or_default();
            (report.shown, report.repeats, report.gaps) = (
                report.shown + device.shown.len() as u64,
                report.repeats + device.repeats,
                report.gaps + device.gaps,
            );
            check_marks(device, through, report);
            let mut shown_by: HashMap<&Id, Vec<&Shown>> = HashMap::new();
            for shown in &device.shown {
                shown_by.entry(&shown.conversation).or_default().push(shown);
            }
            for (conversation, shown) in &shown_by {
                if !round.conversations.contains_key(*conversation) {
                    report.found(Violation::ShownNotStored, || format!("{}: {:?}", device.device, shown[0]));
                }
            }
            for (conversation, standing) in &round.conversations {
                let last_seq = through.last_seqs.get(conversation).copied().unwrap_or_default();
                let begins_after = device.begins_after.get(conversation).copied().unwrap_or_default();
                let after_seq = last_seq.max(begins_after);
                let screen = Screen { device, conversation, standing, after_seq };
                let shown = shown_by.get(conversation).map(Vec::as_slice).unwrap_or_default();
                let seen = screen.check_shown(shown, report);
                screen.check_owed(&seen, &delivered, attempts, report);
                let last = seen.iter().max().copied().unwrap_or_default().max(last_seq);
                through.last_seqs.insert(Id::clone(conversation), last);
            }
            if device.has_ended {
                ended.push(Id::clone(&device.device));
            }
        }
        for device in ended {
            self.devices.remove(&device);
        }
    }
}

impl Screen<'_> {
    /// What was shown stands, was the user's to see, and came in order. Gives the numbers that were shown.
    fn check_shown(&self, shown: &[&Shown], report: &mut Report) -> HashSet<u64> {
        let mut seen = HashSet::new();
        let mut last = self.after_seq;
        for Shown { message, .. } in shown {
            let what = || format!("{} at {last} of {}: {message:?}", self.device.device, self.conversation);
            let seq = message.seq;
            if !seen.insert(seq) {
                report.found(Violation::ShownTwice, what);
            } else if seq <= last {
                // Before the round it can only have been shown already: rounds end when all was shown.
                let order =
                    if seq <= self.after_seq { Violation::ShownTwice } else { Violation::ShownOutOfOrder };
                report.found(order, what);
            }
            match self.standing.find(seq) {
                Some((standing, _)) if standing != message => report.found(Violation::ShownOtherwise, what),
                Some((_, Some(pos))) if !self.standing.was_in(&self.device.user, *pos) => {
                    report.found(Violation::ShownToStranger, what);
                }
                None if seq > self.standing.after_seq => report.found(Violation::ShownNotStored, what),
                _ => {}
            }
            last = last.max(seq);
        }
        seen
    }

    /// What stands and was the user's to see was shown.
    fn check_owed(
        &self,
        seen: &HashSet<u64>,
        delivered: &Delivered,
        attempts: &HashMap<Uuid, Open>,
        report: &mut Report,
    ) {
        let owed_through =
            if self.device.has_ended { seen.iter().max().copied().unwrap_or_default() } else { u64::MAX };
        for (message, pos) in &self.standing.messages {
            let is_owed = self.after_seq < message.seq && message.seq <= owed_through;
            let Some(pos) = pos.filter(|_| is_owed && !seen.contains(&message.seq)) else { continue };
            if !self.standing.was_in(&self.device.user, pos) {
                continue;
            }
            let invoked_at = attempts.get(&message.client_id).map(|open| open.attempt.invoked_at);
            let was_there =
                self.device.connected_at.is_some_and(|at| invoked_at.is_none_or(|sent| at < sent));
            let violation = if !delivered.contains(&(Id::clone(self.conversation), message.seq)) {
                Violation::NeverDelivered
            } else if was_there {
                Violation::NotShown
            } else {
                Violation::NotCaughtUp
            };
            report.found(violation, || {
                format!("{} lacks {message:?} at {pos} of {}", self.device.device, self.conversation)
            });
        }
    }
}

fn check_marks(device: &DeviceRecord, through: &mut DeviceThrough, report: &mut Report) {
    for (conversation, seq) in &device.read_marks {
        let before = through.read_marks.insert(Id::clone(conversation), *seq).unwrap_or_default();
        if *seq < before {
            report.found(Violation::ReadMarkWentBack, || {
                format!("{} saw {seq} after {before} in {conversation}", device.device)
            });
        }
    }
}
