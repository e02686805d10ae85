//! Messages, what is on them, and how far people have read.

use serde_json::json;
use tidings_protocol::messages::{
    EditMessageRequest, HistoryPage, Message, MessageVersion, MessageVersionList, Reaction, ReactionList,
    ReactionRequest, ReplyTo, SendMessageRequest,
};
use tidings_protocol::receipts::{
    DeliveredMark, MarkRequest, MarksMoved, ReadMark, Receipt, UnreadConversation, UnreadList,
};

use super::{ALICE, AT, BOB, CLIENT_MESSAGE, CONVERSATION, MESSAGE, some};

pub fn send_message_request() -> SendMessageRequest {
    SendMessageRequest {
        content: "hi".into(),
        client_message_id: some(CLIENT_MESSAGE),
        r#type: some("text"),
        metadata: Some(json!({"mood": "glad"})),
        reply_to: None,
        thread_root_id: None,
        attachment_ids: None,
    }
}

pub fn message() -> Message {
    Message {
        id: MESSAGE.into(),
        conversation_id: CONVERSATION.into(),
        seq: 7,
        sender_id: ALICE.into(),
        r#type: "text".into(),
        content: "hi".into(),
        metadata: Some(json!({"mood": "glad"})),
        client_message_id: CLIENT_MESSAGE.into(),
        reply_to: Some(ReplyTo {
            message_id: MESSAGE.into(),
            seq: 6,
            sender_id: BOB.into(),
            excerpt: "Anybody there?".into(),
        }),
        thread_root_id: None,
        mentions: vec![BOB.into(), "@all".into()],
        attachments: Vec::new(),
        reactions: reactions(Some(false)),
        version: 1,
        created_at: AT.into(),
        edited_at: None,
        deleted_at: None,
        deleted_by: None,
    }
}

pub fn reactions(mine: Option<bool>) -> Vec<Reaction> {
    vec![Reaction { emoji: "👍".into(), count: 1, user_ids: vec![BOB.into()], mine }]
}

/// As it stands in events.
pub fn shared_message() -> Message {
    Message { reactions: reactions(None), ..message() }
}

pub fn edit_message_request() -> EditMessageRequest {
    EditMessageRequest { content: "hi there".into(), version: Some(1) }
}

pub fn message_version_list() -> MessageVersionList {
    let version = |version, content: &str| MessageVersion { version, content: content.into(), at: AT.into() };
    MessageVersionList { edits: vec![version(1, "hi"), version(2, "hi there")] }
}

pub fn reaction_request() -> ReactionRequest {
    ReactionRequest { emoji: "👍".into() }
}

pub fn reaction_list() -> ReactionList {
    ReactionList { reactions: reactions(Some(true)) }
}

pub fn mark_request() -> MarkRequest {
    MarkRequest { seq: 7 }
}

pub fn read_mark() -> ReadMark {
    ReadMark { read_seq: 7, unread: 2 }
}

pub fn delivered_mark() -> DeliveredMark {
    DeliveredMark { delivered_seq: 9 }
}

pub fn unread_list() -> UnreadList {
    let one = UnreadConversation { conversation_id: CONVERSATION.into(), unread: 2, mentions: 0 };
    UnreadList { unread: 2, mentions: 0, conversations: vec![one] }
}

pub fn history_page() -> HistoryPage {
    HistoryPage { messages: vec![message()], pos: 12, has_more_before: true, has_more_after: false }
}

pub fn marks_moved() -> MarksMoved {
    let marks = vec![Receipt { user_id: BOB.into(), seq: 7, at: AT.into() }];
    MarksMoved { conversation_id: CONVERSATION.into(), marks }
}
