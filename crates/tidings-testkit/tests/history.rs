//! The history checker finds what it should: each violation in a history written by hand, and the faults of the naive
//! design in its double.

#![expect(clippy::unwrap_used, reason = "a test says what went wrong by panicking")]

#[path = "history/by_hand.rs"]
mod by_hand;
#[path = "history/naive.rs"]
mod naive;
