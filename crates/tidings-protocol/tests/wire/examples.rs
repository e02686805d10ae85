//! One full example of each shape.

use std::collections::BTreeMap;

use serde_json::json;
use tidings_protocol::accounts::{
    Me, PasswordRequest, RegisterRequest, UpdateMeRequest, UpdateSettings, User, UserSettings,
};
use tidings_protocol::conversations::{
    AddParticipantsRequest, AddedParticipants, Conversation, ConversationList, ConversationSettings,
    CreateConversationRequest, MyParticipation, Participant, ParticipantList, SharedConversation,
    UpdateParticipantRequest,
};
use tidings_protocol::events::{
    EventBody, Frame, MessageDeleted, ParticipantChange, ReactionChange, ReactionsChanged, SessionEnded,
    StreamAdvanced,
};
use tidings_protocol::messages::{
    EditMessageRequest, HistoryPage, Message, MessageVersion, MessageVersionList, Reaction, ReactionList,
    ReactionRequest, ReplyTo, SendMessageRequest,
};
use tidings_protocol::problem::{FieldProblem, Problem};
use tidings_protocol::receipts::{
    DeliveredMark, MarkRequest, MarksMoved, ReadMark, Receipt, UnreadConversation, UnreadList,
};
use tidings_protocol::server::{Health, Jwks, ServerInfo};
use tidings_protocol::sessions::{LoginRequest, RefreshRequest, Session, SessionList, SignedIn, Tokens};
use tidings_protocol::socket::{
    ConnectAuth, DeleteMessageEvent, DeliveredAck, Denied, EditMessageEvent, MarkEvent, MessageAck,
    ReactionEvent, ReactionsAck, ReadAck, Ready, RefusedAck, RenewSessionAck, RenewSessionEvent,
    ReplayedPage, Reset, SendMessageEvent, SyncAck,
};
use tidings_protocol::sync::{SkippedStream, SyncEvent, SyncRequest, SyncResponse};

const ALICE: &str = "0199f3a0-0000-7000-8000-00000000000a";
const BOB: &str = "0199f3a0-0000-7000-8000-00000000000b";
const SESSION: &str = "0199f3a0-0000-7000-8000-0000000000e1";
const CONVERSATION: &str = "0199f3a0-0000-7000-8000-0000000000c1";
const MESSAGE: &str = "17x3mCUv1BUEEvNFMFyZrDEqNQW2pVgd";
const CLIENT_MESSAGE: &str = "0199f3a0-0000-7000-8000-0000000000d1";
const AT: &str = "2026-11-21T09:30:00.5Z";
const TOKEN: &str = "AQGZ86AAAHAAgAAAAAAAAAEAAAAAAAAAKg";

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

pub fn user() -> User {
    User {
        id: ALICE.into(),
        username: "alice".into(),
        display_name: "Alice".into(),
        first_name: some("Alice"),
        last_name: some("Liddell"),
        avatar_url: None,
        last_seen_at: some(AT),
    }
}

pub fn me() -> Me {
    let settings = UserSettings { read_receipts: true };
    Me { user: user(), email: some("alice@example.org"), external_id: None, settings }
}

pub fn update_me_request() -> UpdateMeRequest {
    UpdateMeRequest {
        display_name: some("Alice"),
        first_name: some(""),
        last_name: some("Liddell"),
        avatar_url: some("https://example.org/alice.png"),
        settings: Some(UpdateSettings { read_receipts: Some(false) }),
    }
}

pub fn register_request() -> RegisterRequest {
    RegisterRequest {
        username: "alice".into(),
        password: "correct horse".into(),
        display_name: some("Alice"),
        email: some("alice@example.org"),
        first_name: some("Alice"),
        last_name: some("Liddell"),
    }
}

pub fn login_request() -> LoginRequest {
    LoginRequest { login: "alice".into(), password: "correct horse".into(), device: some("phone") }
}

pub fn refresh_request() -> RefreshRequest {
    RefreshRequest { refresh_token: "qL0…".into() }
}

pub fn password_request() -> PasswordRequest {
    PasswordRequest { current_password: "correct horse".into(), new_password: "battery staple".into() }
}

