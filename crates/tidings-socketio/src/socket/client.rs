//! What the messages of one client mean: the Socket.IO conversation over all its namespaces, without bytes and without
//! waiting.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use serde_json::value::RawValue;
use tokio::time::Instant;

use super::assembly::{Assembly, Body, Packet};
use super::connection::Socket;
use super::handler::{ConnectError, Event, Handshake, Reply};
use super::namespaces::{AnyConnection, Decision, Namespaces};
use super::work::{Done, Work, WorkFuture};
use crate::close::CloseReason;
use crate::codec::socket;
use crate::config::Config;
use crate::engine::{Conversation, Incoming, Link, Protocol};
use crate::frame::SharedFrame;
use crate::id::ConnectionId;
use crate::peer::Peer;
use crate::steps::{Step, reached};

/// Socket.IO over Engine.IO.
pub(crate) struct SocketIo {
    pub(super) namespaces: Arc<Namespaces>,
    pub(super) config: Arc<Config>,
}

impl Protocol for SocketIo {
    type Conversation = Client;

    fn begin(&self, link: &Arc<Link>, peer: Peer, now: Instant) -> Client {
        Client {
            namespaces: Arc::clone(&self.namespaces),
            config: Arc::clone(&self.config),
            link: Arc::clone(link),
            peer: Some(Arc::new(peer)),
            // Nearly always one.
            seats: Vec::with_capacity(1),
            work: None,
            events_in_flight: 0,
            assembly: None,
            refusals: 0,
            step: Some((now + self.config.connect_timeout, CloseReason::ConnectTimeout)),
        }
    }
}

/// The conversation with one client.
pub(crate) struct Client {
    namespaces: Arc<Namespaces>,
    config: Arc<Config>,
    link: Arc<Link>,
    /// None once nothing may ask for it any more: headers are the most of what an idle connection would keep.
    peer: Option<Arc<Peer>>,
    seats: Vec<Seat>,
    /// The handlers' futures that have not finished; no set where there are none.
    work: Option<FuturesUnordered<Work>>,
    events_in_flight: usize,
    /// A packet whose attachments have not all come.
    assembly: Option<Box<Assembly>>,
    refusals: u32,
    /// When waiting for the client's next step ends, and with what.
    step: Option<(Instant, CloseReason)>,
}

/// The client in one namespace.
struct Seat {
    namespace: Arc<str>,
    stage: Stage,
}

enum Stage {
    /// The application decides over the CONNECT, until then.
    Deciding { decision: BoxFuture<'static, Decision>, by: Instant },
    /// Events flow.
    Joined(Box<dyn AnyConnection>),
    /// The application has ended it; what the client sends until it knows is ignored.
    Left,
}

impl Seat {
    fn is_deciding(&self) -> bool {
        matches!(self.stage, Stage::Deciding { .. })
    }

    fn is_left(&self) -> bool {
        matches!(self.stage, Stage::Left)
    }
}

impl Conversation for Client {
    fn has_room(&self) -> bool {
        self.events_in_flight < self.config.in_flight_max
    }

    fn on_message(
        &mut self,
        message: Incoming,
        cx: &mut Context<'_>,
        now: Instant,
    ) -> Result<(), CloseReason> {
        let packet = match message {
            Incoming::Text(_) if self.assembly.is_some() => return Err(CloseReason::ParseError),
            Incoming::Text(text) => {
                let assembly = Assembly::begin(text, &self.config)?;
                if !assembly.is_complete() {
                    // Who has not joined has nothing kept.
                    if self
                        .seats
                        .iter()
                        .all(|seat| &*seat.namespace != assembly.namespace() || seat.is_deciding())
                    {
                        return Err(CloseReason::InvalidState);
                    }
                    self.assembly = Some(Box::new(assembly));
                    return Ok(());
                }
                assembly.finish()
            }
            Incoming::Binary(bytes) => {
                let assembly = self.assembly.as_mut().ok_or(CloseReason::ParseError)?;
                assembly.add(bytes, self.config.packet_bytes_max)?;
                match self.assembly.take_if(|assembly| assembly.is_complete()) {
                    Some(assembly) => assembly.finish(),
                    None => return Ok(()),
                }
            }
        };
        self.on_packet(packet, cx, now)
    }

    /// Acknowledgements are queued as the futures finish.
    fn poll_work(&mut self, cx: &mut Context<'_>, now: Instant) -> Result<(), CloseReason> {
        if self.link.take_call() {
            self.leave_where_wished(now);
        }
        // From the end, because a refusal takes its seat away.
        for index in (0..self.seats.len()).rev() {
            self.poll_decision(index, cx)?;
        }
        while let Some(work) = &mut self.work {
            match work.poll_next_unpin(cx) {
                Poll::Ready(Some(done)) => self.on_done(done),
                Poll::Ready(None) => self.work = None,
                Poll::Pending => break,
            }
        }
        Ok(())
    }

