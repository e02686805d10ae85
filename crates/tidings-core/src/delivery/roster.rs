//! Who is in a conversation at a position.
//!
//! A roster is loaded from a snapshot that may be newer than the event it is needed for, so it is a set of intervals
//! and not of users: whoever joins or leaves later in the snapshot is neither shown the event too early nor missed.
//! Once a position has passed, its intervals are settled into a plain sorted list, 16 bytes a member. A large group
//! keeps another list beside it, of those who are on this node, and only they cost something when an event goes out.

mod barred;
mod local;

use std::collections::VecDeque;
use std::sync::Arc;

use lru::LruCache;

use crate::events::{About, Event, EventBody};
use crate::ids::{ConversationId, Pos, UserId};
use crate::limits::ROSTER_LOCAL_ABOVE;
use crate::ports::store::Interval;

use super::tracked::TrackedUsers;
use barred::Barred;
use local::Local;

/// What an entry costs beside its members, in bytes: map, lists and struct.
const ROSTER_OVERHEAD: usize = 250;

/// The rosters of the conversations that are active on this node: the least recently used go when memory is full.
pub(super) struct Rosters {
    rosters: LruCache<ConversationId, Roster>,
    bytes: usize,
    bytes_max: usize,
}

#[derive(Debug, Default)]
pub(super) struct Roster {
    /// The last position that was delivered; none before the first.
    last_pos: Option<Pos>,
    /// In at every position from `last_pos` on until they leave. Sorted.
    settled: Vec<UserId>,
    /// Intervals of the snapshot that begin after what was delivered, first to last.
    pending: VecDeque<Interval>,
    /// Nobody who is or was settled came in after this.
    newest: Pos,
    barred: Barred,
    /// Of a large group: who of the settled is on this node.
    local: Option<Local>,
    /// What `Rosters::bytes` has of it.
    counted: usize,
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

    pub fn insert(&mut self, id: ConversationId, mut intervals: Vec<Interval>) {
        intervals.sort_by_key(|interval| interval.from_pos);
        let mut roster = Roster { pending: intervals.into(), ..Roster::default() };
        roster.counted = roster.bytes();
        self.bytes += roster.counted;
        if let Some(old) = self.rosters.put(id, roster) {
            self.bytes -= old.counted;
        }
    }

    /// The roster at the event's position. A conversation that is not at hand begins with this event. When the event
    /// has gone out, [`Self::pass`] moves it on.
    pub fn at(&mut self, id: ConversationId, event: &Event) -> &mut Roster {
        let roster = self.rosters.get_or_insert_mut(id, Roster::default);
        roster.arrive(event);
        roster
    }

    /// Moves the roster past the event.
    pub fn pass(&mut self, id: ConversationId, event: &Event) {
        if let Some(roster) = self.rosters.get_mut(&id) {
            roster.depart(event);
            let bytes = roster.bytes();
            self.bytes = self.bytes - roster.counted + bytes;
            roster.counted = bytes;
        }
    }

    /// Lets the least used go while there are too many. Never in the middle of events whose rosters were just loaded.
    pub fn evict(&mut self) {
        while self.bytes > self.bytes_max {
            let Some((_, roster)) = self.rosters.pop_lru() else { return };
            self.bytes -= roster.counted;
        }
    }
}

impl Roster {
    /// Whom the event has to be offered to: everybody who is in, of a large group those who are on this node. And how
    /// many had to be looked up to know that. The tail stays locked until the event is in it: see
    /// [`Local::look`].
    pub fn audience(&mut self, tracked: &TrackedUsers) -> (&[UserId], usize) {
        if self.settled.len() <= ROSTER_LOCAL_ABOVE {
            self.local = None;
            return (&self.settled, 0);
        }
        self.local.get_or_insert_default().look(&self.settled, tracked)
    }

    /// Who may not read the message: nobody where nobody came in after it was sent, else what is known of it.
    pub fn barred(&self, about: About) -> Option<Arc<[UserId]>> {
        if self.newest <= about.pos {
            return Some(Arc::default());
        }
        self.barred.find(about.message, self.newest)
    }