pub fn session_list() -> SessionList {
    SessionList { sessions: vec![session()] }
}

pub fn session() -> Session {
    Session {
        id: SESSION.into(),
        device: some("phone"),
        created_at: AT.into(),
        last_used_at: AT.into(),
        current: true,
    }
}

pub fn renew_session_event() -> RenewSessionEvent {
    RenewSessionEvent { token: "eyJ…".into() }
}

pub fn renew_session_ack() -> RenewSessionAck {
    RenewSessionAck { ok: true, expires_at: AT.into() }
}

pub fn tokens() -> Tokens {
    Tokens {
        access_token: "eyJ…".into(),
        access_token_expires_at: AT.into(),
        refresh_token: "qL0…".into(),
        refresh_token_expires_at: AT.into(),
    }
}

pub fn signed_in() -> SignedIn {
    SignedIn { user: me(), session: session(), tokens: tokens() }
}

pub fn create_direct() -> CreateConversationRequest {
    CreateConversationRequest::Direct { user_id: BOB.into() }
}

pub fn create_group() -> CreateConversationRequest {
    CreateConversationRequest::Group { title: "Tea".into(), user_ids: vec![BOB.into()] }
}

pub fn create_self() -> CreateConversationRequest {
    CreateConversationRequest::SelfNotes {}
}

pub fn add_participants_request() -> AddParticipantsRequest {
    AddParticipantsRequest { user_ids: vec![BOB.into()] }
}

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

fn reactions(mine: Option<bool>) -> Vec<Reaction> {
    vec![Reaction { emoji: "👍".into(), count: 1, user_ids: vec![BOB.into()], mine }]
}

