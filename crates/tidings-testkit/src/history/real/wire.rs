//! What the server says, as far as a device looks at it. Parsed into structs, because there is very much of it.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::history::{
    Answer, Arrival, Event, EventBody, HistoryPage, Id, Listed, Message, Place, Skipped, StreamPage,
};

/// # Panics
/// When it is not of the form that is documented.
pub(super) fn parse<T: DeserializeOwned>(json: &str) -> T {
    serde_json::from_str(json).unwrap_or_else(|error| panic!("{error} in {json}"))
}

/// Any object that the server sends: a message, a frame, `ready`, `sync:page`.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Frame {
    event: String,
    stream: String,
    pos: u64,
    span: u64,
    next: Option<String>,
    id: String,
    seq: u64,
    sender_id: String,
    content: String,
    client_message_id: Uuid,
    user_id: String,
    participants: Vec<Participant>,
    skipped: Vec<SkippedStream>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Participant {
    user_id: String,
}

#[derive(Deserialize)]
struct SkippedStream {
    stream: String,
    pos: u64,
}

/// The ack of `message:send`.
#[derive(Deserialize)]
pub(super) struct Ack {
    ok: bool,
    #[serde(default)]
    message: Option<Frame>,
    #[serde(default)]
    code: String,
}

/// A page of history, or of a stream.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Page {
    #[serde(default)]
    messages: Vec<Frame>,
    #[serde(default)]
    events: Vec<Frame>,
    #[serde(alias = "hasMoreAfter")]
    has_more: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct List {
    pub conversations: Vec<Conversation>,
    pub next_cursor: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Conversation {
    id: String,
    pos: u64,
    last_seq: u64,
    me: Me,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Me {
    read_seq: u64,
}

impl Frame {
    fn message(self) -> Message {
        let Self { id, seq, client_message_id: client_id, sender_id, content: text, .. } = self;
        Message { id, seq, client_id, sender: sender_id.into(), text }
    }

    /// A message as the answer to its send.
    pub fn place(self) -> Answer {
        Answer::Acknowledged(Place { message_id: self.id, seq: self.seq, pos: None })
    }

    /// The event `name` on a socket.
    pub fn arrival(mut self, name: &str) -> Option<Arrival> {
        let next = self.next.take();
        if !self.stream.is_empty() {
            let is_elsewhere = !self.stream.starts_with(CONVERSATION);
            let event = || Arrival::Event(Event { next: next.clone(), ..self.event(name) });
            return Some(if is_elsewhere { Arrival::Elsewhere { next } } else { event() });
        }
        let next = next?;
        Some(match name {
            "ready" => Arrival::Ready { next },
            "reset" => Arrival::Reset { next },
            "sync:page" => Arrival::Page {
                next,
                // One's own stream has no window.
                skipped: self.skipped.iter().filter_map(SkippedStream::conversation).collect(),
            },
            _ => return None,
        })
    }

    fn event(self, name: &str) -> Event {
        let conversation = Id::from(self.stream.trim_start_matches(CONVERSATION));
        let (pos, span) = (self.pos, self.span);
        let body = match name {
            "message:new" => EventBody::Message(self.message()),
            "conversation:created" => {
                EventBody::Created(self.participants.into_iter().map(|one| one.user_id.into()).collect())
            }
            "participant:joined" => EventBody::Joined(self.user_id.into()),
            "participant:left" => EventBody::Left(self.user_id.into()),
            _ => EventBody::Other,
        };
        Event { conversation, pos, span, next: None, body }
    }
}

/// What the stream of a conversation begins with.
const CONVERSATION: &str = "conversation:";

impl SkippedStream {
    fn conversation(&self) -> Option<Skipped> {
        let conversation = self.stream.strip_prefix(CONVERSATION)?.into();
        Some(Skipped { conversation, pos: self.pos })
    }
}

impl Ack {
    pub fn answer(self) -> Answer {
        match self.message {
            Some(message) if self.ok => message.place(),
            // To be sent again, some with another token.
            _ if COMES_BACK.contains(&self.code.as_str()) => Answer::Unknown,
            _ => Answer::Refused(self.code),
        }
    }
}

const COMES_BACK: [&str; 6] =
    ["overloaded", "outcome_unknown", "storage_full", "internal", "token_expired", "session_ended"];

impl Page {
    pub fn history(self) -> HistoryPage {
        let messages = self.messages.into_iter().map(Frame::message).collect();
        HistoryPage { messages, has_more: self.has_more }
    }

    pub fn stream(self) -> StreamPage {
        let event = |mut frame: Frame| {
            let name = std::mem::take(&mut frame.event);
            frame.event(&name)
        };
        StreamPage { events: self.events.into_iter().map(event).collect(), has_more: self.has_more }
    }
}

impl Conversation {
    pub fn listed(self) -> Listed {
        Listed {
            conversation: self.id.into(),
            pos: self.pos,
            last_seq: self.last_seq,
            read_seq: self.me.read_seq,
        }
    }
}
