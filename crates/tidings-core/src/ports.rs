//! What the core asks of the world. Guarantees are prose on the traits; a contract suite in `tidings-testkit` holds
//! every adapter to them.

pub mod event_log;
pub mod outbox;
pub mod rate_limit;
pub mod screens;
pub mod store;
