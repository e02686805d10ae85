//! The real binary: misconfigured, started twice, and as its README shows it.

mod config;
mod device;
mod documents;
mod frame_proxy;
mod keys;
mod logs;
pub mod server_process;
mod terminal;
mod tour;
