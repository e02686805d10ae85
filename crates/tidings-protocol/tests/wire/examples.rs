//! One full example of each shape.

mod messages;
mod socket;

pub use messages::*;
pub use socket::*;

use std::collections::BTreeMap;

use serde_json::json;
use tidings_protocol::accounts::{
    Me, PasswordRequest, RegisterRequest, UpdateMeRequest, UpdateSettings, User, UserList, UserSettings,
};
use tidings_protocol::conversations::{
    AddParticipantsRequest, AddedParticipants, Conversation, ConversationList, ConversationSettings,
    CreateConversationRequest, MyParticipation, Participant, ParticipantList, Preferences,
    PreferencesRequest, SharedConversation, UpdateParticipantRequest,
};
use tidings_protocol::events::{
    EventBody, Frame, MessageDeleted, ParticipantChange, PreferencesUpdated, ReactionChange,
    ReactionsChanged, SessionEnded, StreamAdvanced,
};
use tidings_protocol::messages::Message;
use tidings_protocol::problem::{FieldProblem, Problem};
use tidings_protocol::server::{Health, Jwks, ServerInfo};
use tidings_protocol::sessions::{LoginRequest, RefreshRequest, Session, SessionList, SignedIn, Tokens};
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
    let settings = UserSettings { read_receipts: true, typing: true, presence: true };
    Me { user: user(), email: some("alice@example.org"), external_id: None, settings }
}

pub fn update_me_request() -> UpdateMeRequest {
    UpdateMeRequest {
        display_name: some("Alice"),
        first_name: some(""),
        last_name: some("Liddell"),
        avatar_url: some("https://example.org/alice.png"),
        settings: Some(UpdateSettings { read_receipts: Some(false), ..UpdateSettings::default() }),
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

pub fn preferences() -> Preferences {
    Preferences { muted_until: some(AT), pinned: true, archived: false, notify: "all".into() }
}

pub fn preferences_request() -> PreferencesRequest {
    PreferencesRequest {
        muted_until: Some(None),
        pinned: Some(true),
        archived: Some(false),
        notify: some("mentions"),
    }
}

pub fn user_list() -> UserList {
    UserList { users: vec![user()] }
}

pub fn conversation() -> Conversation {
    let me = MyParticipation {
        state: "member".into(),
        role: "owner".into(),
        read_seq: 7,
        delivered_seq: 7,
        history_from_seq: 1,
        preferences: preferences(),
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
        EventBody::PreferencesUpdated(PreferencesUpdated {
            conversation_id: CONVERSATION.into(),
            preferences: preferences(),
        }),
        EventBody::SessionEnded(SessionEnded { session_id: SESSION.into() }),
    ]
}

pub fn frame(own: EventBody) -> Frame<EventBody> {
    let stream = match own {
        EventBody::UserUpdated(_) | EventBody::PreferencesUpdated(_) | EventBody::SessionEnded(_) => {
            format!("user:{ALICE}")
        }
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

fn field_problem() -> FieldProblem {
    FieldProblem {
        pointer: "/content".into(),
        code: "too_long".into(),
        detail: "20000 bytes of UTF-8; at most 16384".into(),
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
