//! The product from outside: real HTTP, real sockets, the real binary. The tree mirrors the URLs; each test is a
//! story. To add one: a function in the file of its URL.

#![expect(clippy::unwrap_used, reason = "a test says what went wrong by panicking")]

mod api;
mod bad_input;
mod counters;
mod harness;
mod history;
mod process;
mod reliability;
mod socket;
mod storage;
