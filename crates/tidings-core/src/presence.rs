//! Who is here: by the liveliest of somebody's devices, kept for twenty seconds after the last one has gone, since most
//! come back. It is known of those only whom somebody looks at, and told once a tick, however often it has changed.

mod board;

pub(crate) use board::{Board, Eyes, Hidden, Loaded, Seen};

use crate::clock::Timestamp;
use crate::ids::UserId;

/// Whether somebody is here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// No device is connected, and none has been for a while.
    Offline,
    /// Every device says that nobody looks at it.
    Away,
    /// A device is connected.
    Online,
}

impl Status {
    /// The stable name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Offline => "offline",
            Self::Away => "away",
            Self::Online => "online",
        }
    }
}

/// What others are shown of somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Presence {
    /// Who.
    pub user: UserId,
    /// Whether they are here.
    pub status: Status,
    /// When they were here last, of one who is offline and shows it.
    pub last_seen_at: Option<Timestamp>,
}

/// Somebody who is in a conversation, and when the store has seen them last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Present {
    /// Who.
    pub user: UserId,
    /// Not read where they are too many to be named.
    pub last_seen_at: Option<Timestamp>,
}
