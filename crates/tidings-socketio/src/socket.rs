//! Socket.IO over Engine.IO: namespaces, events, acknowledgements and attachments.

mod acks;
mod assembly;
mod client;
mod connection;
mod handler;
mod namespaces;
mod server;
mod work;

pub use acks::AckError;
pub use connection::Connection;
pub use handler::{ConnectError, Event, Handler, Handshake, Reply};
pub use namespaces::{Middleware, Namespace, Namespaces};
pub use server::Server;
