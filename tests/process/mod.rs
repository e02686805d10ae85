//! The real binary: misconfigured, started twice, and as its README shows it.

mod config;
mod device;
mod frame_proxy;
mod keys;
mod logs;
mod readme;
pub mod server_process;
mod terminal;