    fn deadline(&self) -> Option<(Instant, CloseReason)> {
        let decisions = self.seats.iter().filter_map(|seat| match seat.stage {
            Stage::Deciding { by, .. } => Some((by, CloseReason::ConnectTimeout)),
            _ => None,
        });
        decisions.chain(self.step).min_by_key(|(at, _)| *at)
    }

    fn leave(&mut self, reason: CloseReason) {
        self.work = None;
        self.assembly = None;
        self.events_in_flight = 0;
        for seat in std::mem::take(&mut self.seats) {
            if let Stage::Joined(connection) = seat.stage {
                if matches!(reason, CloseReason::ServerDisconnected(_)) {
                    self.link.send_last(disconnect(&seat.namespace));
                }
                end(&*connection, reason);
            }
        }
    }
}

impl Client {
    fn on_packet(&mut self, packet: Packet, cx: &mut Context<'_>, now: Instant) -> Result<(), CloseReason> {
        let namespace = packet.namespace();
        let index = self.seats.iter().position(|seat| &*seat.namespace == namespace);
        if let Body::Connect(auth) = &packet.body {
            let auth = auth.clone().map(|auth| packet.text[auth].to_owned());
            return self.on_connect(index, namespace, auth, cx, now);
        }
        let seat = index.map(|index| &mut self.seats[index]).ok_or(CloseReason::InvalidState)?;
        match (&seat.stage, packet.body) {
            (Stage::Joined(connection), Body::Event { ack_id, name, args, first }) => {
                let Packet { text, attachments, .. } = packet;
                let event = Event { name, text, args, first, attachments, wants_ack: ack_id.is_some() };
                let future = WorkFuture::Event(connection.event(event));
                self.events_in_flight += 1;
                let namespace = Arc::clone(&seat.namespace);
                self.begin(Work { future, namespace, ack_id }, cx);
                Ok(())
            }
            (Stage::Joined(connection), Body::Ack(id, args)) => {
                let Packet { text, attachments, .. } = packet;
                connection.socket().on_ack(id, || Reply { args_json: text[args].to_owned(), attachments });
                Ok(())
            }
            (Stage::Joined(_), Body::Disconnect) => {
                let Some(Seat { stage: Stage::Joined(connection), namespace }) =
                    index.map(|index| self.seats.swap_remove(index))
                else {
                    return Ok(());
                };
                self.drop_work(&namespace);
                end(&*connection, CloseReason::ClientDisconnect);
                self.await_next_step(now);
                Ok(())
            }
            (Stage::Left, _) => Ok(()),
            _ => Err(CloseReason::InvalidState),
        }
    }

    fn on_connect(
        &mut self,
        index: Option<usize>,
        namespace: &str,
        auth: Option<String>,
        cx: &mut Context<'_>,
        now: Instant,
    ) -> Result<(), CloseReason> {
        match index.map(|index| &self.seats[index].stage) {
            None => {}
            Some(Stage::Left) => drop(index.map(|index| self.seats.swap_remove(index))),
            Some(Stage::Deciding { .. } | Stage::Joined(_)) => return Err(CloseReason::InvalidState),
        }
        let namespaces = Arc::clone(&self.namespaces);
        let Some((name, found)) = namespaces.find(namespace) else {
            return self.refuse(namespace, &ConnectError::new("Invalid namespace"));
        };
        if self.seats.iter().filter(|seat| !seat.is_left()).count() >= self.config.namespaces_max {
            return self.refuse(namespace, &ConnectError::new("Too many namespaces"));
        }
        let connection_id = ConnectionId::random().map_err(|_| CloseReason::Internal)?;
        let auth = auth.map(RawValue::from_string).transpose().map_err(|_| CloseReason::ParseError)?;
        let handshake = Handshake {
            namespace: Arc::clone(&name),
            connection_id,
            auth,
            peer: self.peer.clone().unwrap_or_else(Peer::forgotten),
            extensions: http::Extensions::new(),
        };
        let max = self.config.acks_outstanding_max;
        let socket = Socket::new(Arc::clone(&self.link), connection_id, Arc::clone(&name), max);
        let by = now + self.config.connect_timeout;
        let stage = Stage::Deciding { decision: found.decide(handshake, socket), by };
        self.seats.push(Seat { namespace: name, stage });
        // Polled once, now: most decisions wait for nothing.
        self.poll_decision(self.seats.len() - 1, cx)
    }

    fn poll_decision(&mut self, index: usize, cx: &mut Context<'_>) -> Result<(), CloseReason> {
        let Stage::Deciding { decision, .. } = &mut self.seats[index].stage else { return Ok(()) };
        match decision.as_mut().poll(cx) {
            Poll::Ready(decision) => self.on_decision(index, decision, cx),
            Poll::Pending => Ok(()),
        }
    }

