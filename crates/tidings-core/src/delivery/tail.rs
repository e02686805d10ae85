//! The tail in memory: the newest events, and for everybody who is or was just connected which of them are theirs.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use crate::clock::Timestamp;
use crate::events::{Event, EventBody};
use crate::ids::{LogId, MessageId, UserId};
use crate::limits::{TAIL_BYTES_MAX, TAIL_MS};
use crate::messages::Message;
use crate::ports::store::PageMax;

use super::tracked::TrackedUsers;

/// What a user was due, from the tail.
#[derive(Debug, Clone)]
pub struct TailPart {
    /// In log order: a page, and one more where there is more.
    pub events: Vec<Arc<Event>>,
    /// Everything up to here is in it, or comes behind it.
    pub through: LogId,
}

pub(super) struct Tail {
    entries: VecDeque<Entry>,
    bytes: usize,
    /// Places that users hold of events in `entries`.
    held: usize,
    /// What is left of the messages whose deletion is in `entries`.
    deleted: HashMap<MessageId, Arc<Message>>,
    /// Everything above this place is in `entries`.
    floor: LogId,
    last: LogId,
    tracked: TrackedUsers,
    elapsed: Elapsed,
}

/// What is said of an event to those who may not read what it is about.
#[derive(Debug, Clone)]
pub(super) struct Withheld {
    /// Its place, with nothing in it.
    pub event: Arc<Event>,
    /// They, sorted.
    pub users: Arc<[UserId]>,
}

impl Withheld {
    /// Nothing where none of the users is barred. Both lists are sorted.
    pub fn from(event: &Event, barred: &[UserId], users: &[UserId]) -> Option<Self> {
        let is_here = |user: &&UserId| users.binary_search(user).is_ok();
        let users: Arc<[UserId]> = barred.iter().filter(is_here).copied().collect();
        (!users.is_empty()).then(|| Self { event: Arc::new(event.withheld()), users })
    }

    pub fn is_from(&self, user: UserId) -> bool {
        self.users.binary_search(&user).is_ok()
    }
}

struct Entry {
    event: Arc<Event>,
    withheld: Option<Withheld>,
    entered_ms: i64,
    /// By how many users it is held, each with 8 bytes.
    held: usize,
}

/// How long it has been, by a clock that may jump: a step back counts as none, so that nothing is kept longer for it.
#[derive(Default)]
struct Elapsed {
    ms: i64,
    seen: Option<Timestamp>,
}

impl Tail {
    pub fn starting_at(end: LogId) -> Self {
        Self {
            entries: VecDeque::new(),
            bytes: 0,
            held: 0,
            deleted: HashMap::new(),
            floor: end,
            last: end,
            tracked: TrackedUsers::default(),
            elapsed: Elapsed::default(),
        }
    }

    pub fn track(&mut self, user: UserId) {
        self.tracked.enter(user, self.last);
    }

    pub fn untrack(&mut self, user: UserId, now: Timestamp) {
        let now_ms = self.elapsed.at(now);
        self.tracked.leave(user, now_ms);
        self.tracked.forget(now_ms);
    }

    /// Everybody for whom places in the tail are kept.
    pub fn tracked(&self) -> &TrackedUsers {
        &self.tracked
    }

    /// Takes an event in that is due to `users`; those who are not here are passed over.
    pub fn push(&mut self, event: &Arc<Event>, users: &[UserId], withheld: Option<Withheld>, now: Timestamp) {
        let now_ms = self.elapsed.at(now);
        let mut held = 0;
        for user in users {
            held += usize::from(self.tracked.hold(*user, event.log_id, self.floor));
        }
        if let EventBody::MessageDeleted(message) = &event.body {
            self.deleted.insert(message.id, Arc::clone(message));
        }
        let entry = Entry { event: Arc::clone(event), withheld, entered_ms: now_ms, held };
        self.bytes += entry.bytes();
        self.held += held;
        // At the end, but for an event that a repair brought late: only then is its place looked for, in cold memory.
        let index = if event.log_id > self.last {
            self.entries.len()
        } else {
            self.entries.partition_point(|entry| entry.event.log_id < event.log_id)
        };
        self.entries.insert(index, entry);
        self.last = self.last.max(event.log_id);
        self.prune(now_ms);
        self.tracked.forget(now_ms);
        self.tracked.sweep(self.floor, self.held);
    }

