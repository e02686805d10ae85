//! Who is writing at this moment: kept for five seconds after the last word of it, told when it begins, every two
//! seconds while it goes on, and when it ends.

use std::collections::HashMap;

use parking_lot::Mutex;

use crate::clock::Timestamp;
use crate::ids::{ConversationId, UserId};
use crate::limits::{TYPING_AGAIN_MS, TYPING_MS, TYPING_STARTS_MS, TYPING_TOLD_MAX};
use crate::ports::screens::Screens;
use crate::signals::Signal;

/// Conversations are spread over this many locks, held while a signal goes out: so starts and stops keep their order.
const SHARDS: usize = 64;

pub(crate) struct Typing {
    shards: Vec<Mutex<HashMap<(ConversationId, UserId), One>>>,
}

/// Somebody who writes, or has just stopped.
#[derive(Debug, Clone, Copy)]
struct One {
    /// None where they have stopped.
    until: Option<Timestamp>,
    /// Whether others were told so.
    is_told: bool,
    /// When they were told of it last.
    told_at: Timestamp,
}

impl Default for Typing {
    fn default() -> Self {
        Self { shards: (0..SHARDS).map(|_| Mutex::default()).collect() }
    }
}

impl Typing {
    /// They write. A new beginning is told at most once a second: what flickers is told when it has settled.
    pub fn start(&self, screens: &dyn Screens, conversation: ConversationId, user: UserId, now: Timestamp) {
        let mut shard = self.shard(conversation).lock();
        let until = Some(now.plus_ms(TYPING_MS));
        let is_new = !shard.contains_key(&(conversation, user));
        let one = shard.entry((conversation, user)).or_insert(One { until, is_told: false, told_at: now });
        one.until = until;
        let wait = if one.is_told { TYPING_AGAIN_MS } else { TYPING_STARTS_MS };
        if is_new || has_passed(one.told_at, wait, now) {
            *one = One { until, is_told: true, told_at: now };
            screens.signal(&Signal::TypingStarted { conversation, user }, &[conversation], Some(user));
        }
    }

    /// They have stopped; told at once.
    pub fn stop(&self, screens: &dyn Screens, conversation: ConversationId, user: UserId) {
        let mut shard = self.shard(conversation).lock();
        if let Some(one) = shard.get_mut(&(conversation, user)) {
            one.until = None;
            if std::mem::take(&mut one.is_told) {
                screens.signal(&Signal::TypingStopped { conversation, user }, &[conversation], Some(user));
            }
        }
    }

    /// Who is writing, as it was told, the user aside; so many at most.
    pub fn list(&self, conversation: ConversationId, except: UserId) -> Vec<UserId> {
        let shard = self.shard(conversation).lock();
        let here =
            shard.iter().filter(|((of, user), one)| *of == conversation && *user != except && one.is_told);
        let mut users: Vec<UserId> = here.map(|((_, user), _)| *user).take(TYPING_TOLD_MAX).collect();
        users.sort_unstable();
        users
    }

    /// Ends what was not renewed, tells what was held back, and forgets what is over.
    pub fn expire(&self, screens: &dyn Screens, now: Timestamp) {
        for shard in &self.shards {
            shard.lock().retain(|(conversation, user), one| {
                let (conversation, user) = (*conversation, *user);
                if one.until.is_some_and(|until| until <= now || until > now.plus_ms(TYPING_MS)) {
                    one.until = None;
                }
                let is_settled = has_passed(one.told_at, TYPING_STARTS_MS, now);
                match (one.until, one.is_told) {
                    (None, true) => {
                        one.is_told = false;
                        let stopped = Signal::TypingStopped { conversation, user };
                        screens.signal(&stopped, &[conversation], Some(user));
                    }
                    (Some(_), false) if is_settled => {
                        (one.is_told, one.told_at) = (true, now);
                        let started = Signal::TypingStarted { conversation, user };
                        screens.signal(&started, &[conversation], Some(user));
                    }
                    _ => {}
                }
                one.until.is_some() || !is_settled
            });
        }
    }

    fn shard(&self, conversation: ConversationId) -> &Mutex<HashMap<(ConversationId, UserId), One>> {
        // The last byte of an id is random.
        &self.shards[usize::from(conversation.as_bytes()[15]) % SHARDS]
    }
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
            assert_eq!((conversations, except), (&[HERE][..], Some(ALICE)));
            self.0.lock().push(matches!(signal, Signal::TypingStarted { .. }));
        }

        fn status(&self, _: UserId) -> Status {
            Status::Online
        }

        fn close_for(&self, _: ConversationId, _: UserId) -> usize {
            0
        }
    }

    impl Told {
        fn take(&self) -> Vec<bool> {
            std::mem::take(&mut self.0.lock())
        }
    }

    #[test]
    fn it_begins_goes_on_and_is_over_by_itself() {
        let (typing, told) = (Typing::default(), Told::default());
        let start = |ms| typing.start(&told, HERE, ALICE, Timestamp(ms));
        start(0);
        start(500);
        start(TYPING_AGAIN_MS - 1);
        assert_eq!(told.take(), [true], "once");
        start(TYPING_AGAIN_MS);
        assert_eq!(told.take(), [true], "who looks must know that it goes on");
        typing.expire(&told, Timestamp(TYPING_AGAIN_MS + TYPING_MS - 1));
        assert_eq!((told.take(), typing.list(HERE, UserId(Uuid::nil()))), (vec![], vec![ALICE]));
        assert_eq!(typing.list(HERE, ALICE), [], "one knows it by oneself");
        typing.expire(&told, Timestamp(TYPING_AGAIN_MS + TYPING_MS));
        assert_eq!(told.take(), [false]);
        assert!(typing.shards.iter().all(|shard| shard.lock().is_empty()), "and is forgotten");
    }

    #[test]
    fn what_flickers_is_told_when_it_has_settled() {
        let (typing, told) = (Typing::default(), Told::default());
        for ms in 0..900 {
            typing.start(&told, HERE, ALICE, Timestamp(ms));
            typing.stop(&told, HERE, ALICE);
        }
        assert_eq!(told.take(), [true, false], "one beginning a second");
        typing.start(&told, HERE, ALICE, Timestamp(950));
        typing.expire(&told, Timestamp(TYPING_STARTS_MS - 1));
        assert!(told.take().is_empty());
        typing.expire(&told, Timestamp(TYPING_STARTS_MS));
        assert_eq!(told.take(), [true], "it did not stop any more");
        typing.stop(&told, HERE, ALICE);
        typing.stop(&told, HERE, ALICE);
        assert_eq!(told.take(), [false]);
    }

    /// R20: nobody writes for an hour because the clock was put back.
    #[test]
    fn a_clock_that_goes_back_ends_it() {
        let (typing, told) = (Typing::default(), Told::default());
        typing.start(&told, HERE, ALICE, Timestamp(3_600_000));
        typing.expire(&told, Timestamp(0));
        assert_eq!(told.take(), [true, false]);
        typing.start(&told, HERE, ALICE, Timestamp(1));
        assert_eq!(told.take(), [true]);
    }
}