    /// Takes the store's answer as of the event at which the roster stands.
    pub fn remember_barred(&mut self, about: About, users: Arc<[UserId]>) {
        self.barred.put(about.message, self.newest, users);
    }

    /// Settles everybody who is in at the event's position.
    fn arrive(&mut self, event: &Event) {
        self.settle_pending(event.pos);
        if matches!(event.body, EventBody::ConversationCreated { .. } | EventBody::ParticipantJoined(_)) {
            self.newest = self.newest.max(event.pos);
        }
        match &event.body {
            EventBody::ConversationCreated { participants, .. } => {
                for participant in participants {
                    self.settle(participant.user.id);
                }
            }
            EventBody::ParticipantJoined(participant) => self.settle(participant.user.id),
            _ => {}
        }
    }

    /// What the loaded intervals say of a position; who leaves later leaves by the event of it.
    fn settle_pending(&mut self, pos: Pos) {
        let begun = self.pending.partition_point(|interval| interval.from_pos <= pos);
        if begun == 0 {
            return;
        }
        self.newest = self.newest.max(self.pending[begun - 1].from_pos);
        let is_in = |interval: &Interval| interval.to_pos.is_none_or(|to_pos| pos <= to_pos);
        if self.settled.is_empty() {
            let here = self.pending.drain(..begun).filter(is_in).map(|interval| interval.user);
            self.settled = here.collect();
            self.settled.sort_unstable();
            self.settled.dedup();
            self.settled.shrink_to_fit();
            self.pending.shrink_to_fit();
            return;
        }
        for _ in 0..begun {
            if let Some(interval) = self.pending.pop_front().filter(is_in) {
                self.settle(interval.user);
            }
        }
    }

    fn settle(&mut self, user: UserId) {
        if let Err(index) = self.settled.binary_search(&user) {
            self.settled.insert(index, user);
            if let Some(local) = &mut self.local {
                local.come(user);
            }
        }
    }

    /// Takes out who was shown their own leaving.
    fn depart(&mut self, event: &Event) {
        if let EventBody::ParticipantLeft { user, .. } = &event.body
            && let Ok(index) = self.settled.binary_search(&user.id)
        {
            self.settled.remove(index);
            if let Some(local) = &mut self.local {
                local.go(user.id);
            }
        }
        self.last_pos = Some(event.pos);
    }