    /// Whether everything that the user was due after this place is here.
    pub fn covers(&self, user: UserId, after: LogId) -> bool {
        self.held_after(user, after).is_some()
    }

    fn held_after(&self, user: UserId, after: LogId) -> Option<impl Iterator<Item = LogId>> {
        // A place beyond the end is of another history; the store decides what to say.
        let is_here = (self.floor..=self.last).contains(&after);
        self.tracked.held_after(user, after).filter(|_| is_here)
    }

    /// At most one event more than a page holds: what is behind it is for the next page.
    pub fn after(&self, user: UserId, after: LogId, page_max: PageMax) -> Option<TailPart> {
        let held = self.held_after(user, after)?;
        let (mut events, mut bytes) = (Vec::new(), 0);
        for event in held.filter_map(|log_id| self.event(log_id, user)) {
            // A page has one event at least, whatever its size.
            if events.len() > 1 && (events.len() > page_max.events || bytes > page_max.bytes) {
                break;
            }
            bytes += event.bytes();
            events.push(event);
        }
        Some(TailPart { events, through: self.last })
    }

    fn event(&self, log_id: LogId, user: UserId) -> Option<Arc<Event>> {
        let index = self.entries.binary_search_by_key(&log_id, |entry| entry.event.log_id).ok()?;
        let Entry { event, withheld, .. } = &self.entries[index];
        let withheld = withheld.as_ref().filter(|withheld| withheld.is_from(user));
        let event = withheld.map_or(event, |withheld| &withheld.event);
        Some(self.without_text(event).unwrap_or_else(|| Arc::clone(event)))
    }

    /// The event as it is told since the message was deleted: what it said, and who reacted, is gone.
    fn without_text(&self, event: &Event) -> Option<Arc<Event>> {
        if self.deleted.is_empty() {
            return None;
        }
        let body = match &event.body {
            EventBody::MessageSent(message) => EventBody::MessageSent(self.left_of(message.id)?),
            EventBody::MessageEdited(message) => EventBody::MessageEdited(self.left_of(message.id)?),
            body if body.is_of_reactions() => {
                self.left_of(body.about()?.message)?;
                EventBody::Withheld
            }
            _ => return None,
        };
        Some(Arc::new(event.with(body)))
    }

    fn left_of(&self, id: MessageId) -> Option<Arc<Message>> {
        self.deleted.get(&id).map(Arc::clone)
    }

    fn prune(&mut self, now_ms: i64) {
        while let Some(oldest) = self.entries.front()
            && (self.bytes > TAIL_BYTES_MAX || now_ms - oldest.entered_ms > TAIL_MS)
        {
            self.floor = self.floor.max(oldest.event.log_id);
            self.bytes -= oldest.bytes();
            self.held -= oldest.held;
            if let EventBody::MessageDeleted(message) = &oldest.event.body {
                self.deleted.remove(&message.id);
            }
            self.entries.pop_front();
        }
    }
}

impl Entry {
    fn bytes(&self) -> usize {
        let withheld =
            self.withheld.as_ref().map_or(0, |withheld| size_of::<Event>() + size_of_val(&*withheld.users));
        self.event.bytes() + withheld + self.held * size_of::<LogId>()
    }
}

