//! The real binary: killed, misconfigured, started twice, and as its README shows it.

mod config;
mod device;
mod kill;
mod readme;
mod server_process;
mod terminal;
