//! What the messages of one connection mean: the Socket.IO conversation, without bytes and without waiting.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use serde_json::value::RawValue;
use tokio::time::Instant;

use super::heartbeat::Heartbeat;
use super::work::{Done, Work, WorkFuture};
use super::{Connection, Link};
use crate::close::CloseReason;
use crate::codec::websocket::Message;
use crate::codec::{engine, socket};
use crate::config::Config;
use crate::frame::SharedFrame;
use crate::handler::{ConnectError, Event, Handler, Handshake, Peer};
use crate::steps::{Step, reached};
use crate::transport::{Stop, Verdict};

/// The conversation with one client.
pub(super) struct Session<H: Handler> {
    handler: Arc<H>,
    link: Arc<Link>,
    config: Arc<Config>,
    phase: Phase<H::State>,
    /// The handlers' futures that have not finished.
    work: FuturesUnordered<Work>,
    events_in_flight: usize,
    pub(super) heartbeat: Heartbeat,
    /// When waiting for the client's next step ends.
    pub(super) step_deadline: Option<Instant>,
}

enum Phase<S> {
    /// The transport is open; a CONNECT must come.
    Opening(Peer),
    /// The application decides over the CONNECT.
    Deciding(BoxFuture<'static, Result<S, ConnectError>>),
    /// Events flow.
    Joined(Connection<S>),
    /// The client has sent DISCONNECT, and now should close the transport: that is its part of the protocol.
    Left,
}

impl<H: Handler> Session<H> {
    pub(super) fn new(
        handler: Arc<H>,
        link: Arc<Link>,
        config: Arc<Config>,
        peer: Peer,
        now: Instant,
    ) -> Self {
        Self {
            handler,
            link,
            phase: Phase::Opening(peer),
            work: FuturesUnordered::new(),
            events_in_flight: 0,
            heartbeat: Heartbeat::new(config.ping_interval, config.ping_timeout, now),
            step_deadline: Some(now + config.connect_timeout),
            config,
        }
    }

    /// Whether one more event may be taken.
    pub(super) fn has_room(&self) -> bool {
        self.events_in_flight < self.config.in_flight_max
    }

    /// Takes one message.
    pub(super) fn take(&mut self, message: Message, cx: &mut Context<'_>, now: Instant) -> Verdict {
        match self.on_message(message, cx, now) {
            Err(reason) => Verdict::Break(Stop::Close(reason)),
            Ok(()) if self.has_room() => Verdict::Continue(()),
            Ok(()) => Verdict::Break(Stop::Full),
        }
    }

    /// Lets the application's futures go on; acknowledgements are queued as they finish.
    pub(super) fn poll_work(&mut self, cx: &mut Context<'_>) -> Result<(), CloseReason> {
        if let Phase::Deciding(decision) = &mut self.phase
            && let Poll::Ready(decision) = decision.as_mut().poll(cx)
        {
            self.on_decision(decision, cx)?;
        }
        while let Poll::Ready(Some(done)) = self.work.poll_next_unpin(cx) {
            self.events_in_flight -= usize::from(done.is_event);
            self.acknowledge(done);
        }
        Ok(())
    }

    /// Why the connection closes when `step_deadline` passes.
    pub(super) fn step_timeout_reason(&self) -> CloseReason {
        if matches!(self.phase, Phase::Left) {
            CloseReason::ClientDisconnect
        } else {
            CloseReason::ConnectTimeout
        }
    }

    pub(super) fn is_joined(&self) -> bool {
        matches!(self.phase, Phase::Joined(_))
    }

    /// The application's part is over: its futures are dropped, and it is told, once.
    pub(super) fn leave(&mut self, reason: CloseReason) {
        self.work = FuturesUnordered::new();
        self.events_in_flight = 0;
        self.link.end();
        if let Phase::Joined(connection) = std::mem::replace(&mut self.phase, Phase::Left) {
            self.handler.disconnected(&connection, reason);
        }
    }

    fn on_message(
        &mut self,
        message: Message,
        cx: &mut Context<'_>,
        now: Instant,
    ) -> Result<(), CloseReason> {
        match message {
            Message::Text(text) => self.on_text(text, cx, now),
            Message::Binary(_) => Err(CloseReason::ParseError),
            Message::Ping(payload) => {
                self.link.send_from_task(SharedFrame::websocket_pong(&payload));
                Ok(())
            }
            Message::Pong => Ok(()),
            Message::Close => Err(CloseReason::TransportClosed),
        }
    }

    fn on_text(&mut self, text: String, cx: &mut Context<'_>, now: Instant) -> Result<(), CloseReason> {
        match engine::decode(&text).map_err(|_| CloseReason::ParseError)? {
            engine::Packet::Message(_) => self.on_packet(text, cx, now),
            engine::Packet::Pong(_) => {
                self.heartbeat.on_pong(now);
                Ok(())
            }
            engine::Packet::Close => Err(CloseReason::TransportClosed),
            // Of an upgrade that was not asked for; the Node server ignores them too.
            engine::Packet::Upgrade | engine::Packet::Noop => Ok(()),
            // Only servers send these.
            engine::Packet::Open | engine::Packet::Ping(_) => Err(CloseReason::ParseError),
        }
    }

