//! Against guessing passwords: who fails waits, longer each time.
//!
//! Failures count for the pair of account and address, for the account from wherever they come, and for the address
//! whatever the account. An attempt counts as a failure from its beginning, so that a hundred at once are not a hundred
//! free ones; a success takes it back. While strangers attack an account, its owner is let in from an address from
//! which they have logged in before.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::net::IpAddr;

use parking_lot::Mutex;

use crate::clock::Timestamp;
use crate::limits::{LOGIN_DELAY_MS, LOGIN_DELAY_MS_MAX, LOGIN_FORGOTTEN_MS, LOGIN_TRIES_KEPT_MAX};
use crate::rates::network_of;

/// Failures before the first delay: people mistype, and many share an address.
const FREE_OF_PAIR: u32 = 3;
const FREE_OF_ACCOUNT: u32 = 10;
const FREE_OF_ADDRESS: u32 = 30;

/// The failures of one node.
#[derive(Default)]
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

/// Somebody who wants to log in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Caller<'a> {
    /// What they call the account, folded; it need not exist.
    pub account: &'a str,
    /// Where they are.
    pub address: IpAddr,
    /// The account's owner has logged in from there.
    pub is_known: bool,
}

/// An attempt that has begun, and counts until it has succeeded.
#[derive(Debug, Default)]
pub(crate) struct Attempt {
    counted: Vec<(u64, u32)>,
    pair: u64,
}

impl LoginGuard {
    /// Begins an attempt; or says in how many milliseconds one may be begun.
    pub fn begin(&self, caller: Caller<'_>, now: Timestamp) -> Result<Attempt, u64> {
        let address = network_of(caller.address);
        let pair = self.spread.hash_one((0, caller.account, address));
        let mut counted = vec![(pair, FREE_OF_PAIR)];
        if !caller.is_known {
            counted.push((self.spread.hash_one((1, caller.account)), FREE_OF_ACCOUNT));
        }
        // This machine's own is a proxy: everybody's.
        if !address.is_loopback() {
            counted.push((self.spread.hash_one((2, address)), FREE_OF_ADDRESS));
        }
        let mut tries = self.tries.lock();
        let waits = counted.iter().filter_map(|(name, _)| tries.get(name)?.wait_ms(now));
        if let Some(wait) = waits.max() {
            return Err(wait);
        }
        make_room(&mut tries, now);
        for (name, free) in &counted {
            let one = tries.entry(*name).or_insert(Tries { failures: 0, until: now, last: now });
            one.fail(*free, now);
        }
        Ok(Attempt { counted, pair })
    }

    /// It was the right password: what the pair has failed is forgiven, and this attempt was none for the others.
    pub fn succeed(&self, attempt: Attempt) {
        let mut tries = self.tries.lock();
        tries.remove(&attempt.pair);
        for (name, free) in attempt.counted {
            Self::take_back(&mut tries, name, free);
        }
    }

    /// It was not looked at.
    pub fn cancel(&self, attempt: Attempt) {
        let mut tries = self.tries.lock();
        for (name, free) in attempt.counted {
            Self::take_back(&mut tries, name, free);
        }
    }

    fn take_back(tries: &mut HashMap<u64, Tries>, name: u64, free: u32) {
        if let Some(one) = tries.get_mut(&name) {
            one.failures = one.failures.saturating_sub(1);
            if one.failures <= free {
                one.until = one.last;
            }
        }
    }
}

impl Tries {
    /// How long is to be waited. Never longer than a delay, whatever the clock did.
    fn wait_ms(&self, now: Timestamp) -> Option<u64> {
        let wait = (self.until.0 - now.0).min(LOGIN_DELAY_MS_MAX);
        u64::try_from(wait).ok().filter(|wait| *wait > 0)
    }

    fn fail(&mut self, free: u32, now: Timestamp) {
        if self.is_forgotten(now) {
            self.failures = 0;
        }
        self.failures = self.failures.saturating_add(1);
        self.last = now;
        self.until = match self.failures.checked_sub(free + 1) {
            None => now,
            Some(doubled) => now.plus_ms((LOGIN_DELAY_MS << doubled.min(16)).min(LOGIN_DELAY_MS_MAX)),
        };
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

    fn begin(guard: &LoginGuard, account: &str, address: &str, ms: i64) -> Result<Attempt, u64> {
        let caller = Caller { account, address: address.parse().unwrap(), is_known: false };
        guard.begin(caller, Timestamp(ms))
    }

    #[test]
    fn who_fails_waits_longer_each_time() {
        let guard = LoginGuard::default();
        let mut now = 0;
        let mut delays = Vec::new();
        while delays.len() < 9 {
            if let Err(wait) = begin(&guard, "alice", HOME, now) {
                delays.push(wait / 1_000);
                now += i64::try_from(wait).unwrap();
                assert!(begin(&guard, "alice", HOME, now - 1).is_err());
            }
        }
        assert_eq!(delays, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        assert!(begin(&guard, "alice", HOME, now).is_ok());
        assert!(begin(&guard, "bob", HOME, now).is_ok(), "another account is another matter");
        assert!(begin(&guard, "alice", "192.0.2.2", now).is_err(), "strangers wait for all strangers");
        let known = Caller { account: "alice", address: "192.0.2.3".parse().unwrap(), is_known: true };
        assert!(guard.begin(known, Timestamp(now)).is_ok(), "the owner does not");
        assert!(begin(&guard, "alice", HOME, now + LOGIN_FORGOTTEN_MS).is_ok(), "it is forgotten");
    }

    #[test]
    fn a_success_forgives() {
        let guard = LoginGuard::default();
        for n in 0..100 {
            let attempt = begin(&guard, "alice", HOME, n).unwrap_or_else(|_| panic!("attempt {n}"));
            if n % 3 == 2 {
                guard.succeed(attempt);
            } else if n % 3 == 1 {
                guard.cancel(attempt);
            }
            // Two of three are not held against the account.
            guard.tries.lock().retain(|name, _| *name != guard.spread.hash_one((1, "alice")));
            guard
                .tries
                .lock()
                .retain(|name, _| *name != guard.spread.hash_one((2, network_of(HOME.parse().unwrap()))));
        }
    }

    #[test]
    fn one_address_does_not_try_all_accounts() {
        let guard = LoginGuard::default();
        let tried = (0..100).filter(|n| begin(&guard, &format!("user{n}"), HOME, 0).is_ok()).count();
        assert_eq!(tried, FREE_OF_ADDRESS as usize + 1);
        let proxied = (0..100).filter(|n| begin(&guard, &format!("user{n}"), "127.0.0.1", 0).is_ok()).count();
        assert_eq!(proxied, 100, "a proxy is everybody");
    }

    #[test]
    fn a_clock_that_went_back_locks_nobody_out() {
        let guard = LoginGuard::default();
        for _ in 0..4 {
            assert!(begin(&guard, "alice", HOME, 3_600_000).is_ok());
        }
        let wait = begin(&guard, "alice", HOME, 0).err().unwrap();
        assert!(wait <= 60_000, "{wait}");
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let guard = LoginGuard::default();
        for n in 0..LOGIN_TRIES_KEPT_MAX + 10 {
            let _ = begin(&guard, &format!("user{n}"), "127.0.0.1", 0);
        }
        assert!(guard.tries.lock().len() <= LOGIN_TRIES_KEPT_MAX + 2);
    }
}
