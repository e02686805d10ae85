//! The server on the wire, told from the client's side. `http` speaks through a real listener; all else speaks through
//! a pipe in memory, where time can be stopped.

#![expect(clippy::unwrap_used, reason = "clippy takes the helpers of a test for no test")]

mod app;
mod attachments;
mod client;
mod closing;
mod conversation;
mod http;
mod limits;
mod namespaces;
mod order;
mod polling;
mod time;
mod upgrade;
