//! What is said on the socket beside durable events.

use serde_json::json;
use tidings_protocol::signals::{
    ConversationEvent, DoneAck, OpenAck, Presence, PresenceCounted, PresenceSetEvent, Signal, Typing,
};
use tidings_protocol::socket::{
    ConnectAuth, DeleteMessageEvent, DeliveredAck, Denied, EditMessageEvent, MarkEvent, MessageAck,
    ReactionEvent, ReactionsAck, ReadAck, Ready, RefusedAck, RenewSessionAck, RenewSessionEvent,
    ReplayedPage, Reset, SendMessageEvent, SyncAck,
};
use tidings_protocol::sync::{SkippedStream, SyncResponse};

use super::{
    ALICE, AT, CLIENT_MESSAGE, CONVERSATION, MESSAGE, SESSION, TOKEN, field_problem, message, reactions, some,
};

pub fn renew_session_event() -> RenewSessionEvent {
    RenewSessionEvent { token: "eyJ…".into() }
}

pub fn renew_session_ack() -> RenewSessionAck {
    RenewSessionAck { ok: true, expires_at: AT.into() }
}

pub fn send_message_event() -> SendMessageEvent {
    SendMessageEvent {
        conversation_id: CONVERSATION.into(),
        content: "hi".into(),
        client_message_id: some(CLIENT_MESSAGE),
        r#type: some("text"),
        metadata: Some(json!({"mood": "glad"})),
        reply_to: None,
        thread_root_id: None,
        attachment_ids: None,
    }
}

pub fn edit_message_event() -> EditMessageEvent {
    EditMessageEvent { message_id: MESSAGE.into(), content: "hi there".into(), version: Some(1) }
}

pub fn delete_message_event() -> DeleteMessageEvent {
    DeleteMessageEvent { message_id: MESSAGE.into() }
}

pub fn reaction_event() -> ReactionEvent {
    ReactionEvent { message_id: MESSAGE.into(), emoji: "👍".into() }
}

pub fn reactions_ack() -> ReactionsAck {
    ReactionsAck { ok: true, reactions: reactions(Some(true)) }
}

pub fn mark_event() -> MarkEvent {
    MarkEvent { conversation_id: CONVERSATION.into(), seq: 7 }
}

pub fn read_ack() -> ReadAck {
    ReadAck { ok: true, read_seq: 7, unread: 2 }
}

pub fn delivered_ack() -> DeliveredAck {
    DeliveredAck { ok: true, delivered_seq: 9 }
}

pub fn sync_ack() -> SyncAck {
    let page = SyncResponse {
        events: Vec::new(),
        next: some(TOKEN),
        has_more: false,
        skipped: Vec::new(),
        reset: some("too_old"),
    };
    SyncAck { ok: true, page }
}

pub fn connect_auth() -> ConnectAuth {
    ConnectAuth {
        token: Some("eyJ…".into()),
        since: some(TOKEN),
        pid: some("Q2JDakt4…"),
        offset: some(TOKEN),
    }
}

pub fn denied() -> Denied {
    Denied {
        code: "token_expired".into(),
        detail: "Get a new one.".into(),
        errors: vec![],
        retry_after_ms: None,
    }
}

pub fn ready() -> Ready {
    Ready {
        user_id: ALICE.into(),
        session_id: SESSION.into(),
        connection_id: "0199f3a0-0000-7000-8000-0000000000f1".into(),
        next: TOKEN.into(),
        server_time: AT.into(),
    }
}

pub fn reset() -> Reset {
    Reset { reason: "too_old".into(), next: TOKEN.into() }
}

pub fn replayed_page() -> ReplayedPage {
    let skipped =
        vec![SkippedStream { stream: format!("conversation:{CONVERSATION}"), pos: 900, last_seq: 850 }];
    ReplayedPage { next: TOKEN.into(), has_more: true, skipped }
}

pub fn message_ack() -> MessageAck {
    MessageAck { ok: true, message: message() }
}

pub fn refused_ack() -> RefusedAck {
    RefusedAck {
        ok: false,
        code: "invalid".into(),
        title: "A field breaks a rule".into(),
        detail: "See errors.".into(),
        errors: vec![field_problem()],
        retry_after_ms: Some(1000),
        request_id: None,
    }
}

pub fn conversation_event() -> ConversationEvent {
    ConversationEvent { conversation_id: CONVERSATION.into() }
}

pub fn open_ack() -> OpenAck {
    OpenAck { ok: true, presence: vec![presence()], online_count: 0, typing: vec![ALICE.into()] }
}

pub fn presence_set_event() -> PresenceSetEvent {
    PresenceSetEvent { status: "away".into() }
}

pub fn done_ack() -> DoneAck {
    DoneAck { ok: true }
}

pub fn signals() -> Vec<Signal> {
    let typing = Typing { conversation_id: CONVERSATION.into(), user_id: ALICE.into() };
    vec![
        Signal::TypingStart(typing.clone()),
        Signal::TypingStop(typing),
        Signal::PresenceChanged(presence()),
        Signal::PresenceCounted(PresenceCounted { conversation_id: CONVERSATION.into(), online_count: 812 }),
    ]
}

fn presence() -> Presence {
    Presence { user_id: ALICE.into(), status: "offline".into(), last_seen_at: some(AT) }
}
