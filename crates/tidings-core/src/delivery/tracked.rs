//! Who is tracked on this node: everybody with a connection, and everybody whose last one went no longer ago than the
//! tail in memory reaches back. Of each it holds where the events in the tail are that are theirs.
//!
//! Who came and who was forgotten is also noted in order, so that the roster of a large group can follow it instead of
//! looking every member up for every event.

use std::collections::{HashMap, VecDeque};

use crate::ids::{LogId, UserId};
use crate::limits::TAIL_MS;

/// Comings and goings that are at hand, 16 bytes each; a roster that has missed more looks everybody up once.
const CHANGES_MAX: usize = 16_384;
/// Places that may be out of the tail before they are looked for, as many as may be in it and these: a user who gets
/// nothing for a while would keep theirs.
const STALE_SLACK: usize = 65_536;

#[derive(Debug, Default)]
pub(super) struct TrackedUsers {
    users: HashMap<UserId, Tracked>,
    /// Users by when their last connection went, oldest first; one who came back is skipped when its turn comes.
    idle: VecDeque<(i64, UserId)>,
    /// Who came or was forgotten, oldest first.
    changes: VecDeque<UserId>,
    /// How many changes there have ever been.
    changed: u64,
    /// Places that all users hold, those that have left the tail among them.
    held: usize,
}

#[derive(Debug)]
struct Tracked {
    connections: usize,
    /// `log_ids` is complete above this place.
    since: LogId,
    log_ids: VecDeque<LogId>,
    idle_since: Option<i64>,
}

impl TrackedUsers {
    /// One more connection of the user, when the tail ends at `last`.
    pub fn enter(&mut self, user: UserId, last: LogId) {
        if !self.contains(user) {
            self.note(user);
        }
        let fresh = || Tracked { connections: 0, since: last, log_ids: VecDeque::new(), idle_since: None };
        let here = self.users.entry(user).or_insert_with(fresh);
        here.connections += 1;
        here.idle_since = None;
    }

    /// One connection less.
    pub fn leave(&mut self, user: UserId, now_ms: i64) {
        let Some(here) = self.users.get_mut(&user) else { return };
        here.connections = here.connections.saturating_sub(1);
        if here.connections == 0 {
            here.idle_since = Some(now_ms);
            self.idle.push_back((now_ms, user));
        }
    }

    /// Forgets users who have been gone for longer than the tail reaches back.
    pub fn forget(&mut self, now_ms: i64) {
        while let Some((since, user)) = self.idle.front().copied()
            && now_ms - since > TAIL_MS
        {
            self.idle.pop_front();
            if self.users.get(&user).is_some_and(|here| here.idle_since == Some(since)) {
                self.held -= self.users.remove(&user).map_or(0, |here| here.log_ids.len());
                self.note(user);
            }
        }
    }

    pub fn contains(&self, user: UserId) -> bool {
        self.users.contains_key(&user)
    }

    pub fn len(&self) -> usize {
        self.users.len()
    }

    pub fn users(&self) -> impl Iterator<Item = UserId> {
        self.users.keys().copied()
    }

    /// How many times somebody has come or was forgotten.
    pub fn changed(&self) -> u64 {
        self.changed
    }

    /// Who came or was forgotten since there were `seen` changes, in order; nothing when they are no longer at hand.
    pub fn changes_since(&self, seen: u64) -> Option<impl ExactSizeIterator<Item = UserId>> {
        let missed = usize::try_from(self.changed - seen).ok()?;
        let from = self.changes.len().checked_sub(missed)?;
        Some(self.changes.range(from..).copied())
    }

    /// Gives the place to the user, if they are here. Gives whether they are.
    pub fn hold(&mut self, user: UserId, log_id: LogId, floor: LogId) -> bool {
        let Some(here) = self.users.get_mut(&user) else { return false };
        self.held -= here.drop_through(floor);
        // At the end, but for an event that a repair brought late.
        if here.log_ids.back().is_none_or(|last| *last < log_id) {
            here.log_ids.push_back(log_id);
        } else {
            let index = here.log_ids.partition_point(|held| *held < log_id);
            here.log_ids.insert(index, log_id);
        }
        self.held += 1;
        true
    }

