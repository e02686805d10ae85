//! Who is writing at this moment: kept for five seconds after the last word of it, told when it begins, every two
//! seconds while it goes on, and when it ends.

use std::collections::HashMap;

use parking_lot::Mutex;

use crate::clock::{Clock, Timestamp};
use crate::ids::{ConversationId, UserId};
use crate::limits::{TYPING_AGAIN_MS, TYPING_MS, TYPING_STARTS_MS, TYPING_TOLD_A_SECOND, TYPING_TOLD_MAX};
use crate::ports::screens::Screens;
use crate::signals::Signal;

/// Conversations are spread over this many locks, held while a signal goes out: so starts and stops keep their order.
const SHARDS: usize = 64;

#[derive(Default)]
struct Shard(HashMap<ConversationId, Writers>);

pub(crate) struct Typing {
    shards: Vec<Mutex<Shard>>,
}

/// Who writes in a conversation.
#[derive(Debug, Default)]
struct Writers {
    people: HashMap<UserId, One>,
    /// Of so many others were told.
    told: usize,
    /// How often anything was told since then.
    tells: (u32, Option<Timestamp>),
}

/// Somebody who writes, or has just stopped.
#[derive(Debug, Clone, Copy)]
struct One {
    /// None where they have stopped.
    until: Option<Timestamp>,
    /// Whether others were told so.
    is_told: bool,
    /// When they were told of it last.
    told_at: Option<Timestamp>,
}

impl Default for Typing {
    fn default() -> Self {
        Self { shards: (0..SHARDS).map(|_| Mutex::default()).collect() }
    }
}

impl Typing {
    /// They write. A new beginning is told at most once a second: what flickers is told when it has settled. Of so many
    /// who write at once the others are told when one has stopped.
    pub fn start(
        &self,
        screens: &dyn Screens,
        conversation: ConversationId,
        user: UserId,
        clock: &dyn Clock,
    ) {
        let mut shard = self.shard(conversation).lock();
        // Under the lock: who waited for it must not be measured by the time before.
        let now = clock.now();
        let writers = shard.0.entry(conversation).or_default();
        let one = writers.people.entry(user).or_insert(One { until: None, is_told: false, told_at: None });
        one.until = Some(now.plus_ms(TYPING_MS));
        let wait = if one.is_told { TYPING_AGAIN_MS } else { TYPING_STARTS_MS };
        let has_room = one.is_told || writers.told < TYPING_TOLD_MAX;
        if has_room
            && one.told_at.is_none_or(|at| has_passed(at, wait, now))
            && may_tell(&mut writers.tells, now)
        {
            writers.told += usize::from(!one.is_told);
            (one.is_told, one.told_at) = (true, Some(now));
            screens.signal(&Signal::TypingStarted { conversation, user }, &[conversation], Some(user));
        }
    }

    /// They have stopped; told at once, or with the next round where very many begin and stop.
    pub fn stop(&self, screens: &dyn Screens, conversation: ConversationId, user: UserId, clock: &dyn Clock) {
        let mut shard = self.shard(conversation).lock();
        let Some(writers) = shard.0.get_mut(&conversation) else { return };
        let Some(one) = writers.people.get_mut(&user) else { return };
        one.until = None;
        if one.is_told && may_tell(&mut writers.tells, clock.now()) {
            one.is_told = false;
            writers.told -= 1;
            screens.signal(&Signal::TypingStopped { conversation, user }, &[conversation], Some(user));
        }
    }

    /// Who is writing, as it was told, the user aside.
    pub fn list(&self, conversation: ConversationId, except: UserId) -> Vec<UserId> {
        let shard = self.shard(conversation).lock();
        let people = shard.0.get(&conversation).into_iter().flat_map(|writers| &writers.people);
        let told = people.filter(|(user, one)| **user != except && one.is_told);
        let mut users: Vec<UserId> = told.map(|(user, _)| *user).collect();
        users.sort_unstable();
        users
    }

    /// Ends what was not renewed, tells what was held back, and forgets what is over.
    pub fn expire(&self, screens: &dyn Screens, clock: &dyn Clock) {
        for shard in &self.shards {
            let mut shard = shard.lock();
            let now = clock.now();
            shard.0.retain(|conversation, writers| {
                writers.expire(screens, *conversation, now);
                !writers.people.is_empty()
            });
        }
    }

    fn shard(&self, conversation: ConversationId) -> &Mutex<Shard> {
        // The last byte of an id is random.
        &self.shards[usize::from(conversation.as_bytes()[15]) % SHARDS]
    }
}

impl Writers {
    fn expire(&mut self, screens: &dyn Screens, conversation: ConversationId, now: Timestamp) {
        let Self { people, told, tells } = self;
        people.retain(|user, one| {
            let user = *user;
            // What ends later than it can was begun before the clock went back.
            if one.until.is_some_and(|until| until <= now || until > now.plus_ms(TYPING_MS)) {
                one.until = None;
            }
            let is_settled = one.told_at.is_none_or(|at| has_passed(at, TYPING_STARTS_MS, now));
            match (one.until, one.is_told) {
                (None, true) if may_tell(tells, now) => {
                    one.is_told = false;
                    *told -= 1;
                    let stopped = Signal::TypingStopped { conversation, user };
                    screens.signal(&stopped, &[conversation], Some(user));
                }
                (Some(_), false) if is_settled && *told < TYPING_TOLD_MAX && may_tell(tells, now) => {
                    (one.is_told, one.told_at) = (true, Some(now));
                    *told += 1;
                    let started = Signal::TypingStarted { conversation, user };
                    screens.signal(&started, &[conversation], Some(user));
                }
                _ => {}
            }
            one.until.is_some() || one.is_told || !is_settled
        });
    }
}