impl Elapsed {
    fn at(&mut self, now: Timestamp) -> i64 {
        let before = self.seen.replace(now).unwrap_or(now);
        self.ms += (now.0 - before.0).max(0);
        self.ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{ClientMessageId, ConversationId, Pos, Seq, SessionId, StreamId};
    use crate::messages::{Deletion, MessageKind};
    use crate::reactions::ReactionChange;
    use uuid::Uuid;

    const START: Timestamp = Timestamp(0);

    fn user(n: u128) -> UserId {
        UserId(Uuid::from_u128(n))
    }

    fn push(tail: &mut Tail, log_id: u64, users: &[u128], now: Timestamp) {
        let body = EventBody::SessionEnded { session: SessionId(Uuid::nil()), tokens_until: now };
        push_body(tail, log_id, users, body, now);
    }

    fn push_body(tail: &mut Tail, log_id: u64, users: &[u128], body: EventBody, now: Timestamp) {
        let users: Vec<UserId> = users.iter().map(|n| user(*n)).collect();
        let event = Event {
            log_id: LogId(log_id),
            stream: StreamId::User(user(0)),
            pos: Pos(log_id),
            span: 1,
            at: now,
            actor: user(0),
            body,
        };
        tail.push(&Arc::new(event), &users, None, now);
    }

    fn message(text: &str) -> Message {
        Message {
            id: MessageId { conversation: ConversationId(Uuid::nil()), seq: Seq(1) },
            pos: Pos(1),
            ord: 1,
            sender: user(0),
            client_id: ClientMessageId(Uuid::nil()),
            kind: MessageKind::Text,
            content: text.to_owned(),
            metadata: None,
            version: 1,
            created_at: START,
            edited_at: None,
            deletion: None,
            reactions: Vec::new(),
        }
    }

    fn after(tail: &Tail, n: u128, after: u64) -> Option<(Vec<u64>, u64)> {
        let part = tail.after(user(n), LogId(after), PageMax::events(100))?;
        Some((part.events.iter().map(|event| event.log_id.0).collect(), part.through.0))
    }

    #[test]
    fn a_user_finds_what_was_theirs_since_they_connected() {
        let mut tail = Tail::starting_at(LogId(10));
        tail.track(user(1));
        push(&mut tail, 11, &[1, 2], START);
        push(&mut tail, 12, &[2], START);
        push(&mut tail, 13, &[1], START);
        assert_eq!(after(&tail, 1, 10), Some((vec![11, 13], 13)));
        assert_eq!(after(&tail, 1, 11), Some((vec![13], 13)));
        assert_eq!(after(&tail, 1, 13), Some((vec![], 13)));
        assert_eq!(after(&tail, 1, 9), None, "before the tail began");
        assert_eq!(after(&tail, 1, 14), None, "a place that does not exist yet");
        assert_eq!(after(&tail, 2, 12), None, "nobody kept a list for one who never connected");
        tail.track(user(2));
        assert_eq!(after(&tail, 2, 12), None, "and not before they did");
        assert_eq!(after(&tail, 2, 13), Some((vec![], 13)));
    }

    #[test]
    fn no_more_is_taken_out_than_a_page_and_the_sign_that_there_is_more() {
        let mut tail = Tail::starting_at(LogId(10));
        tail.track(user(1));
        for log_id in 11..=20 {
            push(&mut tail, log_id, &[1], START);
        }
        let taken = |page_max| {
            let part = tail.after(user(1), LogId(11), page_max).unwrap();
            (part.events.iter().map(|event| event.log_id.0).collect::<Vec<_>>(), part.through.0)
        };
        assert_eq!(taken(PageMax::events(2)), (vec![12, 13, 14], 20));
        assert_eq!(taken(PageMax { events: 9, bytes: 1 }), (vec![12, 13], 20));
        assert_eq!(taken(PageMax::events(9)).0.len(), 9);
    }

    #[test]
    fn a_late_repair_stands_in_its_place() {
        let mut tail = Tail::starting_at(LogId(10));
        tail.track(user(1));
        for log_id in [11, 14, 12, 13] {
            push(&mut tail, log_id, &[1], START);
        }
        assert_eq!(after(&tail, 1, 11), Some((vec![12, 13, 14], 14)));
    }

    #[test]
    fn what_was_deleted_is_not_told_any_more() {
        let mut tail = Tail::starting_at(LogId(0));
        tail.track(user(1));
        let left = Message { deletion: Some(Deletion { at: START, by: user(0) }), ..message("") };
        let reaction = ReactionChange {
            message: left.id,
            message_pos: left.pos,
            emoji: "👍".to_owned(),
            reactions: Vec::new(),
        };
        push_body(&mut tail, 1, &[1], EventBody::MessageSent(message("secret").into()), START);
        push_body(&mut tail, 2, &[1], EventBody::MessageEdited(message("secret too").into()), START);
        push_body(&mut tail, 3, &[1], EventBody::ReactionAdded(reaction), START);
        push_body(&mut tail, 4, &[1], EventBody::MessageDeleted(left.clone().into()), START);
        let events = tail.after(user(1), LogId(0), PageMax::events(9)).unwrap().events;
        let told: Vec<_> = events.iter().map(|event| &event.body).collect();
        let (sent, edited) = (left.clone().into(), left.clone().into());
        let sent = [&EventBody::MessageSent(sent), &EventBody::MessageEdited(edited), &EventBody::Withheld];
        assert_eq!(told, [&sent[..], &[&EventBody::MessageDeleted(left.into())]].concat());
        push(&mut tail, 5, &[1], Timestamp(TAIL_MS + 1));
        assert!(tail.deleted.is_empty(), "it goes with its deletion");
    }

    #[test]
    fn old_events_go_and_with_them_the_answer() {
        let mut tail = Tail::starting_at(LogId(10));
        tail.track(user(1));
        push(&mut tail, 11, &[1], START);
        push(&mut tail, 12, &[1], Timestamp(TAIL_MS + 1));
        assert_eq!((tail.entries.len(), tail.bytes, tail.held), (1, tail.entries[0].bytes(), 1));
        assert_eq!(after(&tail, 1, 10), None);
        assert_eq!(after(&tail, 1, 11), Some((vec![12], 12)));
    }

    #[test]
    fn one_who_went_is_remembered_as_long_as_the_tail_reaches_back() {
        let mut tail = Tail::starting_at(LogId(0));
        tail.track(user(1));
        tail.track(user(1));
        tail.untrack(user(1), START);
        tail.untrack(user(1), START);
        push(&mut tail, 1, &[1], Timestamp(TAIL_MS));
        assert_eq!(after(&tail, 1, 0), Some((vec![1], 1)));
        push(&mut tail, 2, &[1], Timestamp(TAIL_MS + 1));
        assert_eq!(after(&tail, 1, 1), None);
        assert_eq!(tail.tracked.len(), 0);
    }

    #[test]
    fn one_who_came_back_in_time_is_not_forgotten() {
        let mut tail = Tail::starting_at(LogId(0));
        tail.track(user(1));
        tail.untrack(user(1), START);
        tail.track(user(1));
        push(&mut tail, 1, &[1], Timestamp(TAIL_MS + 1));
        assert_eq!(after(&tail, 1, 0), Some((vec![1], 1)));
    }

    /// R20: the tail is for a minute of the machine's life, whatever its clock does.
    #[test]
    fn a_clock_that_goes_back_keeps_nothing_longer() {
        const HOUR: i64 = 3_600_000;
        let mut tail = Tail::starting_at(LogId(0));
        tail.track(user(1));
        tail.track(user(2));
        push(&mut tail, 1, &[1], Timestamp(HOUR));
        tail.untrack(user(2), Timestamp(HOUR));
        push(&mut tail, 2, &[1], Timestamp(0));
        push(&mut tail, 3, &[1], Timestamp(TAIL_MS));
        assert_eq!(after(&tail, 1, 0), Some((vec![1, 2, 3], 3)), "and nothing shorter");
        push(&mut tail, 4, &[1], Timestamp(TAIL_MS + 1));
        assert_eq!(after(&tail, 1, 1), None);
        assert_eq!(after(&tail, 1, 2), Some((vec![3, 4], 4)));
        assert!(!tail.tracked.contains(user(2)));
    }

    /// What users hold of an event counts as its own: an event to thousands who are here costs more than its text.
    #[test]
    fn what_users_hold_of_an_event_is_a_part_of_its_cost() {
        let mut tail = Tail::starting_at(LogId(0));
        let users: Vec<u128> = (0..1_000).collect();
        for n in &users[..400] {
            tail.track(user(*n));
        }
        push(&mut tail, 1, &users, START);
        assert_eq!(tail.bytes, tail.entries[0].event.bytes() + 8 * 400);
        push(&mut tail, 2, &[], Timestamp(TAIL_MS + 1));
        assert_eq!((tail.bytes, tail.held), (tail.entries[0].event.bytes(), 0));
    }
}
