//! Tidings' product: what conversations, messages and events are, and every service that a transport may call.
//!
//! - a **noun** (`messages`, `reactions`, `receipts`, `conversations`, `accounts`, `sessions`) has its types and error
//!   in its own file and one file per verb beside it; a verb is a function of [`services::Services`];
//! - **ports** ([`ports`]) are what it asks of the world, with the guarantees in prose; adapters live in other crates,
//!   those of the single node in [`memory`];
//! - **signals** ([`signals`]) are what people see of one another at this moment: who is writing, who is here;
//! - **delivery** ([`delivery`]) takes what was committed from the log to the connections, **sync** ([`sync`]) brings
//!   back a device that was away.
//!
//! To add a verb: its file beside its noun, its intention on the noun's port, its events in [`events`].

pub mod accounts;
pub mod clock;
pub mod conversations;
pub mod counters;
pub mod delivery;
pub mod error;
pub mod events;
pub mod fail_points;
pub mod histogram;
pub mod idempotency;
pub mod ids;
pub mod limits;
pub mod memory;
pub mod messages;
pub mod ports;
pub mod presence;
pub mod rates;
pub mod reactions;
mod readiness;
pub mod receipts;
pub mod services;
pub mod sessions;
pub mod signals;
pub mod sync;
mod typing;
mod visible;
