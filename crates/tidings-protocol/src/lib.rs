//! What crosses a process: REST and Socket.IO shapes. Serde types and their schemas, no logic.
//!
//! One file per noun, named as in the core. The domain's types are others: the gateway's `convert.rs` turns them into
//! these at the edge. Rules that hold for all: camelCase, ids are opaque strings, times are RFC 3339 in UTC; requests
//! refuse unknown fields, answers may grow. To add a shape: the type here, and an example of it in
//! `tests/wire/examples.rs`, whose snapshots are the published names.

pub mod accounts;
pub mod conversations;
pub mod events;
pub mod messages;
mod metadata;
pub mod not_served;
pub mod problem;
pub mod receipts;
pub mod schemas;
pub mod secret;
pub mod server;
pub mod sessions;
pub mod signals;
pub mod socket;
pub mod socket_events;
pub mod sync;