/// As it stands in events.
fn shared_message() -> Message {
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

pub fn mark_event() -> MarkEvent {
    MarkEvent { conversation_id: CONVERSATION.into(), seq: 7 }
}

pub fn read_ack() -> ReadAck {
    ReadAck { ok: true, read_seq: 7, unread: 2 }
}

pub fn delivered_ack() -> DeliveredAck {
    DeliveredAck { ok: true, delivered_seq: 9 }
}

pub fn history_page() -> HistoryPage {
    HistoryPage { messages: vec![message()], pos: 12, has_more_before: true, has_more_after: false }
}

pub fn shared_conversation() -> SharedConversation {
    SharedConversation {
        id: CONVERSATION.into(),
        kind: "group".into(),
        title: some("Tea"),
        avatar_url: None,
        created_at: AT.into(),
        created_by: ALICE.into(),
        settings: ConversationSettings {
            send: "members".into(),
            add: "admins".into(),
            edit: "admins".into(),
            history: "joining".into(),
        },
        participant_count: 2,
        participants: vec![participant()],
        last_seq: 7,
    }
}

fn participant() -> Participant {
    Participant {
        user_id: ALICE.into(),
        user: user(),
        role: "owner".into(),
        joined_at: AT.into(),
        read_seq: 7,
        delivered_seq: 7,
    }
}

pub fn conversation() -> Conversation {
    let me = MyParticipation {
        state: "member".into(),
        role: "owner".into(),
        read_seq: 7,
        delivered_seq: 7,
        history_from_seq: 1,
        muted_until: None,
        pinned: false,
        archived: false,
        notify: "all".into(),
    };
    let last_message = Some(message());
    Conversation { shared: shared_conversation(), pos: 12, last_message, unread: 0, mentions: 0, me }
}

pub fn conversation_list() -> ConversationList {
    ConversationList { conversations: vec![conversation()], next_cursor: some("Kgo") }
}

pub fn participant_list() -> ParticipantList {
    ParticipantList { participants: vec![participant()], next_cursor: None }
}

pub fn update_participant_request() -> UpdateParticipantRequest {
    UpdateParticipantRequest { role: "admin".into() }
}

pub fn added_participants() -> AddedParticipants {
    AddedParticipants { participants: vec![participant()] }
}

pub fn event_bodies() -> Vec<EventBody> {
    let change = |by: &str| ParticipantChange {
        conversation_id: CONVERSATION.into(),
        user_id: ALICE.into(),
        user: user(),
        role: "member".into(),
        by: by.into(),
        history_from_seq: 7,
    };
    let reaction = |count| ReactionChange {
        message_id: MESSAGE.into(),
        conversation_id: CONVERSATION.into(),
        seq: 7,
        user_id: BOB.into(),
        emoji: "👍".into(),
        count,
    };
    vec![
        EventBody::MessageNew(Message { reactions: Vec::new(), ..message() }),
        EventBody::MessageEdited(Message {
            content: "hi there".into(),
            version: 2,
            edited_at: some(AT),
            ..shared_message()
        }),
        EventBody::MessageDeleted(MessageDeleted {
            message_id: MESSAGE.into(),
            conversation_id: CONVERSATION.into(),
            seq: 7,
            deleted_by: ALICE.into(),
            deleted_at: AT.into(),
        }),
        EventBody::ReactionAdded(reaction(1)),
        EventBody::ReactionRemoved(reaction(0)),
        EventBody::ReactionsChanged(ReactionsChanged {
            message_id: MESSAGE.into(),
            conversation_id: CONVERSATION.into(),
            seq: 7,
            reactions: reactions(None),
        }),
        EventBody::StreamAdvanced(StreamAdvanced {}),
        EventBody::MessagesRead(marks_moved()),
        EventBody::MessagesDelivered(marks_moved()),
        EventBody::ConversationCreated(shared_conversation()),
        EventBody::ParticipantJoined(change(BOB)),
        EventBody::ParticipantLeft(change(ALICE)),
        EventBody::ParticipantUpdated(ParticipantChange { role: "admin".into(), ..change(BOB) }),
        EventBody::UserUpdated(me()),
        EventBody::SessionEnded(SessionEnded { session_id: SESSION.into() }),
    ]
}

fn marks_moved() -> MarksMoved {
    let marks = vec![Receipt { user_id: BOB.into(), seq: 7, at: AT.into() }];
    MarksMoved { conversation_id: CONVERSATION.into(), marks }
}

pub fn frame(own: EventBody) -> Frame<EventBody> {
    let stream = match own {
        EventBody::UserUpdated(_) | EventBody::SessionEnded(_) => format!("user:{ALICE}"),
        _ => format!("conversation:{CONVERSATION}"),
    };
    Frame { stream, pos: 12, span: 1, at: AT.into(), next: some(TOKEN), own }
}

pub fn sync_response() -> SyncResponse {
    let events = event_bodies()
        .into_iter()
        .map(|own| SyncEvent { event: own.name().into(), frame: Frame { next: None, ..frame(own) } });
    let skipped =
        vec![SkippedStream { stream: format!("conversation:{CONVERSATION}"), pos: 900, last_seq: 850 }];
    SyncResponse { events: events.collect(), next: some(TOKEN), has_more: true, skipped, reset: None }
}

pub fn sync_request() -> SyncRequest {
    let stream = some(&format!("conversation:{CONVERSATION}"));
    SyncRequest { since: None, stream, after: Some(11), limit: Some(100) }
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

fn field_problem() -> FieldProblem {
    FieldProblem {
        pointer: "/content".into(),
        code: "too_long".into(),
        detail: "20000 bytes of UTF-8; at most 16384".into(),
    }
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

pub fn problem() -> Problem {
    Problem {
        r#type: "urn:tidings:problem:invalid".into(),
        title: "A field breaks a rule".into(),
        status: 422,
        detail: "See errors.".into(),
        instance: format!("/api/conversations/{CONVERSATION}/messages"),
        code: "invalid".into(),
        request_id: "0199f3a0-0000-7000-8000-0000000000aa".into(),
        errors: vec![field_problem()],
        retry_after_ms: Some(1000),
    }
}

pub fn server_info() -> ServerInfo {
    ServerInfo {
        name: "tidings".into(),
        version: "0.1.0".into(),
        feature_level: 1,
        limits: BTreeMap::from([("content_bytes_max".into(), 16_384)]),
    }
}

pub fn health() -> Health {
    Health { status: "ok".into() }
}

pub fn jwks() -> Jwks {
    Jwks {
        keys: vec![json!({"kty": "RSA", "use": "sig", "alg": "RS256", "kid": "…", "n": "…", "e": "AQAB"})],
    }
}