    /// The user's places after this one; nothing when they are not complete from there on.
    pub fn held_after(&self, user: UserId, after: LogId) -> Option<impl Iterator<Item = LogId>> {
        let here = self.users.get(&user).filter(|here| after >= here.since)?;
        let from = here.log_ids.partition_point(|log_id| *log_id <= after);
        Some(here.log_ids.range(from..).copied())
    }

    /// Lets go what has left the tail, once it is more than what has not.
    pub fn sweep(&mut self, floor: LogId, live: usize) {
        if self.held <= 2 * live + STALE_SLACK {
            return;
        }
        for here in self.users.values_mut() {
            self.held -= here.drop_through(floor);
            let kept = 2 * here.log_ids.len();
            here.log_ids.shrink_to(kept);
        }
    }

    fn note(&mut self, user: UserId) {
        self.changed += 1;
        if self.changes.len() == CHANGES_MAX {
            self.changes.pop_front();
        }
        self.changes.push_back(user);
    }
}

impl Tracked {
    fn drop_through(&mut self, floor: LogId) -> usize {
        let mut dropped = 0;
        while self.log_ids.front().is_some_and(|first| *first <= floor) {
            self.log_ids.pop_front();
            dropped += 1;
        }
        dropped
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn user(n: u128) -> UserId {
        UserId(Uuid::from_u128(n))
    }

    fn changes(tracked: &TrackedUsers, seen: u64) -> Option<Vec<u128>> {
        Some(tracked.changes_since(seen)?.map(|user| user.0.as_u128()).collect())
    }

    #[test]
    fn first_connections_and_forgotten_users_are_changes_and_nothing_between() {
        let mut tracked = TrackedUsers::default();
        for _ in 0..2 {
            tracked.enter(user(1), LogId(0));
        }
        tracked.enter(user(2), LogId(0));
        tracked.leave(user(1), 0);
        tracked.leave(user(1), 0);
        tracked.forget(TAIL_MS);
        assert_eq!(changes(&tracked, 0), Some(vec![1, 2]), "one who has just gone is still here");
        tracked.forget(TAIL_MS + 1);
        assert_eq!(changes(&tracked, 1), Some(vec![2, 1]));
        assert_eq!(changes(&tracked, 3), Some(vec![]));
        assert!(tracked.contains(user(2)) && !tracked.contains(user(1)));
    }

    #[test]
    fn changes_are_bounded_and_who_missed_some_is_told() {
        let mut tracked = TrackedUsers::default();
        for n in 0..=CHANGES_MAX as u128 {
            tracked.enter(user(n), LogId(0));
        }
        assert_eq!(changes(&tracked, 0), None);
        assert_eq!(changes(&tracked, 1).map(|changes| changes.len()), Some(CHANGES_MAX));
    }

    #[test]
    fn what_has_left_the_tail_is_let_go_also_where_nothing_new_comes() {
        let mut tracked = TrackedUsers::default();
        tracked.enter(user(1), LogId(0));
        let places = STALE_SLACK as u64 + 10;
        for n in 1..=places {
            assert!(tracked.hold(user(1), LogId(n), LogId(0)));
        }
        assert!(!tracked.hold(user(2), LogId(1), LogId(0)), "nobody of that name is here");
        tracked.sweep(LogId(places - 1), STALE_SLACK);
        assert_eq!(tracked.held, places as usize, "not yet worth the look");
        tracked.sweep(LogId(places - 1), 1);
        assert_eq!(tracked.held, 1);
        let held: Vec<_> = tracked.held_after(user(1), LogId(0)).unwrap().collect();
        assert_eq!(held, [LogId(places)]);
    }
}
