//! Sliding windows in memory: of each key the counts of the last parts of a window.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use async_trait::async_trait;
use parking_lot::Mutex;

use crate::clock::Timestamp;
use crate::limits::RATE_KEYS_MAX;
use crate::ports::rate_limit::{RateLimiter, Taken};
use crate::rates::{Policy, RateKey};

/// A window is counted in so many parts: one that has begun counts as a whole, so never more than the quota is given
/// within a window, and what was taken comes back a twelfth of it late at most.
const PARTS: usize = 12;
/// The parts that a window touches.
const TOUCHED: usize = PARTS + 1;
/// Keys are spread over this many locks.
const SHARDS: usize = 64;

/// The limits of one node.
pub struct InMemoryRates {
    shards: Vec<Mutex<HashMap<RateKey, Window>>>,
    spread: RandomState,
}

#[derive(Debug, Clone, Copy)]
struct Window {
    part_ms: i64,
    /// The number of the newest part since 1970.
    newest: i64,
    /// Taken in each, by its number.
    counts: [u32; TOUCHED],
}

impl Default for InMemoryRates {
    fn default() -> Self {
        Self { shards: (0..SHARDS).map(|_| Mutex::default()).collect(), spread: RandomState::new() }
    }
}

#[async_trait]
impl RateLimiter for InMemoryRates {
    async fn take(&self, key: RateKey, policy: Policy, now: Timestamp) -> Taken {
        let index = self.spread.hash_one(key) % SHARDS as u64;
        let mut shard = self.shards[usize::try_from(index).unwrap_or_default()].lock();
        if shard.len() >= RATE_KEYS_MAX / SHARDS && !shard.contains_key(&key) {
            shard.retain(|_, window| window.is_of(now));
            // So many at once are more than it was made for: those who are known stay limited.
            if shard.len() >= RATE_KEYS_MAX / SHARDS {
                return Taken::Given { remaining: policy.quota, more_in_ms: 0 };
            }
        }
        let window = shard.entry(key).or_insert_with(|| Window::new(policy, now));
        window.take(policy, now)
    }
}

impl Window {
    fn new(policy: Policy, now: Timestamp) -> Self {
        let part_ms = (policy.window_ms / PARTS as i64).max(1);
        Self { part_ms, newest: now.0.div_euclid(part_ms), counts: [0; TOUCHED] }
    }

    /// Whether anything in it still counts. A clock that went back by more than a part lets everything go.
    fn is_of(&self, now: Timestamp) -> bool {
        let age = now.0.div_euclid(self.part_ms) - self.newest;
        (-1..TOUCHED as i64).contains(&age)
    }

    fn take(&mut self, policy: Policy, now: Timestamp) -> Taken {
        if !self.is_of(now) {
            *self = Self::new(policy, now);
        }
        let part = now.0.div_euclid(self.part_ms);
        while self.newest < part {
            self.newest += 1;
            *self.count(self.newest) = 0;
        }
        let taken: u64 = self.counts.iter().map(|count| u64::from(*count)).sum();
        let quota = policy.quota as u64;
        if taken < quota {
            *self.count(self.newest) += 1;
            let remaining = usize::try_from(quota - taken - 1).unwrap_or(usize::MAX);
            return Taken::Given { remaining, more_in_ms: self.more_in_ms(now) };
        }
        Taken::Refused { again_in_ms: self.more_in_ms(now) }
    }

    /// When the oldest that counts will not count any more.
    fn more_in_ms(&mut self, now: Timestamp) -> u64 {
        let oldest = self.newest - PARTS as i64;
        let first = (oldest..=self.newest).find(|part| *self.count(*part) > 0).unwrap_or(self.newest);
        let at = (first + TOUCHED as i64) * self.part_ms;
        u64::try_from(at - now.0).unwrap_or_default().max(1)
    }

    fn count(&mut self, part: i64) -> &mut u32 {
        let place = usize::try_from(part.rem_euclid(TOUCHED as i64)).unwrap_or_default();
        &mut self.counts[place]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::UserId;
    use crate::rates::Action;
    use proptest::prelude::*;
    use uuid::Uuid;

    const MINUTE: Policy = Policy { quota: 5, window_ms: 60_000 };

    fn window() -> Window {
        Window::new(MINUTE, Timestamp(0))
    }

    fn is_given(taken: Taken) -> bool {
        matches!(taken, Taken::Given { .. })
    }

    proptest! {
        /// However they are spread, clock steps backwards aside.
        #[test]
        fn never_more_than_the_quota_within_any_window(steps in prop::collection::vec(0_i64..9_000, 1..200)) {
            let (mut window, mut now, mut given) = (window(), 0, Vec::new());
            for step in steps {
                now += step;
                match window.take(MINUTE, Timestamp(now)) {
                    Taken::Given { remaining, .. } => {
                        given.push(now);
                        prop_assert!(remaining < MINUTE.quota);
                    }
                    Taken::Refused { again_in_ms } => {
                        let again = now + i64::try_from(again_in_ms).unwrap();
                        let mut then = window;
                        prop_assert!(is_given(then.take(MINUTE, Timestamp(again))), "it is worth asking then");
                        let mut before = window;
                        prop_assert!(!is_given(before.take(MINUTE, Timestamp(again - 1))), "and not before");
                        prop_assert!(again_in_ms <= 65_000);
                    }
                }
            }
            for (n, at) in given.iter().enumerate() {
                let within = given[n..].iter().filter(|later| **later - at < 60_000).count();
                prop_assert!(within <= MINUTE.quota, "{within} within a minute from {at}");
            }
        }
    }

    #[test]
    fn the_quota_is_there_at_once_and_comes_back() {
        let mut window = window();
        for remaining in (0..5).rev() {
            let taken = window.take(MINUTE, Timestamp(0));
            assert_eq!(taken, Taken::Given { remaining, more_in_ms: 65_000 });
        }
        assert_eq!(window.take(MINUTE, Timestamp(1_000)), Taken::Refused { again_in_ms: 64_000 });
        assert!(is_given(window.take(MINUTE, Timestamp(65_000))));
    }

    /// R20.
    #[test]
    fn a_clock_that_goes_back_stops_nobody() {
        let mut window = Window::new(MINUTE, Timestamp(3_600_000));
        for _ in 0..5 {
            assert!(is_given(window.take(MINUTE, Timestamp(3_600_000))));
        }
        assert!(!is_given(window.take(MINUTE, Timestamp(3_599_000))), "a little back is no new window");
        assert!(is_given(window.take(MINUTE, Timestamp(0))));
    }

    #[tokio::test]
    async fn keys_are_counted_apart_and_forgotten() {
        let rates = InMemoryRates::default();
        let key = |action, n| RateKey::User(action, UserId(Uuid::from_u128(n)));
        for _ in 0..5 {
            assert!(is_given(rates.take(key(Action::Edits, 1), MINUTE, Timestamp(0)).await));
        }
        assert!(!is_given(rates.take(key(Action::Edits, 1), MINUTE, Timestamp(0)).await));
        assert!(is_given(rates.take(key(Action::Edits, 2), MINUTE, Timestamp(0)).await));
        assert!(is_given(rates.take(key(Action::Deletes, 1), MINUTE, Timestamp(0)).await));
        for n in 0..2 * RATE_KEYS_MAX as u128 {
            rates.take(key(Action::Edits, n), MINUTE, Timestamp(i64::try_from(n).unwrap() * 10)).await;
        }
        let kept: usize = rates.shards.iter().map(|shard| shard.lock().len()).sum();
        assert!(kept <= RATE_KEYS_MAX, "{kept}");
    }
}
