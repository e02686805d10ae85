//! Engine.IO alone: sessions that carry text and binary messages, over whichever transport the client can use.
//!
//! Socket.IO runs over it, and so may a protocol of your own: implement [`Handler`] and give requests to
//! [`Server::handle`].

mod accept;
mod conversation;
mod driver;
mod flusher;
mod heartbeat;
mod incoming;
mod link;
mod mailbox;
mod message;
mod outgoing;
mod pending;
mod plain;
mod polling;
mod probe;
mod queue;
mod request;
mod server;
mod stream;
mod taker;

pub use accept::Accepted;
pub use flusher::Stats;
pub use plain::{Handler, Message, Server, Session};
pub use queue::SendError;

pub(crate) use conversation::{Conversation, Protocol};
pub(crate) use link::Link;
pub(crate) use message::Message as Incoming;
pub(crate) use server::Core;
