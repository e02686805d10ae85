//! Stories on the socket.

mod changes;
mod connect;
mod drain;
mod messages;
mod polling;
mod receipts;
mod recovery;
mod resume;
mod signals;
