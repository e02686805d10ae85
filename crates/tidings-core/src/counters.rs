//! What the services count about themselves. Relaxed: it is for people to look at.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::rates::Action;

/// Counters since the node was started.
#[derive(Debug, Default)]
pub struct Counters {
    limited: [AtomicU64; Action::ALL.len()],
    login_delays: AtomicU64,
    catch_ups_from_memory: AtomicU64,
    catch_ups_from_store: AtomicU64,
    catch_ups_reset: AtomicU64,
}

/// What they stood at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stats {
    /// Of each action, how often it was refused for being too often.
    pub limited: [(Action, u64); Action::ALL.len()],
    /// Passwords that were not looked at because too many had been wrong.
    pub login_delays: u64,
    /// Pages of catch-up out of memory.
    pub catch_ups_from_memory: u64,
    /// Pages of catch-up out of the store.
    pub catch_ups_from_store: u64,
    /// Catch-ups that were answered with a reset.
    pub catch_ups_reset: u64,
}

impl Counters {
    pub(crate) fn limited(&self, action: Action) {
        for (known, counter) in Action::ALL.iter().zip(&self.limited) {
            if *known == action {
                one_more(counter);
            }
        }
    }

    pub(crate) fn login_delayed(&self) {
        one_more(&self.login_delays);
    }

    pub(crate) fn caught_up(&self, is_from_memory: bool, is_reset: bool) {
        one_more(match (is_reset, is_from_memory) {
            (true, _) => &self.catch_ups_reset,
            (false, true) => &self.catch_ups_from_memory,
            (false, false) => &self.catch_ups_from_store,
        });
    }

    /// What they stand at.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let mut limited = Action::ALL.map(|action| (action, 0));
        for ((_, count), counter) in limited.iter_mut().zip(&self.limited) {
            *count = read(counter);
        }
        Stats {
            limited,
            login_delays: read(&self.login_delays),
            catch_ups_from_memory: read(&self.catch_ups_from_memory),
            catch_ups_from_store: read(&self.catch_ups_from_store),
            catch_ups_reset: read(&self.catch_ups_reset),
        }
    }
}

fn one_more(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
