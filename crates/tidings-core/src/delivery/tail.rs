//! The tail in memory: the newest events, and for everybody who is or was just connected which of them are theirs.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use crate::clock::Timestamp;
use crate::events::Event;
use crate::ids::{LogId, UserId};
use crate::limits::{TAIL_BYTES_MAX, TAIL_MS};

/// What a user was due, from the tail.
#[derive(Debug, Clone)]
pub struct TailPart {
    /// In log order.
    pub events: Vec<Arc<Event>>,
    /// Everything up to here is in it.
    pub through: LogId,
}

pub(super) struct Tail {
    entries: VecDeque<Entry>,
    bytes: usize,
    /// Everything above this place is in `entries`.
    floor: LogId,
    last: LogId,
    users: HashMap<UserId, Tracked>,
    /// Users by when their last connection went, oldest first; one who came back is skipped when its turn comes.
    idle: VecDeque<(Timestamp, UserId)>,
}

struct Entry {
    event: Arc<Event>,
    entered_at: Timestamp,
}

struct Tracked {
    connections: usize,
    /// `log_ids` is complete above this place.
    since: LogId,
    log_ids: VecDeque<LogId>,
    idle_since: Option<Timestamp>,
}

impl Tail {
    pub fn starting_at(end: LogId) -> Self {
        Self {
            entries: VecDeque::new(),
            bytes: 0,
            floor: end,
            last: end,
            users: HashMap::new(),
            idle: VecDeque::new(),
        }
    }

    pub fn track(&mut self, user: UserId) {
        let since = self.last;
        let fresh = || Tracked { connections: 0, since, log_ids: VecDeque::new(), idle_since: None };
        let tracked = self.users.entry(user).or_insert_with(fresh);
        tracked.connections += 1;
        tracked.idle_since = None;
    }

    pub fn untrack(&mut self, user: UserId, now: Timestamp) {
        let Some(tracked) = self.users.get_mut(&user) else { return };
        tracked.connections = tracked.connections.saturating_sub(1);
        if tracked.connections == 0 {
            tracked.idle_since = Some(now);
            self.idle.push_back((now, user));
        }
        self.forget(now);
    }

    pub fn push(&mut self, event: &Arc<Event>, users: &[UserId], now: Timestamp) {
        self.bytes += event.bytes();
        // At the end, but for an event that a repair brought late: only then is its place looked for.
        let index = if event.log_id > self.last {
            self.entries.len()
        } else {
            self.entries.partition_point(|entry| entry.event.log_id < event.log_id)
        };
        self.entries.insert(index, Entry { event: Arc::clone(event), entered_at: now });
        self.last = self.last.max(event.log_id);
        self.prune(now);
        let floor = self.floor;
        for user in users {
            if let Some(tracked) = self.users.get_mut(user) {
                while tracked.log_ids.front().is_some_and(|first| *first <= floor) {
                    tracked.log_ids.pop_front();
                }
                let index = if tracked.log_ids.back().is_none_or(|last| *last < event.log_id) {
                    tracked.log_ids.len()
                } else {
                    tracked.log_ids.partition_point(|log_id| *log_id < event.log_id)
                };
                tracked.log_ids.insert(index, event.log_id);
            }
        }
        self.forget(now);
    }

    pub fn after(&self, user: UserId, after: LogId) -> Option<TailPart> {
        let tracked = self.users.get(&user)?;
        // A place beyond the end is of another history; the store decides what to say.
        if after < tracked.since || after < self.floor || after > self.last {
            return None;
        }
        let from = tracked.log_ids.partition_point(|log_id| *log_id <= after);
        let events = tracked.log_ids.range(from..).filter_map(|log_id| self.entry(*log_id)).collect();
        Some(TailPart { events, through: self.last })
    }

    fn entry(&self, log_id: LogId) -> Option<Arc<Event>> {
        let index = self.entries.binary_search_by_key(&log_id, |entry| entry.event.log_id).ok()?;
        Some(Arc::clone(&self.entries[index].event))
    }

    fn prune(&mut self, now: Timestamp) {
        while let Some(oldest) = self.entries.front()
            && (self.bytes > TAIL_BYTES_MAX || now.0 - oldest.entered_at.0 > TAIL_MS)
        {
            self.floor = self.floor.max(oldest.event.log_id);
            self.bytes -= oldest.event.bytes();
            self.entries.pop_front();
        }
    }

    /// Forgets users who have been gone for longer than the tail reaches back.
    fn forget(&mut self, now: Timestamp) {
        while let Some((since, user)) = self.idle.front().copied()
            && now.0 - since.0 > TAIL_MS
        {
            self.idle.pop_front();
            if self.users.get(&user).is_some_and(|tracked| tracked.idle_since == Some(since)) {
                self.users.remove(&user);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::EventBody;
    use crate::ids::{Pos, SessionId, StreamId};
    use uuid::Uuid;

    const START: Timestamp = Timestamp(0);

    fn user(n: u128) -> UserId {
        UserId(Uuid::from_u128(n))
    }

    fn push(tail: &mut Tail, log_id: u64, users: &[u128], now: Timestamp) {
        let users: Vec<UserId> = users.iter().map(|n| user(*n)).collect();
        let event = Event {
            log_id: LogId(log_id),
            stream: StreamId::User(user(0)),
            pos: Pos(log_id),
            span: 1,
            at: now,
            actor: user(0),
            body: EventBody::SessionEnded { session: SessionId(Uuid::nil()), tokens_until: now },
        };
        tail.push(&Arc::new(event), &users, now);
    }

    fn after(tail: &Tail, n: u128, after: u64) -> Option<(Vec<u64>, u64)> {
        let part = tail.after(user(n), LogId(after))?;
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
    fn a_late_repair_stands_in_its_place() {
        let mut tail = Tail::starting_at(LogId(10));
        tail.track(user(1));
        for log_id in [11, 14, 12, 13] {
            push(&mut tail, log_id, &[1], START);
        }
        assert_eq!(after(&tail, 1, 11), Some((vec![12, 13, 14], 14)));
    }

    #[test]
    fn old_events_go_and_with_them_the_answer() {
        let mut tail = Tail::starting_at(LogId(10));
        tail.track(user(1));
        push(&mut tail, 11, &[1], START);
        push(&mut tail, 12, &[1], Timestamp(TAIL_MS + 1));
        assert_eq!(tail.bytes, tail.entries[0].event.bytes());
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
        assert!(tail.users.is_empty());
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
}
