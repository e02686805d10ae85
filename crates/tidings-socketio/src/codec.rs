//! The layers of the wire, from bytes to packets. Nothing here does I/O, waits or knows a connection.
//!
//! [`head`] reads the request that a connection begins with, [`websocket`] turns bytes into messages, [`engine`] a
//! message into an Engine.IO packet, [`socket`] the body of a packet into a Socket.IO packet.

pub mod engine;
pub mod head;
pub mod json;
pub mod mask;
pub mod socket;
pub mod websocket;
