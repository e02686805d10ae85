//! Against guessing passwords: who fails waits, longer each time.
//!
//! Failures count for the pair of account and address, for the account from wherever they come, and for the address
//! whatever the account. An attempt counts as a failure from its beginning, so that neither a hundred at once are a
//! hundred free ones, nor those that hang up while their password is looked at; a success takes it back. While
//! strangers attack an account, its owner is let in from an address from which they have logged in before.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::net::IpAddr;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::clock::Timestamp;
use crate::ids::SessionId;
use crate::limits::{
    LOGIN_DELAY_MS, LOGIN_DELAY_MS_MAX, LOGIN_FORGOTTEN_MS, LOGIN_FREE_OF_ACCOUNT, LOGIN_FREE_OF_ADDRESS,
    LOGIN_FREE_OF_PAIR, LOGIN_TRIES_KEPT_MAX,
};
use crate::rates::network_of;

/// The failures of one node.
#[derive(Debug, Default)]
pub(crate) struct LoginGuard {
    tries: Mutex<HashMap<u64, Tries>>,
    /// Names are kept as hashes that nobody can aim at.
    spread: RandomState,
}

/// What has failed under one name.
#[derive(Debug, Clone, Copy)]
struct Tries {
    failures: u32,
    /// Until then nothing is tried.
    until: Timestamp,
    last: Timestamp,
}

/// Under what failures are counted.
#[derive(Debug, Hash)]
enum Name<'a> {
    Pair(&'a str, IpAddr),
    Account(&'a str),
    Address(IpAddr),
    /// Somebody who is logged in, and wants another password.
    Own(SessionId),
}

/// Somebody who wants to log in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Caller<'a> {
    /// What they call the account, folded; it need not exist. Another name of the same account is another one here, or
    /// the answers would tell which belong together.
    pub account: &'a str,
    /// Where they are.
    pub address: IpAddr,
    /// The account's owner has logged in from there: strangers do not keep them out.
    pub is_known: bool,
}

/// An attempt that has begun. It is a failure unless it [succeeds](Self::succeed) or is [taken back](Self::take_back).
#[derive(Debug)]
#[must_use = "an attempt that succeeds has to say so"]
pub(crate) struct Attempt {
    guard: Arc<LoginGuard>,
    counted: Vec<Counted>,
    pair: Option<u64>,
}

/// What an attempt has changed.
#[derive(Debug, Clone, Copy)]
struct Counted {
    name: u64,
    before: Option<Tries>,
    set: Tries,
}

impl LoginGuard {
    /// Begins an attempt; or says in how many milliseconds one may be begun.
    pub fn begin(self: &Arc<Self>, caller: Caller<'_>, now: Timestamp) -> Result<Attempt, u64> {
        let address = network_of(caller.address);
        let pair = self.spread.hash_one(Name::Pair(caller.account, address));
        let mut names = vec![(pair, LOGIN_FREE_OF_PAIR)];
        if !caller.is_known {
            names.push((self.spread.hash_one(Name::Account(caller.account)), LOGIN_FREE_OF_ACCOUNT));
            // This machine's own is a proxy that says nothing of others: everybody's.
            if !address.is_loopback() {
                names.push((self.spread.hash_one(Name::Address(address)), LOGIN_FREE_OF_ADDRESS));
            }
        }
        self.count(&names, Some(pair), now)
    }

    /// The same of somebody who is logged in. It keeps nobody from logging in, nor another session of theirs from
    /// trying.
    pub fn begin_own(self: &Arc<Self>, session: SessionId, now: Timestamp) -> Result<Attempt, u64> {
        let own = self.spread.hash_one(Name::Own(session));
        self.count(&[(own, LOGIN_FREE_OF_PAIR)], Some(own), now)
    }

    /// An attempt that nobody counts.
    pub fn uncounted(self: &Arc<Self>) -> Attempt {
        Attempt { guard: Arc::clone(self), counted: Vec::new(), pair: None }
    }

