//! REST routes, socket events and the hub of connections: what turns the network into calls of the core's services.
//!
//! - [`gateway`] is the seam: one request in, one answer out; [`http`] accepts the connections that bring them.
//! - `rest` has the routes, one file per noun; a handler decodes ([`extract`], [`query`], [`decode`]), calls one
//!   service function, and encodes ([`convert`], `answer`).
//! - [`socket`] does the same for Socket.IO's events; [`hub`] has the connections that delivery emits to.
//! - [`problem`] is the one place that turns the core's codes into HTTP.
//!
//! To add an endpoint: see `rest.rs`. To add a shape: see `tidings-protocol`, and its conversion here.

mod answer;
pub mod convert;
pub mod cursor;
pub mod decode;
pub mod extract;
pub mod gateway;
pub mod http;
pub mod hub;
mod json;
pub mod operations;
pub mod problem;
pub mod query;
mod rates;
mod rest;
pub mod socket;
