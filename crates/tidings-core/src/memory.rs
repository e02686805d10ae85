//! In-process adapters: what the single node runs on, and what tests use. There are no mocks beside them.

mod event_log;
mod rate_limiter;

pub use event_log::InProcessLog;
pub use rate_limiter::InMemoryRates;
