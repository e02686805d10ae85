//! From the domain's types to the wire's, and back for requests. Pure; one file per noun.

pub mod accounts;
pub mod conversations;
pub mod events;
pub mod ids;
pub mod messages;
pub mod reactions;
pub mod receipts;
pub mod sessions;
pub mod signals;
pub mod sync;

use tidings_core::clock::Timestamp;

/// A moment that may not have come.
fn moment(at: Option<Timestamp>) -> Option<String> {
    at.map(Timestamp::rfc3339)
}
