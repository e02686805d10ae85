//! Engine.IO v4 and Socket.IO v5 server: codecs without I/O, transport, connection, server; knows no chat.
//!
//! What is supported and what is not, beside the Node server and with which clients, is in the crate's README, with
//! every limit and every reason why a connection ends.
//!
//! An application implements [`Handler`] and gives each upgrade request to [`Server::handle`]:
//!
//! ```
//! use std::sync::Arc;
//! use futures_util::future::{BoxFuture, FutureExt};
//! use tidings_socketio::{CloseReason, Config, ConnectError, Connection, Event, Handler, Handshake, Reply, Server};
//!
//! struct Echo;
//!
//! impl Handler for Echo {
//!     type State = ();
//!
//!     fn connect(&self, handshake: Handshake) -> BoxFuture<'static, Result<(), ConnectError>> {
//!         let is_known = handshake.auth.is_some();
//!         async move { if is_known { Ok(()) } else { Err(ConnectError::new("who are you?")) } }.boxed()
//!     }
//!
//!     fn connected(&self, connection: &Connection<()>) -> BoxFuture<'static, ()> {
//!         let _ = connection.emit("hello", r#"{"n":1}"#);
//!         async {}.boxed()
//!     }
//!
//!     fn event(&self, _: &Connection<()>, event: Event) -> BoxFuture<'static, Option<Reply>> {
//!         async move { Some(event.args_json().to_owned().into()) }.boxed()
//!     }
//!
//!     fn disconnected(&self, _: &Connection<()>, _: CloseReason) {}
//! }
//!
//! let server = Server::new(Config::default(), Arc::new(Echo));
//! assert_eq!(server.connection_count(), 0);
//! ```
//!
//! One frame for many connections is a [`SharedFrame`], encoded once. Every queue, payload and count has a limit in
//! [`Config`], where is also said what happens at it; every end of a connection is one of [`CloseReason`].
//!
//! Each connection is one task. While it is idle it holds no read buffer, no write buffer and one timer.

mod addresses;
mod close;
pub mod codec;
mod config;
pub mod engine;
mod frame;
mod id;
mod peer;
mod socket;
pub mod steps;

pub use addresses::{Addresses, Taken};
pub use close::CloseReason;
pub use config::{AllowedOrigins, Config};
pub use engine::{Accepted, SendError, Stats};
pub use frame::SharedFrame;
pub use id::ConnectionId;
pub use peer::Peer;
pub use socket::{
    AckError, ConnectError, Connection, Event, Handler, Handshake, Middleware, Namespace, Namespaces, Reply,
    Server,
};

/// Its example compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
