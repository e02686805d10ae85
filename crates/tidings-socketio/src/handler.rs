//! What an application implements.

use std::net::SocketAddr;
use std::ops::Range;

use futures_util::future::BoxFuture;
use http::HeaderMap;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::close::CloseReason;
use crate::connection::Connection;
use crate::id::ConnectionId;

/// The application behind a [`crate::Server`].
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

    /// Decides over a CONNECT. An error is answered with CONNECT_ERROR, and the transport is closed after it. The
    /// connection's timers go on, `connect_timeout` among them.
    fn connect(&self, handshake: Handshake) -> BoxFuture<'static, Result<Self::State, ConnectError>>;

    /// The answer to CONNECT is queued: what is sent from here on comes after it. Runs beside the events.
    fn connected(&self, connection: &Connection<Self::State>) -> BoxFuture<'static, ()>;

    /// An event of the client. The output, JSON values separated by commas, is its acknowledgement if it asked for
    /// one; `None` sends none.
    fn event(&self, connection: &Connection<Self::State>, event: Event)
    -> BoxFuture<'static, Option<String>>;

    /// The connection has ended: sending to it does nothing any more.
    fn disconnected(&self, connection: &Connection<Self::State>, reason: CloseReason);
}

/// What is known of a client that asks to connect.
#[derive(Debug)]
pub struct Handshake {
    /// The id that the connection will have.
    pub connection_id: ConnectionId,
    /// The `auth` object of the CONNECT as JSON text; `None` when the client gave none.
    pub auth: Option<Box<RawValue>>,
    /// Who asked for the upgrade, and how.
    pub peer: Peer,
}

/// The far end of a connection, as the HTTP request showed it.
#[derive(Clone, Debug)]
pub struct Peer {
    /// The address of the socket; a proxy's, if one is between.
    pub remote_addr: SocketAddr,
    /// The headers of the upgrade request.
    pub headers: HeaderMap,
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
    pub(crate) wants_ack: bool,
}

impl Event {
    /// The event's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The JSON values after the name, separated by commas; empty if there are none.
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

    /// Whether the client waits for an acknowledgement.
    #[must_use]
    pub fn wants_ack(&self) -> bool {
        self.wants_ack
    }
}