    fn on_decision(
        &mut self,
        index: usize,
        decision: Decision,
        cx: &mut Context<'_>,
    ) -> Result<(), CloseReason> {
        let connection = match decision {
            Ok(connection) => connection,
            Err(error) => {
                let Seat { namespace, .. } = self.seats.swap_remove(index);
                return self.refuse(&namespace, &error);
            }
        };
        let namespace = Arc::clone(&self.seats[index].namespace);
        let (id, pid) = (connection.socket().id, connection.recovery_id());
        self.link.send_from_task(SharedFrame::message(0, &[], |out| {
            socket::write_connect(out, &namespace, id.as_str(), pid.as_deref());
        }));
        self.step = None;
        if self.namespaces.is_one() {
            self.peer = None;
        }
        // Before the call: should it panic, the application is told of the end.
        self.seats[index].stage = Stage::Joined(connection);
        let Stage::Joined(connection) = &self.seats[index].stage else { return Ok(()) };
        let future = WorkFuture::Connected(connection.connected());
        self.begin(Work { future, namespace, ack_id: None }, cx);
        Ok(())
    }

    /// The client may try again, a few times: others of its namespaces may be joined, and its next token be better.
    fn refuse(&mut self, namespace: &str, error: &ConnectError) -> Result<(), CloseReason> {
        self.link.send_from_task(SharedFrame::message(0, &[], |out| {
            socket::write_connect_error(out, namespace, &error.message, error.data.as_ref());
        }));
        self.refusals += 1;
        if self.refusals >= self.config.refusals_max { Err(CloseReason::Refused) } else { Ok(()) }
    }

    fn leave_where_wished(&mut self, now: Instant) {
        for index in 0..self.seats.len() {
            let seat = &mut self.seats[index];
            let Stage::Joined(connection) = &seat.stage else { continue };
            let Some(code) = connection.socket().wish() else { continue };
            let namespace = Arc::clone(&seat.namespace);
            if let Stage::Joined(connection) = std::mem::replace(&mut seat.stage, Stage::Left) {
                self.link.send_from_task(disconnect(&namespace));
                self.drop_work(&namespace);
                end(&*connection, CloseReason::ServerDisconnected(code));
            }
        }
        // What the client still sends to those that ended long ago is its mistake.
        while self.seats.iter().filter(|seat| seat.is_left()).count() > self.config.namespaces_max {
            let Some(oldest) = self.seats.iter().position(Seat::is_left) else { break };
            self.seats.remove(oldest);
        }
        self.await_next_step(now);
    }

    /// A client that has left everything should join something, or close the transport: that is its part.
    fn await_next_step(&mut self, now: Instant) {
        if self.seats.iter().all(Seat::is_left) {
            self.step = Some((now + self.config.connect_timeout, CloseReason::ClientDisconnect));
        }
    }

    /// Drops the futures of a connection that has ended, and gives the places of its events back. The set is made anew:
    /// it would never look again at a future that was taken out of it in place.
    fn drop_work(&mut self, namespace: &str) {
        for work in self.work.take().into_iter().flatten() {
            if &*work.namespace != namespace {
                self.work.get_or_insert_default().push(work);
            } else if matches!(work.future, WorkFuture::Event(_)) {
                self.events_in_flight -= 1;
            }
        }
    }

    /// Polls once, now: that makes the order promised by [`super::Handler`]. What is not done is kept.
    fn begin(&mut self, mut work: Work, cx: &mut Context<'_>) {
        // Without tokio's budget: a poll that it cut short would not have come to the first suspension.
        let first_poll = Pin::new(&mut tokio::task::unconstrained(&mut work)).poll(cx);
        match first_poll {
            Poll::Ready(done) => self.on_done(done),
            // Polled once more there, to be woken by itself.
            Poll::Pending => self.work.get_or_insert_default().push(work),
        }
    }

    fn on_done(&mut self, done: Done) {
        self.events_in_flight -= usize::from(done.is_event);
        if let (Some(id), Some(Reply { args_json, attachments })) = (done.ack_id, done.reply) {
            self.link.send_from_task(SharedFrame::message(0, &attachments, |out| {
                socket::write_ack(out, &done.namespace, id, &args_json, attachments.len());
            }));
            reached(Step::AckQueued);
        }
    }
}

fn disconnect(namespace: &str) -> SharedFrame {
    SharedFrame::message(0, &[], |out| socket::write_disconnect(out, namespace))
}

/// Nothing more is taken from the application for this connection, and it is told, once.
fn end(connection: &dyn AnyConnection, reason: CloseReason) {
    connection.socket().end();
    connection.disconnected(reason);
}
