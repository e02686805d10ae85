//! Stories on the socket.

mod changes;
mod connect;
mod drain;
mod messages;
mod polling;
mod recovery;
mod resume;
