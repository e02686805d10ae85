//! The real binary: killed, misconfigured, started twice, and as its README shows it.

mod config;
mod kill;
mod readme;
mod server_process;