    fn count(
        self: &Arc<Self>,
        names: &[(u64, u32)],
        pair: Option<u64>,
        now: Timestamp,
    ) -> Result<Attempt, u64> {
        let mut tries = self.tries.lock();
        let waits = names.iter().filter_map(|(name, _)| tries.get(name)?.wait_ms(now));
        if let Some(wait) = waits.max() {
            return Err(wait);
        }
        make_room(&mut tries, now);
        let mut counted = Vec::with_capacity(names.len());
        for (name, free) in names {
            let before = tries.get(name).copied();
            let set = before.unwrap_or(Tries { failures: 0, until: now, last: now }).failed(*free, now);
            tries.insert(*name, set);
            counted.push(Counted { name: *name, before, set });
        }
        Ok(Attempt { guard: Arc::clone(self), counted, pair })
    }
}

impl Attempt {
    /// It was the right password: what the pair has failed is forgiven, and this was no attempt for the others.
    pub fn succeed(mut self) {
        if let Some(pair) = self.pair {
            self.guard.tries.lock().remove(&pair);
            self.counted.retain(|counted| counted.name != pair);
        }
        self.take_back();
    }

    /// The password was not looked at.
    pub fn take_back(self) {
        let mut tries = self.guard.tries.lock();
        for Counted { name, before, set } in &self.counted {
            let Some(now) = tries.get_mut(name) else { continue };
            now.failures = now.failures.saturating_sub(1);
            // What others have failed meanwhile stays.
            if (now.until, now.last) == (set.until, set.last) {
                match before {
                    Some(before) => (now.until, now.last) = (before.until, before.last),
                    None => now.until = now.last,
                }
            }
            if now.failures == 0 {
                tries.remove(name);
            }
        }
    }
}

impl Tries {
    /// How long is to be waited; not at all for what a clock that has been ahead has left.
    fn wait_ms(&self, now: Timestamp) -> Option<u64> {
        let wait = self.until.0 - now.0;
        let is_of_now = wait <= LOGIN_DELAY_MS_MAX && !self.is_forgotten(now);
        u64::try_from(wait).ok().filter(|wait| *wait > 0 && is_of_now)
    }

    fn failed(self, free: u32, now: Timestamp) -> Self {
        let before = if self.is_forgotten(now) { 0 } else { self.failures };
        let failures = before.saturating_add(1);
        let until = match failures.checked_sub(free + 1) {
            None => now,
            Some(doubled) => now.plus_ms((LOGIN_DELAY_MS << doubled.min(16)).min(LOGIN_DELAY_MS_MAX)),
        };
        Self { failures, until, last: now }
    }

    fn is_forgotten(&self, now: Timestamp) -> bool {
        !(0..LOGIN_FORGOTTEN_MS).contains(&(now.0 - self.last.0))
    }
}

