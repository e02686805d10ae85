//! How often somebody may do something.

use async_trait::async_trait;

use crate::clock::Timestamp;
use crate::rates::{Policy, RateKey};

/// What came of asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// It may be done.
    Given {
        /// How many more may be, at once.
        remaining: usize,
        /// When there will be more, in milliseconds from now.
        more_in_ms: u64,
    },
    /// Not now.
    Refused {
        /// When it is worth asking again, in milliseconds from now.
        again_in_ms: u64,
    },
}

/// Counts in sliding windows.
///
/// - **Never more** than the policy's quota within any window, however the takes are spread over it.
/// - **One count** for all connections, devices and transports of a key.
/// - A refused take counts for nothing.
#[async_trait]
pub trait RateLimiter: Send + Sync + 'static {
    /// Takes one, if there is one.
    async fn take(&self, key: RateKey, policy: Policy, now: Timestamp) -> Taken;
}
