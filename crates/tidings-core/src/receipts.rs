//! Receipts: how far people have read and received, and what is unread.
//!
//! A receipt is a watermark: everything up to it. Others see the public ones; one's own may go back, by "mark unread".

mod advance;
mod gather;
mod unread;

pub use gather::Receipts;
pub use unread::{UnreadConversation, UnreadList};

use crate::clock::Timestamp;
use crate::conversations::Marks;
use crate::ids::{Seq, UserId};

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReceiptKind {
    /// Somebody has read up to here.
    Read,
    /// A device of theirs has received up to here.
    Delivered,
}

/// One person's watermark, as others see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Receipt {
    /// Who.
    pub user: UserId,
    /// Up to and with this message.
    pub seq: Seq,
    /// When it got there.
    pub at: Timestamp,
}

/// Where somebody stands after a mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Their marks.
    pub marks: Marks,
    /// What they have not read.
    pub unread: u64,
}
