//! What goes over the wire, from the client's side. It shares no code with the server: a mistake made twice is not
//! found.

pub(crate) mod http;
pub(crate) mod socketio;
pub(crate) mod websocket;

/// The other side said something that is not its protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed(pub &'static str);
