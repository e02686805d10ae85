//! Why connections end: the one list, each with a stable code and whether the client should come back.

use std::fmt;

/// Why a connection ended. [`CloseReason::code`] is stable and may go to logs and metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CloseReason {
    /// The client sent a Socket.IO DISCONNECT.
    ClientDisconnect,
    /// The client closed the transport: a WebSocket close, an Engine.IO close, or the end of the stream.
    TransportClosed,
    /// Reading or writing failed.
    TransportError,
    /// No pong came within `ping_timeout` of a ping.
    PingTimeout,
    /// No CONNECT was decided within `connect_timeout`.
    ConnectTimeout,
    /// The application refused the CONNECT, again and again.
    Refused,
    /// A packet of Engine.IO or Socket.IO that cannot be read, attachments that do not follow included.
    ParseError,
    /// A packet at the wrong moment: an event before CONNECT, a second CONNECT.
    InvalidState,
    /// A frame against RFC 6455.
    FrameError,
    /// A text message that is not UTF-8.
    InvalidUtf8,
    /// A message over `payload_bytes_max` or in more than `fragments_max` frames, a packet with its attachments over
    /// `packet_bytes_max`, a payload of more than `payload_packets_max` packets.
    MessageTooLarge,
    /// Long-polling: two polls, or two requests with packets, at the same time.
    PollOverlap,
    /// The client reads too slowly: over `queue_bytes_max` was waiting for it.
    QueueFull,
    /// The client does not read: nothing could be written for `write_timeout`.
    WriteTimeout,
    /// The server is stopping.
    ServerShutdown,
    /// The application closed the transport, with its own code; stock clients reconnect.
    ServerClosed(&'static str),
    /// The application disconnected the client, with its own code; stock clients stay away.
    ServerDisconnected(&'static str),
    /// A handler panicked, or the runtime stopped under the connection.
    Internal,
}

impl CloseReason {
    /// The stable name of the reason; the application's own code where it gave one.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::ClientDisconnect => "client_disconnect",
            Self::TransportClosed => "transport_closed",
            Self::TransportError => "transport_error",
            Self::PingTimeout => "ping_timeout",
            Self::ConnectTimeout => "connect_timeout",
            Self::Refused => "refused",
            Self::ParseError => "parse_error",
            Self::InvalidState => "invalid_state",
            Self::FrameError => "frame_error",
            Self::InvalidUtf8 => "invalid_utf8",
            Self::MessageTooLarge => "message_too_large",
            Self::PollOverlap => "poll_overlap",
            Self::QueueFull => "queue_full",
            Self::WriteTimeout => "write_timeout",
            Self::ServerShutdown => "server_shutdown",
            Self::ServerClosed(code) | Self::ServerDisconnected(code) => code,
            Self::Internal => "internal",
        }
    }

    /// Whether the same client, unchanged, can expect to be served when it connects again.
    #[must_use]
    pub const fn should_retry(self) -> bool {
        match self {
            Self::TransportClosed
            | Self::TransportError
            | Self::PingTimeout
            | Self::ConnectTimeout
            | Self::QueueFull
            | Self::WriteTimeout
            | Self::ServerShutdown
            | Self::ServerClosed(_)
            | Self::Internal => true,
            Self::ClientDisconnect
            | Self::Refused
            | Self::ParseError
            | Self::InvalidState
            | Self::FrameError
            | Self::InvalidUtf8
            | Self::MessageTooLarge
            | Self::PollOverlap
            | Self::ServerDisconnected(_) => false,
        }
    }

    /// The word that Socket.IO's own server has for it, as its `disconnect` event says.
    #[must_use]
    pub const fn socket_io(self) -> &'static str {
        match self {
            Self::ClientDisconnect => "client namespace disconnect",
            Self::ServerDisconnected(_) => "server namespace disconnect",
            Self::TransportClosed => "transport close",
            Self::PingTimeout => "ping timeout",
            Self::ParseError | Self::FrameError | Self::InvalidUtf8 => "parse error",
            Self::ServerShutdown => "server shutting down",
            Self::TransportError | Self::MessageTooLarge | Self::PollOverlap | Self::WriteTimeout => {
                "transport error"
            }
            Self::ConnectTimeout
            | Self::Refused
            | Self::InvalidState
            | Self::QueueFull
            | Self::ServerClosed(_)
            | Self::Internal => "forced server close",
        }
    }

    /// Whether a client of long-polling is waited for, to be told: else the session is gone at once, and its next
    /// request finds none.
    #[must_use]
    pub(crate) const fn waits_for_poll(self) -> bool {
        matches!(
            self,
            Self::ServerShutdown | Self::ServerClosed(_) | Self::ServerDisconnected(_) | Self::Refused
        )
    }

    /// The status code of the WebSocket close frame; `None` where nobody is there, or listens, to read one.
    #[must_use]
    pub(crate) const fn websocket_code(self) -> Option<u16> {
        match self {
            Self::TransportError
            | Self::PingTimeout
            | Self::PollOverlap
            | Self::QueueFull
            | Self::WriteTimeout
            | Self::Internal => None,
            Self::ClientDisconnect
            | Self::TransportClosed
            | Self::Refused
            | Self::ServerClosed(_)
            | Self::ServerDisconnected(_) => Some(1000),
            Self::ServerShutdown => Some(1001),
            Self::FrameError => Some(1002),
            Self::InvalidUtf8 => Some(1007),
            Self::ConnectTimeout | Self::ParseError | Self::InvalidState => Some(1008),
            Self::MessageTooLarge => Some(1009),
        }
    }
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}
