//! What must hold for the Socket.IO server, whatever bytes come. One module a target, each with one `check`, which
//! panics where something does not hold.
//!
//! [`head`], [`engine`], [`socket`] and [`websocket`] compare the decoders with models that are written for plainness,
//! and read back what the writers wrote, where there are some. [`connection`] and [`polling`] play a [`script`] to the
//! whole server, on a clock that is moved by hand, and look at what the application was told ([`app`]) and what the
//! client got ([`transcript`]).
//!
//! To add a target: a module here, a file in `fuzz_targets/`, its `[[bin]]`, its name in `scripts/fuzz.sh`, seeds in
//! `corpus/`, and a mistake of its own under [`planted`].

pub mod app;
pub mod connection;
pub mod engine;
pub mod head;
pub mod json;
pub mod planted;
pub mod polling;
pub mod script;
pub mod socket;
pub mod transcript;
pub mod websocket;
