//! Positions and sequence numbers are dense, events and history agree; and who was in when.

use std::collections::{HashMap, HashSet};

use uuid::Uuid;

use super::HistoryDigest;
use crate::history::{EventBody, Id, Message, Report, Stored, StoredStream, Violation};

/// What is known of a conversation from the rounds before.
#[derive(Debug, Default)]
pub(super) struct Through {
    pub pos: u64,
    pub seq: u64,
    pub digest: HistoryDigest,
    intervals: HashMap<Id, Vec<Interval>>,
}

/// The positions at which a user was in, both inclusive.
#[derive(Debug, Clone, Copy)]
struct Interval {
    from: u64,
    to: Option<u64>,
}

/// What stands of one round.
#[derive(Debug, Default)]
pub(super) struct Round {
    pub conversations: HashMap<Id, Standing>,
    /// Where the messages of a client id stand: in one place, if all is well.
    pub by_client_id: HashMap<Uuid, Vec<(Id, Message)>>,
}

/// What stands of one conversation and round.
#[derive(Debug, Default)]
pub(super) struct Standing {
    /// By `seq`, each with its position, where it has one.
    pub messages: Vec<(Message, Option<u64>)>,
    by_seq: HashMap<u64, usize>,
    intervals: HashMap<Id, Vec<Interval>>,
    /// The last `seq` of the rounds before.
    pub after_seq: u64,
}

impl Round {
    pub fn add(
        &mut self,
        conversation: &Id,
        stream: &StoredStream,
        through: &mut Through,
        report: &mut Report,
    ) {
        report.stored += stream.history.len() as u64;
        check_positions(conversation, stream, through.pos, report);
        check_sequence(conversation, stream, through.seq, report);
        check_agreement(conversation, stream, report);
        through.follow_membership(stream);

        let sent = |(pos, body): &(u64, EventBody)| match body {
            EventBody::Message(message) => Some((message.seq, *pos)),
            _ => None,
        };
        let positions: HashMap<u64, u64> = stream.events.iter().filter_map(sent).collect();
        let mut standing =
            Standing { after_seq: through.seq, intervals: through.intervals.clone(), ..Standing::default() };
        for message in &stream.history {
            through.digest.push(message);
            standing.by_seq.insert(message.seq, standing.messages.len());
            standing.messages.push((message.clone(), positions.get(&message.seq).copied()));
            let places = self.by_client_id.entry(message.client_id).or_default();
            places.push((Id::clone(conversation), message.clone()));
        }
        through.pos = stream.events.last().map_or(through.pos, |(pos, _)| *pos);
        through.seq = stream.history.last().map_or(through.seq, |message| message.seq);
        if stream.head.is_some_and(|head| head != (through.pos, through.seq)) {
            report.found(Violation::HeadDiffers, || {
                format!("{conversation}: {:?} where {:?} stands", stream.head, (through.pos, through.seq))
            });
        }
        self.conversations.insert(Id::clone(conversation), standing);
    }
}

impl Standing {
    pub fn find(&self, seq: u64) -> Option<&(Message, Option<u64>)> {
        self.by_seq.get(&seq).map(|index| &self.messages[*index])
    }

    /// Whether a user was in at a position.
    pub fn was_in(&self, user: &Id, pos: u64) -> bool {
        self.intervals.get(user).is_some_and(|intervals| holds(intervals, pos))
    }
}

/// The last message that each user is to have been shown of each conversation, by user and conversation.
pub(super) fn last_owed(stored: &Stored, through: &HashMap<Id, Through>) -> HashMap<(Id, Id), u64> {
    let mut owed = HashMap::new();
    for (conversation, stream) in &stored.conversations {
        let mut followed = Through::default();
        if let Some(through) = through.get(conversation) {
            followed.intervals.clone_from(&through.intervals);
        }
        followed.follow_membership(stream);
        for (user, intervals) in &followed.intervals {
            let last = stream.events.iter().rev().find_map(|(pos, body)| match body {
                EventBody::Message(message) if holds(intervals, *pos) => Some(message.seq),
                _ => None,
            });
            if let Some(last) = last {
                owed.insert((Id::clone(user), Id::clone(conversation)), last);
            }
        }
    }
    owed
}

impl Through {
    fn follow_membership(&mut self, stream: &StoredStream) {
        for (pos, body) in &stream.events {
            let (joined, left) = match body {
                EventBody::Created(users) => (users.as_slice(), None),
                EventBody::Joined(user) => (std::slice::from_ref(user), None),
                EventBody::Left(user) => (&[][..], Some(user)),
                EventBody::Message(_) | EventBody::Other => continue,
            };
            for user in joined {
                let interval = Interval { from: *pos, to: None };
                self.intervals.entry(Id::clone(user)).or_default().push(interval);
            }
            if let Some(last) = left.and_then(|user| self.intervals.get_mut(user)?.last_mut()) {
                last.to.get_or_insert(*pos);
            }
        }
    }
}

fn holds(intervals: &[Interval], pos: u64) -> bool {
    intervals.iter().any(|interval| interval.from <= pos && interval.to.is_none_or(|to| pos <= to))
}

fn check_positions(conversation: &Id, stream: &StoredStream, after: u64, report: &mut Report) {
    let (mut last, mut last_seq) = (after, 0);
    for (pos, body) in &stream.events {
        if *pos <= last {
            report.found(Violation::PositionTwice, || format!("{conversation}: {pos} after {last}"));
        } else if *pos > last + 1 {
            report.found(Violation::PositionHole, || format!("{conversation}: {pos} after {last}"));
        }
        last = last.max(*pos);
        if let EventBody::Message(message) = body {
            if message.seq < last_seq {
                report.found(Violation::SequenceAgainstPosition, || {
                    format!("{conversation}: seq {} at {pos} after seq {last_seq}", message.seq)
                });
            }
            last_seq = message.seq;
        }
    }
}

fn check_sequence(conversation: &Id, stream: &StoredStream, after: u64, report: &mut Report) {
    let mut last = after;
    for message in &stream.history {
        let seq = message.seq;
        if seq <= last {
            report.found(Violation::SequenceTwice, || format!("{conversation}: seq {seq} after {last}"));
        } else if seq > last + 1 {
            report.found(Violation::SequenceHole, || format!("{conversation}: seq {seq} after {last}"));
        }
        last = last.max(seq);
    }
}

fn check_agreement(conversation: &Id, stream: &StoredStream, report: &mut Report) {
    let sent = |(_, body): &'_ (u64, EventBody)| match body {
        EventBody::Message(message) => Some(message.clone()),
        _ => None,
    };
    let of_events: HashSet<Message> = stream.events.iter().filter_map(sent).collect();
    let of_history: HashSet<&Message> = stream.history.iter().collect();
    for message in of_events.iter().filter(|message| !of_history.contains(message)) {
        report.found(Violation::HistoryLacks, || format!("{conversation}: {message:?}"));
    }
    for message in of_history.iter().filter(|message| !of_events.contains(*message)) {
        report.found(Violation::StreamLacks, || format!("{conversation}: {message:?}"));
    }
}
