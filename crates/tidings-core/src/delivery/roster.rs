//! Who is in a conversation at a position.
//!
//! A roster is loaded from a snapshot that may be newer than the event it is needed for, so it is a set of intervals
//! and not of users: whoever joins or leaves later in the snapshot is neither shown the event too early nor missed.
//! Once a position has passed, its intervals are settled into a plain sorted list, 16 bytes a member.

use lru::LruCache;

use crate::events::{Event, EventBody};
use crate::ids::{ConversationId, Pos, UserId};
use crate::ports::store::Interval;

/// What an entry costs beside its members, in bytes: map, list and struct.
const ROSTER_OVERHEAD: usize = 200;

/// The rosters of the conversations that are active on this node: the least recently used go when memory is full.
pub(super) struct Rosters {
    rosters: LruCache<ConversationId, Roster>,
    bytes: usize,
    bytes_max: usize,
}

#[derive(Debug, Default)]
struct Roster {
    /// The last position that was delivered; none before the first.
    last_pos: Option<Pos>,
    /// In at every position from `last_pos` on until they leave. Sorted.
    settled: Vec<UserId>,
    /// Intervals of the snapshot that begin or end after what was delivered.
    pending: Vec<Interval>,
}

impl Rosters {
    pub fn new(bytes_max: usize) -> Self {
        Self { rosters: LruCache::unbounded(), bytes: 0, bytes_max }
    }

    /// Whether the roster is at hand; if so it is kept before others.
    pub fn touch(&mut self, id: ConversationId) -> bool {
        self.rosters.get(&id).is_some()
    }

    /// The last position that was delivered, if one was since the roster was loaded.
    pub fn last_pos(&mut self, id: ConversationId) -> Option<Pos> {
        self.rosters.get(&id).and_then(|roster| roster.last_pos)
    }

    pub fn insert(&mut self, id: ConversationId, intervals: Vec<Interval>) {
        let roster = Roster { last_pos: None, settled: Vec::new(), pending: intervals };
        self.bytes += roster.bytes();
        if let Some(old) = self.rosters.put(id, roster) {
            self.bytes -= old.bytes();
        }
    }

    /// Calls with the members of the event's position, and moves the roster past it. A conversation that is not at
    /// hand begins with this event.
    pub fn with_audience(&mut self, id: ConversationId, event: &Event, call: impl FnOnce(&[UserId])) {
        let before = self.rosters.get(&id).map_or(0, Roster::bytes);
        let roster = self.rosters.get_or_insert_mut(id, Roster::default);
        roster.arrive(event);
        call(&roster.settled);
        roster.depart(event);
        self.bytes = self.bytes - before + roster.bytes();
    }

    /// Lets the least used go while there are too many. Never in the middle of events whose rosters were just loaded.
    pub fn evict(&mut self) {
        while self.bytes > self.bytes_max {
            let Some((_, roster)) = self.rosters.pop_lru() else { return };
            self.bytes -= roster.bytes();
        }
    }
}

impl Roster {
    /// Settles everybody who is in at the event's position.
    fn arrive(&mut self, event: &Event) {
        let pos = event.pos;
        if !self.pending.is_empty() {
            let here = |interval: &&Interval| {
                interval.from_pos <= pos && interval.to_pos.is_none_or(|to_pos| pos <= to_pos)
            };
            self.settled.extend(self.pending.iter().filter(here).map(|interval| interval.user));
            self.settled.sort_unstable();
            self.settled.dedup();
            self.settled.shrink_to_fit();
            self.pending
                .retain(|interval| interval.from_pos > pos || interval.to_pos.is_some_and(|to| to > pos));
            self.pending.shrink_to_fit();
        }
        match &event.body {
            EventBody::ConversationCreated { participants, .. } => {
                for participant in participants {
                    insert(&mut self.settled, participant.user.id);
                }
            }
            EventBody::ParticipantJoined(participant) => insert(&mut self.settled, participant.user.id),
            _ => {}
        }
    }

    /// Takes out who was shown their own leaving.
    fn depart(&mut self, event: &Event) {
        if let EventBody::ParticipantLeft { user, .. } = &event.body
            && let Ok(index) = self.settled.binary_search(&user.id)
        {
            self.settled.remove(index);
        }
        self.last_pos = Some(event.pos);
    }

    fn bytes(&self) -> usize {
        ROSTER_OVERHEAD
            + self.settled.capacity() * size_of::<UserId>()
            + self.pending.capacity() * size_of::<Interval>()
    }
}

