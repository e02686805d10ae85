//! Receipts and what is unread.

use tidings_core::ids::ConversationId;
use tidings_core::receipts::{Receipt, Standing, UnreadConversation, UnreadList};
use tidings_protocol::receipts as wire;
use tidings_protocol::socket::{DeliveredAck, ReadAck};

/// Where somebody stands after reading.
pub fn read_mark(standing: &Standing) -> wire::ReadMark {
    wire::ReadMark { read_seq: standing.marks.read_seq.0, unread: standing.unread }
}

/// Where somebody stands after receiving.
pub fn delivered_mark(standing: &Standing) -> wire::DeliveredMark {
    wire::DeliveredMark { delivered_seq: standing.marks.delivered_seq.0 }
}

/// The same as an ack.
pub fn read_ack(standing: &Standing) -> ReadAck {
    let wire::ReadMark { read_seq, unread } = read_mark(standing);
    ReadAck { ok: true, read_seq, unread }
}

/// The same as an ack.
pub fn delivered_ack(standing: &Standing) -> DeliveredAck {
    let wire::DeliveredMark { delivered_seq } = delivered_mark(standing);
    DeliveredAck { ok: true, delivered_seq }
}

/// What is unread. Messages name nobody yet, so there are no mentions.
pub fn unread_list(list: &UnreadList) -> wire::UnreadList {
    let one = |one: &UnreadConversation| wire::UnreadConversation {
        conversation_id: one.conversation.to_string(),
        unread: one.unread,
        mentions: 0,
    };
    wire::UnreadList {
        unread: list.unread,
        mentions: 0,
        conversations: list.conversations.iter().map(one).collect(),
    }
}

/// Marks, as events tell them.
pub fn marks_moved(conversation: ConversationId, receipts: &[Receipt]) -> wire::MarksMoved {
    let mark = |receipt: &Receipt| wire::Receipt {
        user_id: receipt.user.to_string(),
        seq: receipt.seq.0,
        at: receipt.at.rfc3339(),
    };
    wire::MarksMoved { conversation_id: conversation.to_string(), marks: receipts.iter().map(mark).collect() }
}