/// Forgets what is old; where that is not enough, those who have failed least.
fn make_room(tries: &mut HashMap<u64, Tries>, now: Timestamp) {
    if tries.len() < LOGIN_TRIES_KEPT_MAX {
        return;
    }
    tries.retain(|_, one| !one.is_forgotten(now));
    let mut fewest = 1;
    while tries.len() >= LOGIN_TRIES_KEPT_MAX {
        tries.retain(|_, one| one.failures > fewest);
        fewest += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOME: &str = "192.0.2.1";

    fn try_from(guard: &Arc<LoginGuard>, account: &str, address: &str, ms: i64) -> Result<Attempt, u64> {
        let caller = Caller { account, address: address.parse().unwrap(), is_known: false };
        guard.begin(caller, Timestamp(ms))
    }

    /// Whether a wrong password was looked at.
    fn fails(guard: &Arc<LoginGuard>, account: &str, address: &str, ms: i64) -> bool {
        try_from(guard, account, address, ms).is_ok()
    }

    #[test]
    fn who_fails_waits_longer_each_time() {
        let guard = Arc::<LoginGuard>::default();
        let (mut now, mut delays) = (0, Vec::new());
        while delays.len() < 9 {
            match try_from(&guard, "alice", HOME, now) {
                Ok(_) => {}
                Err(wait) => {
                    delays.push(wait / 1_000);
                    now += i64::try_from(wait).unwrap();
                    assert!(!fails(&guard, "alice", HOME, now - 1));
                }
            }
        }
        assert_eq!(delays, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        assert!(fails(&guard, "alice", HOME, now));
        assert!(fails(&guard, "bob", HOME, now), "another account is another matter");
        assert!(!fails(&guard, "alice", "192.0.2.2", now), "strangers wait for all strangers");
        let known = Caller { account: "alice", address: "192.0.2.3".parse().unwrap(), is_known: true };
        assert!(guard.begin(known, Timestamp(now)).is_ok(), "the owner does not");
        assert!(fails(&guard, "alice", HOME, now + LOGIN_FORGOTTEN_MS), "it is forgotten");
    }

    #[test]
    fn a_hundred_at_once_are_not_a_hundred_free_ones() {
        let guard = Arc::<LoginGuard>::default();
        let at_once: Vec<_> = (0..100).filter_map(|_| try_from(&guard, "alice", HOME, 0).ok()).collect();
        assert_eq!(at_once.len(), LOGIN_FREE_OF_PAIR as usize + 1);
        at_once.into_iter().for_each(Attempt::take_back);
        assert!(guard.tries.lock().is_empty(), "what was not looked at was no failure");
    }

    #[test]
    fn who_hangs_up_while_it_is_looked_at_has_failed() {
        let guard = Arc::<LoginGuard>::default();
        for _ in 0..=LOGIN_FREE_OF_PAIR {
            drop(try_from(&guard, "alice", HOME, 0).unwrap());
        }
        assert!(try_from(&guard, "alice", HOME, 0).is_err());
    }

    #[test]
    fn a_success_is_no_failure_for_who_else_is_there() {
        let guard = Arc::<LoginGuard>::default();
        for n in 0..LOGIN_FREE_OF_ADDRESS + 1 {
            assert!(fails(&guard, &format!("user{n}"), HOME, 0));
        }
        assert!(!fails(&guard, "one more", HOME, 999), "one address does not try all accounts");
        for n in 1..50 {
            let attempt = try_from(&guard, &format!("colleague{n}"), HOME, 1_000 * n);
            attempt.unwrap_or_else(|wait| panic!("colleague {n} waits {wait} ms")).succeed();
        }
        let proxied = (0..100).filter(|n| fails(&guard, &format!("user{n}"), "127.0.0.1", 0)).count();
        assert_eq!(proxied, 100, "a proxy that says nothing is everybody");
    }

    #[test]
    fn a_success_forgives_the_pair() {
        let guard = Arc::<LoginGuard>::default();
        for n in 0..20 {
            assert!(
                fails(&guard, "alice", "127.0.0.1", n) && fails(&guard, "alice", "127.0.0.1", n) || n > 4
            );
            if let Ok(attempt) = try_from(&guard, "alice", "127.0.0.1", n) {
                attempt.succeed();
            }
        }
        let pair = guard.spread.hash_one(Name::Pair("alice", "127.0.0.1".parse().unwrap()));
        assert!(guard.tries.lock().get(&pair).is_none_or(|pair| pair.failures <= LOGIN_FREE_OF_PAIR));
    }

    /// R20: also to the end of the wait.
    #[test]
    fn a_clock_that_went_back_locks_nobody_out() {
        let guard = Arc::<LoginGuard>::default();
        for _ in 0..4 {
            assert!(fails(&guard, "alice", HOME, 3_600_000));
        }
        assert!(!fails(&guard, "alice", HOME, 3_600_000));
        assert!(fails(&guard, "alice", HOME, 0));
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let guard = Arc::<LoginGuard>::default();
        for n in 0..LOGIN_TRIES_KEPT_MAX + 10 {
            fails(&guard, &format!("user{n}"), "127.0.0.1", 0);
        }
        assert!(guard.tries.lock().len() <= LOGIN_TRIES_KEPT_MAX + 2);
    }
}