fn insert(sorted: &mut Vec<UserId>, user: UserId) {
    if let Err(index) = sorted.binary_search(&user) {
        sorted.insert(index, user);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::conversations::{Marks, Membership, MembershipState, Participant, Role};
    use crate::ids::{AppId, LogId, Seq, SessionId, StreamId};
    use uuid::Uuid;

    const HERE: ConversationId = ConversationId(Uuid::nil());

    fn user(n: u128) -> UserId {
        UserId(Uuid::from_u128(n))
    }

    fn interval(n: u128, from_pos: u64, to_pos: Option<u64>) -> Interval {
        Interval { user: user(n), from_pos: Pos(from_pos), to_pos: to_pos.map(Pos) }
    }

    fn participant(n: u128) -> Participant {
        let id = user(n);
        let name = String::new();
        Participant {
            user: crate::accounts::User {
                id,
                app: AppId::DEFAULT,
                external_id: None,
                username: name.clone(),
                email: None,
                first_name: None,
                last_name: None,
                display_name: name,
                avatar_url: None,
                created_at: Timestamp(0),
                last_seen_at: None,
            },
            membership: Membership {
                conversation: HERE,
                user: id,
                from_pos: Pos(1),
                to_pos: None,
                from_seq: Seq(1),
                to_seq: None,
                history_from_seq: Seq(1),
                from_log: LogId(1),
                to_log: None,
                joined_at: Timestamp(0),
                role: Role::Member,
                state: MembershipState::Active,
                marks: Marks::default(),
            },
        }
    }

    fn event(pos: u64, body: EventBody) -> Event {
        Event {
            log_id: LogId(pos),
            stream: StreamId::Conversation(HERE),
            pos: Pos(pos),
            span: 1,
            at: Timestamp(0),
            actor: user(0),
            body,
        }
    }

    fn message(pos: u64) -> Event {
        // The roster looks at positions and memberships only; any other body stands for a message.
        event(pos, EventBody::SessionEnded { session: SessionId(Uuid::nil()), tokens_until: Timestamp(0) })
    }

    fn joined(pos: u64, n: u128) -> Event {
        event(pos, EventBody::ParticipantJoined(participant(n)))
    }

    fn left(pos: u64, n: u128) -> Event {
        let Participant { user, membership } = participant(n);
        event(pos, EventBody::ParticipantLeft { user, membership })
    }

    fn audience(rosters: &mut Rosters, event: &Event) -> Vec<u128> {
        let mut audience = Vec::new();
        rosters.with_audience(HERE, event, |users| {
            audience = users.iter().map(|user| user.0.as_u128()).collect();
        });
        audience
    }

    #[test]
    fn one_sees_ones_own_joining_and_leaving_and_nothing_outside() {
        let mut rosters = Rosters::new(1 << 20);
        rosters.insert(HERE, vec![interval(1, 1, None)]);
        assert_eq!(audience(&mut rosters, &message(5)), [1]);
        assert_eq!(audience(&mut rosters, &joined(6, 2)), [1, 2]);
        assert_eq!(audience(&mut rosters, &message(7)), [1, 2]);
        assert_eq!(audience(&mut rosters, &left(8, 2)), [1, 2]);
        assert_eq!(audience(&mut rosters, &message(9)), [1]);
        assert_eq!(audience(&mut rosters, &joined(10, 2)), [1, 2]);
    }

    #[test]
    fn a_roster_loaded_after_a_removal_still_shows_the_last_event_due() {
        let mut rosters = Rosters::new(1 << 20);
        rosters.insert(HERE, vec![interval(1, 1, None), interval(2, 1, Some(6)), interval(2, 8, None)]);
        assert_eq!(audience(&mut rosters, &message(5)), [1, 2]);
        assert_eq!(audience(&mut rosters, &left(6, 2)), [1, 2]);
        assert_eq!(audience(&mut rosters, &message(7)), [1]);
        assert_eq!(audience(&mut rosters, &joined(8, 2)), [1, 2]);
    }

    #[test]
    fn a_roster_loaded_after_a_joining_does_not_show_the_event_before() {
        let mut rosters = Rosters::new(1 << 20);
        rosters.insert(HERE, vec![interval(1, 1, None), interval(2, 6, None)]);
        assert_eq!(audience(&mut rosters, &message(5)), [1]);
        assert_eq!(audience(&mut rosters, &joined(6, 2)), [1, 2]);
    }

    #[test]
    fn settled_members_cost_sixteen_bytes_and_the_least_used_go_when_memory_is_full() {
        let other = ConversationId(Uuid::from_u128(9));
        let mut rosters = Rosters::new(1000 * 16 + 4 * ROSTER_OVERHEAD);
        rosters.insert(HERE, (0..1000).map(|n| interval(n, 1, None)).collect());
        audience(&mut rosters, &message(1));
        assert_eq!(rosters.bytes, 1000 * 16 + ROSTER_OVERHEAD);
        rosters.insert(other, (0..1000).map(|n| interval(n, 1, None)).collect());
        rosters.with_audience(other, &message(1), |users| assert_eq!(users.len(), 1000));
        assert_eq!(
            audience(&mut rosters, &message(2)).len(),
            1000,
            "both are needed until their batch is through"
        );
        assert!(rosters.touch(other));
        rosters.evict();
        assert!(!rosters.touch(HERE) && rosters.touch(other));
        assert_eq!(rosters.bytes, 1000 * 16 + ROSTER_OVERHEAD);
    }
}
