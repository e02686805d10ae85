//! Stories on the socket.

mod connect;
mod messages;
mod recovery;
mod resume;
