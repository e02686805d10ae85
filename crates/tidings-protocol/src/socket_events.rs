//! Every event of the socket with its shapes, as the reference and the OpenAPI document have it.

/// What a client sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientEvent {
    /// Its name.
    pub name: &'static str,
    /// What it is for.
    pub summary: &'static str,
    /// The schema of its one value.
    pub payload: &'static str,
    /// The schema of the ack; of what is refused it is `RefusedAck`.
    pub ack: &'static str,
}

/// How an event of the server reaches a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sort {
    /// At a position of a stream, in a `Frame`; a catch-up has it too.
    Durable,
    /// Once, to who is there; over by itself.
    Signal,
    /// Of this connection alone.
    Connection,
}

/// What a server sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerEvent {
    /// Its name.
    pub name: &'static str,
    /// When it comes.
    pub summary: &'static str,
    /// How.
    pub sort: Sort,
    /// The schema of its value; of a durable event that of its own fields. None: an empty object.
    pub payload: Option<&'static str>,
}

const fn client(
    name: &'static str,
    summary: &'static str,
    payload: &'static str,
    ack: &'static str,
) -> ClientEvent {
    ClientEvent { name, summary, payload, ack }
}

const fn durable(name: &'static str, summary: &'static str, payload: &'static str) -> ServerEvent {
    ServerEvent { name, summary, sort: Sort::Durable, payload: Some(payload) }
}

const fn signal(name: &'static str, summary: &'static str, payload: Option<&'static str>) -> ServerEvent {
    ServerEvent { name, summary, sort: Sort::Signal, payload }
}

const fn connection(name: &'static str, summary: &'static str, payload: &'static str) -> ServerEvent {
    ServerEvent { name, summary, sort: Sort::Connection, payload: Some(payload) }
}

/// What a client may send.
pub const FROM_CLIENT: [ClientEvent; 14] = [
    client("message:send", "Send a message", "SendMessageEvent", "MessageAck"),
    client("message:edit", "Edit a message", "EditMessageEvent", "MessageAck"),
    client("message:delete", "Delete a message", "DeleteMessageEvent", "MessageAck"),
    client("reaction:add", "Put an emoji on a message", "ReactionEvent", "ReactionsAck"),
    client("reaction:remove", "Take an emoji away", "ReactionEvent", "ReactionsAck"),
    client("messages:read", "Mark as read, up to and with a message", "MarkEvent", "ReadAck"),
    client("messages:delivered", "Mark as received", "MarkEvent", "DeliveredAck"),
    client("sync", "A page of what was missed", "SyncRequest", "SyncAck"),
    client("conversation:open", "See who is here and who is writing", "ConversationEvent", "OpenAck"),
    client("conversation:close", "See it no longer", "ConversationEvent", "DoneAck"),
    client("typing:start", "One is writing; again every few seconds", "ConversationEvent", "DoneAck"),
    client("typing:stop", "One has stopped", "ConversationEvent", "DoneAck"),
    client("presence:set", "Be away, or back", "PresenceSetEvent", "DoneAck"),
    client("session:renew", "Stay, with a fresh access token", "RenewSessionEvent", "RenewSessionAck"),
];

/// What a server may send.
pub const FROM_SERVER: [ServerEvent; 25] = [
    connection("ready", "The socket is live; what follows is new", "Ready"),
    connection("sync:page", "The frames before it were a page of what was missed", "ReplayedPage"),
    connection("reset", "Too much was missed: load anew, and go on from here", "Reset"),
    connection("session:expired", "The socket ends now, and why", "Denied"),
    durable("message:new", "A message", "Message"),
    durable("message:edited", "Its text was changed", "Message"),
    durable("message:deleted", "It was deleted", "MessageDeleted"),
    durable("reaction:added", "An emoji was put on it", "ReactionChange"),
    durable("reaction:removed", "An emoji was taken away", "ReactionChange"),
    durable("reactions:changed", "Several, as they stand now", "ReactionsChanged"),
    durable("stream:advanced", "Something that is not for the reader", "StreamAdvanced"),
    durable("messages:read", "How far people have read", "MarksMoved"),
    durable("messages:delivered", "How far people's devices have received", "MarksMoved"),
    durable("conversation:created", "A conversation that one is in", "SharedConversation"),
    durable("participant:joined", "Somebody came", "ParticipantChange"),
    durable("participant:left", "Somebody went", "ParticipantChange"),
    durable("participant:updated", "Somebody has another role", "ParticipantChange"),
    durable("user:updated", "One's own account was changed", "Me"),
    durable("preferences:updated", "One has pinned, archived or muted", "PreferencesUpdated"),
    durable("session:ended", "One of one's sessions ended", "SessionEnded"),
    signal("typing:start", "Somebody is writing", Some("Typing")),
    signal("typing:stop", "Somebody has stopped", Some("Typing")),
    signal("presence:changed", "Somebody came, went or is away", Some("Presence")),
    signal("presence:counted", "How many of a large conversation are here", Some("PresenceCounted")),
    signal("signals:missed", "Signals were left out: open what is shown again", None),
];