/// Whether one more of a conversation may be told within this second.
fn may_tell((count, since): &mut (u32, Option<Timestamp>), now: Timestamp) -> bool {
    if since.is_none_or(|since| has_passed(since, 1_000, now)) {
        (*count, *since) = (0, Some(now));
    }
    *count += 1;
    *count <= TYPING_TOLD_A_SECOND
}

/// A clock that went back has let everything pass.
fn has_passed(since: Timestamp, ms: i64, now: Timestamp) -> bool {
    !(0..ms).contains(&(now.0 - since.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::presence::Status;
    use uuid::Uuid;

    const HERE: ConversationId = ConversationId(Uuid::nil());
    const ALICE: UserId = UserId(Uuid::from_u128(1));

    /// Remembers what was told: true for a start.
    #[derive(Default)]
    struct Told(Mutex<Vec<bool>>);

    impl Screens for Told {
        fn signal(&self, signal: &Signal, conversations: &[ConversationId], except: Option<UserId>) {
            assert_eq!((conversations, except.is_some()), (&[HERE][..], true));
            self.0.lock().push(matches!(signal, Signal::TypingStarted { .. }));
        }

        fn status(&self, _: UserId) -> Status {
            Status::Online
        }

        fn close_for(&self, _: ConversationId, _: UserId) {}

        fn shows(&self, _: ConversationId, _: UserId) -> bool {
            true
        }

        fn tell_missed(&self) {}
    }

    impl Told {
        fn take(&self) -> Vec<bool> {
            std::mem::take(&mut self.0.lock())
        }
    }

    /// The time of a test.
    struct At(i64);

    impl Clock for At {
        fn now(&self) -> Timestamp {
            Timestamp(self.0)
        }
    }

    #[test]
    fn it_begins_goes_on_and_is_over_by_itself() {
        let (typing, told) = (Typing::default(), Told::default());
        let start = |ms| typing.start(&told, HERE, ALICE, &At(ms));
        start(0);
        start(500);
        start(TYPING_AGAIN_MS - 1);
        assert_eq!(told.take(), [true], "once");
        start(TYPING_AGAIN_MS);
        assert_eq!(told.take(), [true], "who looks must know that it goes on");
        typing.expire(&told, &At(TYPING_AGAIN_MS + TYPING_MS - 1));
        assert_eq!((told.take(), typing.list(HERE, UserId(Uuid::nil()))), (vec![], vec![ALICE]));
        assert_eq!(typing.list(HERE, ALICE), [], "one knows it by oneself");
        typing.expire(&told, &At(TYPING_AGAIN_MS + TYPING_MS));
        assert_eq!(told.take(), [false]);
        assert!(typing.shards.iter().all(|shard| shard.lock().0.is_empty()), "and is forgotten");
    }

    #[test]
    fn what_flickers_is_told_when_it_has_settled() {
        let (typing, told) = (Typing::default(), Told::default());
        for ms in 0..900 {
            typing.start(&told, HERE, ALICE, &At(ms));
            typing.stop(&told, HERE, ALICE, &At(ms));
        }
        assert_eq!(told.take(), [true, false], "one beginning a second");
        typing.start(&told, HERE, ALICE, &At(950));
        typing.expire(&told, &At(TYPING_STARTS_MS - 1));
        assert!(told.take().is_empty());
        typing.expire(&told, &At(TYPING_STARTS_MS));
        assert_eq!(told.take(), [true], "it did not stop any more");
        typing.stop(&told, HERE, ALICE, &At(TYPING_STARTS_MS));
        typing.stop(&told, HERE, ALICE, &At(TYPING_STARTS_MS));
        assert_eq!(told.take(), [false]);
    }

    #[test]
    fn of_many_who_write_at_once_some_are_told() {
        let (typing, told) = (Typing::default(), Told::default());
        let user = |n: usize| UserId(Uuid::from_u128(n as u128));
        for n in 0..TYPING_TOLD_MAX + 2 {
            typing.start(&told, HERE, user(n), &At(0));
        }
        assert_eq!(told.take().len(), TYPING_TOLD_MAX);
        typing.stop(&told, HERE, user(0), &At(1));
        typing.expire(&told, &At(1));
        assert_eq!(told.take(), [false, true], "one of the others takes the place");
        assert_eq!(typing.list(HERE, ALICE).len(), TYPING_TOLD_MAX - 1);
        typing.expire(&told, &At(TYPING_MS));
        assert_eq!(told.take(), [false; TYPING_TOLD_MAX]);
    }

    #[test]
    fn of_a_conversation_so_much_is_told_a_second() {
        let (typing, told) = (Typing::default(), Told::default());
        let user = |n: u32| UserId(Uuid::from_u128(n.into()));
        for n in 0..10 * TYPING_TOLD_A_SECOND {
            typing.start(&told, HERE, user(n), &At(0));
            typing.stop(&told, HERE, user(n), &At(0));
        }
        assert_eq!(told.take().len(), TYPING_TOLD_A_SECOND as usize);
        typing.start(&told, HERE, ALICE, &At(999));
        assert!(told.take().is_empty());
        typing.expire(&told, &At(1_000));
        assert_eq!(told.take(), [true], "the next second tells how it stands");
    }

    /// R20: nobody writes for an hour because the clock was put back.
    #[test]
    fn a_clock_that_goes_back_ends_it() {
        let (typing, told) = (Typing::default(), Told::default());
        typing.start(&told, HERE, ALICE, &At(3_600_000));
        typing.expire(&told, &At(0));
        assert_eq!(told.take(), [true, false]);
        typing.start(&told, HERE, ALICE, &At(1));
        assert_eq!(told.take(), [true]);
    }
}
