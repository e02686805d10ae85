//! What an application implements.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::connection::Connection;
use crate::close::CloseReason;
use crate::id::ConnectionId;
use crate::peer::Peer;

/// The application behind a namespace of a [`crate::Server`].
///
/// For one connection the calls are: `connect`; if it accepts, `connected` once, then `event` any number of times,
/// then `disconnected` exactly once, whatever happens. They are made on the connection's own task, so the calls
/// themselves must not block; the futures they return own what they need.
///
/// **Order.** The future of `connected`, and then of each event in the order the client sent them, is polled to its
/// first suspension before the next event is taken. So whatever a handler does before its first `.await` that waits
/// (hand a command to a queue, say) happens in the client's order. After that up to
/// [`in_flight_max`](crate::Config::in_flight_max) events are worked on at once, and each acknowledgement goes out as
/// soon as its handler is done: acknowledgements may overtake one another.
///
/// **End.** Futures that have not finished when the connection ends are dropped, just before `disconnected` is called.
/// What must survive (a write that was begun) belongs in a task of the application's own.
pub trait Handler: Send + Sync + 'static {
    /// What the application keeps for each connection.
    type State: Send + Sync + 'static;

    /// Decides over a CONNECT. An error is answered with CONNECT_ERROR; the client may try again, but its timers go
    /// on, `connect_timeout` among them.
    fn connect(&self, handshake: Handshake) -> BoxFuture<'static, Result<Self::State, ConnectError>>;

    /// What the client shows when it comes back, for connection state recovery: the `pid` of the answer to CONNECT.
    /// A client that is told the one that it has shown calls itself `recovered`. None by default.
    fn recovery_id(&self, state: &Self::State) -> Option<String> {
        let _ = state;
        None
    }

    /// The answer to CONNECT is queued: what is sent from here on comes after it. Runs beside the events.
    fn connected(&self, connection: &Connection<Self::State>) -> BoxFuture<'static, ()>;

    /// An event of the client. The output is its acknowledgement if it asked for one; `None` sends none.
    fn event(&self, connection: &Connection<Self::State>, event: Event) -> BoxFuture<'static, Option<Reply>>;

    /// The connection has ended: sending to it does nothing any more.
    fn disconnected(&self, connection: &Connection<Self::State>, reason: CloseReason);
}

/// What is known of a client that asks to connect.
#[derive(Debug)]
pub struct Handshake {
    /// Which namespace the client asks for: `/` or a longer name that begins with it.
    pub namespace: Arc<str>,
    /// The id that the connection will have.
    pub connection_id: ConnectionId,
    /// The `auth` object of the CONNECT as JSON text; `None` when the client gave none. A client that comes back adds
    /// `pid` and `offset` to it: the [`Handler::recovery_id`] that it was told, and the last argument of the last event
    /// that it has received, if that was a string.
    pub auth: Option<Box<RawValue>>,
    /// Who opened the session, and how. A server of one namespace forgets it once the client has been let in: who
    /// leaves and connects again over the same transport then shows no headers.
    pub peer: Arc<Peer>,
    /// What one [`crate::Middleware`] has to say to the next, and to the handler.
    pub extensions: http::Extensions,
}

/// Why a CONNECT is refused: `{"message":…,"data":…}` at the client.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct ConnectError {
    /// A sentence for people.
    pub message: String,
    /// What a program needs, such as a code.
    pub data: Option<serde_json::Value>,
}

impl ConnectError {
    /// A refusal without data.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), data: None }
    }

    /// The same with data.
    #[must_use]
    pub fn with_data(self, data: serde_json::Value) -> Self {
        Self { data: Some(data), ..self }
    }
}

/// An event of a client. Its JSON is known to be well-formed and not too deep; nothing of it is built yet.
#[derive(Clone, Debug)]
pub struct Event {
    pub(crate) name: Box<str>,
    /// The whole message as it came, of which the ranges are pieces: the text is copied nowhere.
    pub(crate) text: String,
    pub(crate) args: Range<usize>,
    pub(crate) first: Range<usize>,
    pub(crate) attachments: Vec<Bytes>,
    pub(crate) wants_ack: bool,
}

/// What an event is answered, by either side: JSON values, and the binary attachments that belong to them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reply {
    /// JSON values separated by commas, possibly none. For each attachment there is one
    /// `{"_placeholder":true,"num":N}` where it belongs, N counted from 0.
    pub args_json: String,
    /// The attachments, by N.
    pub attachments: Vec<Bytes>,
}

impl From<String> for Reply {
    /// Without attachments.
    fn from(args_json: String) -> Self {
        Self { args_json, attachments: Vec::new() }
    }
}

impl Event {
    /// The event's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The JSON values after the name, separated by commas; empty if there are none. Where an attachment belongs
    /// stands `{"_placeholder":true,"num":N}`: what a client writes there is for you to check.
    #[must_use]
    pub fn args_json(&self) -> &str {
        &self.text[self.args.clone()]
    }

    /// The first JSON value after the name; `None` if there is none.
    #[must_use]
    pub fn first_json(&self) -> Option<&str> {
        if self.first.is_empty() { None } else { Some(&self.text[self.first.clone()]) }
    }

    /// The first value, parsed; the value `null` stands for a missing one.
    ///
    /// # Errors
    ///
    /// When the JSON is not of the wanted shape.
    pub fn parse_first<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_str(self.first_json().unwrap_or("null"))
    }

    /// The binary attachments, by their number.
    #[must_use]
    pub fn attachments(&self) -> &[Bytes] {
        &self.attachments
    }

    /// Whether the client waits for an acknowledgement.
    #[must_use]
    pub fn wants_ack(&self) -> bool {
        self.wants_ack
    }
}
