//! The tidings server: configuration, keys, wiring, lifecycle, commands.
//!
//! [`config`] reads what the operator says, `wiring` is the only file that names adapters, [`lifecycle`] starts and
//! stops the whole. A test starts a server in its own process with [`lifecycle::start`]; the binary is
//! [`commands`] and an allocator.

pub mod certificates;
pub mod commands;
pub mod config;
mod examine;
pub mod keys;
pub mod lifecycle;
pub mod stats;
mod watch;
mod wiring;