    /// `text` is an Engine.IO message: one digit, then the Socket.IO packet.
    fn on_packet(&mut self, text: String, cx: &mut Context<'_>, now: Instant) -> Result<(), CloseReason> {
        const TYPE_BYTES: usize = 1;
        let limits = socket::Limits {
            json_depth_max: self.config.json_depth_max,
            event_name_bytes_max: self.config.event_name_bytes_max,
        };
        let packet = socket::decode(&text[TYPE_BYTES..], limits).map_err(|_| CloseReason::ParseError)?;
        if packet.namespace != socket::MAIN_NAMESPACE {
            return self.on_foreign_namespace(&packet);
        }
        match (packet.body, &self.phase) {
            (socket::Body::Connect(auth), Phase::Opening(_)) => self.on_connect(auth, cx),
            (socket::Body::Event(event), Phase::Joined(connection)) => {
                let connection = connection.clone();
                let shift = |range: std::ops::Range<usize>| range.start + TYPE_BYTES..range.end + TYPE_BYTES;
                let (ack_id, name) = (event.ack_id, event.name.into());
                let (args, first) = (shift(event.args), shift(event.first));
                let event = Event { name, text, args, first, wants_ack: ack_id.is_some() };
                self.events_in_flight += 1;
                let future = WorkFuture::Event(self.handler.event(&connection, event));
                self.begin(Work { future, ack_id }, cx);
                Ok(())
            }
            (socket::Body::Ack(id, args_json), Phase::Joined(_)) => {
                self.link.on_ack(id, args_json);
                Ok(())
            }
            (socket::Body::Disconnect, Phase::Joined(_)) => {
                self.leave(CloseReason::ClientDisconnect);
                self.step_deadline = Some(now + self.config.connect_timeout);
                Ok(())
            }
            _ => Err(CloseReason::InvalidState),
        }
    }

    /// Only CONNECT may name a namespace that is not joined; the refusal leaves the main one alone.
    fn on_foreign_namespace(&self, packet: &socket::Packet<'_>) -> Result<(), CloseReason> {
        if !matches!(packet.body, socket::Body::Connect(_)) {
            return Err(CloseReason::InvalidState);
        }
        let refusal = socket::connect_error(packet.namespace, "Invalid namespace", None);
        self.link.send_from_task(SharedFrame::packet(&refusal, 0));
        Ok(())
    }

    fn on_connect(&mut self, auth: Option<&str>, cx: &mut Context<'_>) -> Result<(), CloseReason> {
        let Phase::Opening(peer) = std::mem::replace(&mut self.phase, Phase::Left) else {
            return Err(CloseReason::InvalidState);
        };
        let auth = auth.map(|auth| RawValue::from_string(auth.to_owned())).transpose();
        let auth = auth.map_err(|_| CloseReason::ParseError)?;
        let handshake = Handshake { connection_id: self.link.id(), auth, peer };
        self.phase = Phase::Deciding(self.handler.connect(handshake));
        self.poll_work(cx)
    }

    fn on_decision(
        &mut self,
        decision: Result<H::State, ConnectError>,
        cx: &mut Context<'_>,
    ) -> Result<(), CloseReason> {
        match decision {
            Ok(state) => {
                let connection = Connection::new(Arc::clone(&self.link), state);
                let answer = socket::connect(self.link.id().as_str());
                self.link.send_from_task(SharedFrame::packet(&answer, 0));
                self.step_deadline = None;
                self.phase = Phase::Joined(connection.clone());
                let future = WorkFuture::Connected(self.handler.connected(&connection));
                self.begin(Work { future, ack_id: None }, cx);
                Ok(())
            }
            Err(ConnectError { message, data }) => {
                let refusal = socket::connect_error(socket::MAIN_NAMESPACE, &message, data.as_ref());
                self.link.send_from_task(SharedFrame::packet(&refusal, 0));
                Err(CloseReason::Refused)
            }
        }
    }

    /// Polls once, now: that makes the order promised by [`Handler`]. What is not done is kept.
    fn begin(&mut self, mut work: Work, cx: &mut Context<'_>) {
        // Without tokio's budget: a poll that it cut short would not have come to the first suspension.
        let first_poll = Pin::new(&mut tokio::task::unconstrained(&mut work)).poll(cx);
        match first_poll {
            Poll::Ready(done) => {
                self.events_in_flight -= usize::from(done.is_event);
                self.acknowledge(done);
            }
            // Polled once more there, to be woken by itself.
            Poll::Pending => self.work.push(work),
        }
    }

    fn acknowledge(&self, done: Done) {
        if let (Some(id), Some(args_json)) = (done.ack_id, done.args_json) {
            self.link.send_from_task(SharedFrame::ack(id, &args_json));
            reached(Step::AckQueued);
        }
    }
}

impl<H: Handler> Drop for Session<H> {
    /// The task ended without saying so: a handler panicked, or the runtime stops.
    fn drop(&mut self) {
        self.leave(CloseReason::Internal);
    }
}