    fn bytes(&self) -> usize {
        ROSTER_OVERHEAD
            + self.settled.capacity() * size_of::<UserId>()
            + self.pending.capacity() * size_of::<Interval>()
            + self.barred.bytes()
            + self.local.as_ref().map_or(0, Local::bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::conversations::{Marks, Membership, MembershipState, Participant, Preferences, Role};
    use crate::ids::{AppId, LogId, MessageId, Seq, SessionId, StreamId};
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
                settings: crate::accounts::UserSettings::default(),
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
                preferences: Preferences::default(),
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
        audience_of(rosters, HERE, event)
    }

    fn audience_of(rosters: &mut Rosters, id: ConversationId, event: &Event) -> Vec<u128> {
        let tracked = TrackedUsers::default();
        let (users, _) = rosters.at(id, event).audience(&tracked);
        let audience = users.iter().map(|user| user.0.as_u128()).collect();
        rosters.pass(id, event);
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
    fn who_left_before_the_first_event_that_is_heard_of_is_not_shown_it() {
        let mut rosters = Rosters::new(1 << 20);
        rosters.insert(HERE, vec![interval(1, 1, None), interval(2, 1, Some(6)), interval(3, 2, Some(7))]);
        assert_eq!(audience(&mut rosters, &message(7)), [1, 3]);
    }

    #[test]
    fn a_roster_loaded_after_a_joining_does_not_show_the_event_before() {
        let mut rosters = Rosters::new(1 << 20);
        rosters.insert(HERE, vec![interval(1, 1, None), interval(2, 6, None)]);
        assert_eq!(audience(&mut rosters, &message(5)), [1]);
        assert_eq!(audience(&mut rosters, &joined(6, 2)), [1, 2]);
    }

    /// Or an edit of an old message would go to those who have come in since.
    #[test]
    fn the_newest_joining_is_known_however_it_came() {
        let mut rosters = Rosters::new(1 << 20);
        rosters.insert(HERE, vec![interval(1, 1, None), interval(2, 6, None), interval(3, 9, None)]);
        assert_eq!(rosters.at(HERE, &message(7)).newest, Pos(6), "the third is still to come");
        rosters.pass(HERE, &message(7));
        let roster = rosters.at(HERE, &message(9));
        assert_eq!(roster.newest, Pos(9));
        let about = |pos| About { message: MessageId { conversation: HERE, seq: Seq(1) }, pos: Pos(pos) };
        assert_eq!(roster.barred(about(9)).as_deref(), Some(&[][..]), "nobody came in after it");
        assert_eq!(roster.barred(about(8)), None);
        roster.remember_barred(about(8), Arc::new([user(3)]));
        assert_eq!(roster.barred(about(8)).as_deref(), Some(&[user(3)][..]));
        rosters.pass(HERE, &message(9));
        let roster = rosters.at(HERE, &joined(12, 4));
        assert_eq!((roster.newest, roster.barred(about(8))), (Pos(12), None));
    }

    #[test]
    fn settled_members_cost_sixteen_bytes_and_the_least_used_go_when_memory_is_full() {
        let other = ConversationId(Uuid::from_u128(9));
        let mut rosters = Rosters::new(200 * 16 + 4 * ROSTER_OVERHEAD);
        rosters.insert(HERE, (0..200).map(|n| interval(n, 1, None)).collect());
        audience(&mut rosters, &message(1));
        assert_eq!(rosters.bytes, 200 * 16 + ROSTER_OVERHEAD);
        rosters.insert(other, (0..200).map(|n| interval(n, 1, None)).collect());
        assert_eq!(audience_of(&mut rosters, other, &message(1)).len(), 200);
        assert_eq!(
            audience(&mut rosters, &message(2)).len(),
            200,
            "both are needed until their batch is through"
        );
        assert!(rosters.touch(other));
        rosters.evict();
        assert!(!rosters.touch(HERE) && rosters.touch(other));
        assert_eq!(rosters.bytes, 200 * 16 + ROSTER_OVERHEAD);
    }

    #[test]
    fn a_large_group_offers_its_events_to_those_who_are_here() {
        let size = ROSTER_LOCAL_ABOVE as u128;
        let (mut rosters, mut tracked) = (Rosters::new(1 << 20), TrackedUsers::default());
        let mut look = |tracked: &TrackedUsers, event: &Event| {
            let (users, look_ups) = rosters.at(HERE, event).audience(tracked);
            let looked = (users.len(), look_ups);
            rosters.pass(HERE, event);
            looked
        };
        tracked.enter(user(1), LogId(0));
        for n in 1..=size {
            look(&tracked, &joined(n as u64, n));
        }
        let (small, large) = (size as usize, size as u64 + 1);
        assert_eq!(look(&tracked, &message(large)), (small, 0), "looking each up is as cheap as a list");
        assert_eq!(
            look(&tracked, &joined(large + 1, size + 1)),
            (1, 1),
            "the first look is at all who are here"
        );
        assert_eq!(look(&tracked, &message(large + 2)), (1, 0));
        tracked.enter(user(2), LogId(0));
        tracked.enter(user(size + 2), LogId(0));
        assert_eq!(look(&tracked, &message(large + 3)), (2, 2));
        assert_eq!(look(&tracked, &joined(large + 4, size + 2)), (3, 1));
        assert_eq!(look(&tracked, &left(large + 5, size + 2)), (3, 0), "one's own leaving is shown");
        assert_eq!(look(&tracked, &message(large + 6)), (2, 0));
    }
}
