//! Every limit and interval of the server, each named once.

use std::time::Duration;

/// How a [`crate::Server`] behaves. All sizes are bytes; what happens at each limit is said beside it.
#[derive(Clone, Debug)]
pub struct Config {
    /// From the opening, or from a pong, to the next ping. Told to the client.
    pub ping_interval: Duration,
    /// From a ping to the latest pong; then [`crate::CloseReason::PingTimeout`]. Told to the client.
    pub ping_timeout: Duration,
    /// From the opening to a decided CONNECT, the application's deciding included; then
    /// [`crate::CloseReason::ConnectTimeout`].
    pub connect_timeout: Duration,
    /// How long a WebSocket that is to take over a session of long-polling may take for it; then it is closed, and
    /// the session goes on as it was.
    pub upgrade_timeout: Duration,
    /// How long the body of a POST may take; then the session ends.
    pub body_timeout: Duration,
    /// How long queued data may wait without one byte leaving; then [`crate::CloseReason::WriteTimeout`]. Also how
    /// long a closing connection may take to flush.
    pub write_timeout: Duration,
    /// One WebSocket message, all its fragments together, or the body of one POST; larger closes with
    /// [`crate::CloseReason::MessageTooLarge`] (1009, or 413). Told to the client.
    pub payload_bytes_max: usize,
    /// Packets in one POST; more closes like a message too large.
    pub payload_packets_max: usize,
    /// Binary attachments of one packet; more is a parse error.
    pub attachments_max: usize,
    /// A packet and its attachments together; more closes like a message too large.
    pub packet_bytes_max: usize,
    /// Frames that one message may come in; more closes like a message too large.
    pub fragments_max: u32,
    /// What may wait to be written to one connection, [`crate::SharedFrame::cost_bytes`] summed; over it the
    /// connection is closed with [`crate::CloseReason::QueueFull`].
    pub queue_bytes_max: usize,
    /// Events of one connection whose handler has not finished; at the limit the connection is not read.
    pub in_flight_max: usize,
    /// Acknowledgements of one connection that the server still waits for; over it [`crate::AckError::TooMany`].
    pub acks_outstanding_max: usize,
    /// Nesting of a packet's JSON, its own array or object included; deeper is a parse error.
    pub json_depth_max: usize,
    /// Length of an event's name; longer is a parse error.
    pub event_name_bytes_max: usize,
    /// Namespaces of one connection at once, those that are being decided included; one more is refused.
    pub namespaces_max: usize,
    /// CONNECTs of one connection that may be refused; then it is closed with [`crate::CloseReason::Refused`].
    pub refusals_max: u32,
    /// Whether clients may use long-polling, from which most of them begin.
    pub polling: bool,
    /// Connections of this server at once; more are answered 503.
    pub connections_max: usize,
    /// Connections of one address at once, as [`crate::Addresses`] counts them; more are answered 503.
    pub address_connections_max: usize,
    /// Which pages may connect.
    pub allowed_origins: AllowedOrigins,
}

impl Default for Config {
    /// Engine.IO's own intervals.
    fn default() -> Self {
        Self {
            ping_interval: Duration::from_secs(25),
            ping_timeout: Duration::from_secs(20),
            connect_timeout: Duration::from_secs(10),
            upgrade_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(10),
            write_timeout: Duration::from_secs(20),
            payload_bytes_max: 256 * 1024,
            payload_packets_max: 32_768,
            attachments_max: 10,
            packet_bytes_max: 1024 * 1024,
            fragments_max: 256,
            queue_bytes_max: 1024 * 1024,
            in_flight_max: 32,
            acks_outstanding_max: 64,
            json_depth_max: 32,
            event_name_bytes_max: 128,
            namespaces_max: 8,
            refusals_max: 8,
            polling: true,
            connections_max: 65_536,
            address_connections_max: 2_000,
            allowed_origins: AllowedOrigins::Any,
        }
    }
}

/// The `Origin` headers that may open a connection. A request without one does not come from a web page and is let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AllowedOrigins {
    /// Every page. Safe only while the handshake does not trust cookies.
    Any,
    /// These, written as a browser sends them (`https://chat.example`), compared without regard to case; and that of
    /// the server itself, whose host is the request's `Host`.
    List(Vec<String>),
}

impl AllowedOrigins {
    /// Whether a request with this `Origin` header, if it has one, may open a connection.
    #[must_use]
    pub fn allows(&self, origin: Option<&[u8]>) -> bool {
        match (self, origin) {
            (Self::Any, _) | (_, None) => true,
            (Self::List(allowed), Some(origin)) => {
                allowed.iter().any(|known| known.as_bytes().eq_ignore_ascii_case(origin))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_foreign_origin_is_refused_and_no_origin_is_let_in() {
        let origins = AllowedOrigins::List(vec!["https://chat.example".into()]);
        assert!(origins.allows(Some(b"https://CHAT.example")));
        assert!(origins.allows(None));
        assert!(!origins.allows(Some(b"https://chat.example.evil")));
        assert!(!origins.allows(Some(b"null")));
        assert!(AllowedOrigins::Any.allows(Some(b"null")));
    }
}
