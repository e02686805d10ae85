//! The history checker finds what it should: each violation in a history written by hand, and the faults of the naive
//! design in its double.

#[path = "history/by_hand.rs"]
mod by_hand;
#[path = "history/naive.rs"]
mod naive;
