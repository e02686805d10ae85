//! Builders, actors, a faulty disk, a history checker, a faulty network, and contract suites for every port.
//!
//! Each part is a feature of the same name; all are on by default. [`scale`] is always there.

#[cfg(feature = "actors")]
pub mod actors;
#[cfg(feature = "contract")]
pub mod builders;
#[cfg(feature = "contract")]
pub mod contract;
#[cfg(feature = "disk")]
pub mod disk;
#[cfg(feature = "history")]
pub mod history;
#[cfg(feature = "proxy")]
pub mod proxy;
#[cfg(feature = "recount")]
pub mod recount;
pub mod scale;
