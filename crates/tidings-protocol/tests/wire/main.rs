//! The published names: one full example of each shape, and the schemas of all of them.
//!
//! A change here is a change of the API. `INSTA_UPDATE=always cargo test -p tidings-protocol` writes the new names.

mod examples;

use std::collections::HashSet;
use std::fmt::Write;

use serde::Serialize;
use tidings_protocol::events::EventBody;
use tidings_protocol::schemas::schemas;
use tidings_protocol::signals::Signal;
use tidings_protocol::socket_events::{FROM_CLIENT, FROM_SERVER, Sort};

/// Examples by the name of their shape, as they stand on the wire.
#[derive(Default)]
struct Shapes(String);

impl Shapes {
    fn with(mut self, name: &str, example: &impl Serialize) -> Self {
        let json = serde_json::to_string_pretty(example).expect("shapes are JSON");
        assert_no_key_twice(&json);
        writeln!(self.0, "{name}\n{json}\n").expect("a string takes everything");
        self
    }
}

/// Flattened structs could both have a field of one name; then a client reads one of them, nobody knows which.
fn assert_no_key_twice(pretty: &str) {
    let mut open = vec![HashSet::new()];
    for line in pretty.lines().map(str::trim) {
        if let Some((key, _)) = line.split_once("\": ") {
            assert!(
                open.last_mut().expect("brackets match").insert(key.to_owned()),
                "twice: {key} in {pretty}"
            );
        }
        if line.ends_with(['{', '[']) {
            open.push(HashSet::new());
        } else if line.starts_with(['}', ']']) {
            open.pop();
        }
    }
}

#[test]
fn requests() {
    let shapes = Shapes::default()
        .with("RegisterRequest", &examples::register_request())
        .with("LoginRequest", &examples::login_request())
        .with("RefreshRequest", &examples::refresh_request())
        .with("PasswordRequest", &examples::password_request())
        .with("UpdateMeRequest", &examples::update_me_request())
        .with("CreateConversationRequest, direct", &examples::create_direct())
        .with("CreateConversationRequest, group", &examples::create_group())
        .with("CreateConversationRequest, self", &examples::create_self())
        .with("AddParticipantsRequest", &examples::add_participants_request())
        .with("UpdateParticipantRequest", &examples::update_participant_request())
        .with("SendMessageRequest", &examples::send_message_request())
        .with("EditMessageRequest", &examples::edit_message_request())
        .with("ReactionRequest", &examples::reaction_request())
        .with("MarkRequest", &examples::mark_request())
        .with("PreferencesRequest", &examples::preferences_request());
    insta::assert_snapshot!(shapes.0);
}

#[test]
fn answers() {
    let shapes = Shapes::default()
        .with("User", &examples::user())
        .with("UserList", &examples::user_list())
        .with("Me", &examples::me())
        .with("SignedIn", &examples::signed_in())
        .with("Tokens", &examples::tokens())
        .with("SessionList", &examples::session_list())
        .with("Conversation", &examples::conversation())
        .with("Preferences", &examples::preferences())
        .with("ConversationList", &examples::conversation_list())
        .with("ParticipantList", &examples::participant_list())
        .with("AddedParticipants", &examples::added_participants())
        .with("Message", &examples::message())
        .with("MessageVersionList", &examples::message_version_list())
        .with("ReactionList", &examples::reaction_list())
        .with("ReadMark", &examples::read_mark())
        .with("DeliveredMark", &examples::delivered_mark())
        .with("UnreadList", &examples::unread_list())
        .with("HistoryPage", &examples::history_page())
        .with("SyncResponse", &examples::sync_response())
        .with("ServerInfo", &examples::server_info())
        .with("Health", &examples::health())
        .with("Jwks", &examples::jwks())
        .with("Problem", &examples::problem());
    insta::assert_snapshot!(shapes.0);
}

#[test]
fn frames() {
    let mut shapes = Shapes::default();
    let bodies = examples::event_bodies();
    let names: Vec<_> = bodies.iter().map(EventBody::name).collect();
    assert_eq!(names, EventBody::NAMES);
    for body in bodies {
        shapes = shapes.with(body.name(), &examples::frame(body.clone()));
    }
    insta::assert_snapshot!(shapes.0);
}

#[test]
fn socket() {
    let shapes = Shapes::default()
        .with("auth", &examples::connect_auth())
        .with("connect_error data, session:expired", &examples::denied())
        .with("ready", &examples::ready())
        .with("reset", &examples::reset())
        .with("sync:page", &examples::replayed_page())
        .with("message:send", &examples::send_message_event())
        .with("message:send ack", &examples::message_ack())
        .with("message:edit", &examples::edit_message_event())
        .with("message:delete", &examples::delete_message_event())
        .with("reaction:add, reaction:remove", &examples::reaction_event())
        .with("reaction:add ack, reaction:remove ack", &examples::reactions_ack())
        .with("messages:read, messages:delivered", &examples::mark_event())
        .with("messages:read ack", &examples::read_ack())
        .with("messages:delivered ack", &examples::delivered_ack())
        .with(
            "conversation:open, conversation:close, typing:start, typing:stop",
            &examples::conversation_event(),
        )
        .with("conversation:open ack", &examples::open_ack())
        .with("presence:set", &examples::presence_set_event())
        .with(
            "conversation:close ack, typing:start ack, typing:stop ack, presence:set ack",
            &examples::done_ack(),
        )
        .with("session:renew", &examples::renew_session_event())
        .with("session:renew ack", &examples::renew_session_ack())
        .with("sync", &examples::sync_request())
        .with("sync ack", &examples::sync_ack())
        .with("refused ack", &examples::refused_ack());
    insta::assert_snapshot!(shapes.0);
}

#[test]
fn signals() {
    let mut shapes = Shapes::default();
    let signals = examples::signals();
    let names: Vec<_> = signals.iter().map(Signal::name).collect();
    assert_eq!(names, Signal::NAMES);
    for signal in signals {
        shapes = shapes.with(signal.name(), &signal);
    }
    insta::assert_snapshot!(shapes.0);
}

#[test]
fn schemas_of_all() {
    insta::assert_snapshot!(serde_json::to_string_pretty(&schemas()).unwrap());
}

#[test]
fn every_event_of_the_code_is_in_the_table_with_a_shape_that_there_is() {
    let named = |sort| FROM_SERVER.iter().filter(move |event| event.sort == sort).map(|event| event.name);
    assert!(named(Sort::Durable).eq(EventBody::NAMES));
    assert!(named(Sort::Signal).eq(Signal::NAMES.into_iter().chain(["signals:missed"])));
    let schemas = schemas();
    let from_client = FROM_CLIENT.iter().flat_map(|event| [event.payload, event.ack]);
    for shape in FROM_SERVER.iter().filter_map(|event| event.payload).chain(from_client) {
        assert!(schemas.contains_key(shape), "{shape}");
    }
}
