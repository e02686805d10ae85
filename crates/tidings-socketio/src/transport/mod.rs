//! How messages of one connection get in and frames get out. Long-polling will be the second file beside
//! [`websocket`], with the same three verbs: receive, flush, shut down.

pub(crate) mod websocket;

use std::ops::ControlFlow;

use crate::close::CloseReason;

/// The receiver has taken a message; whether it wants another.
pub(crate) type Verdict = ControlFlow<Stop>;

/// Why no more messages are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// There is no room for one more: the rest must wait in the transport.
    Full,
    /// The connection ends.
    Close(CloseReason),
}
