//! The socket side of the API: the handshake, the replay, and the events that clients send.
//!
//! A client event is decoded, given to one service function, and its answer encoded as the ack. To add one: its file
//! here and its line in `answer`.

pub(crate) mod ack;
mod connect;
mod messages;
mod reactions;
mod receipts;
mod replay;
mod screens;
mod session;
#[cfg(feature = "fail-points")]
mod steps;
mod sync;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;
use tidings_core::error::Code;
use tidings_core::limits::{Limits, PRESENCE_COUNTED_A_SECOND, SIGNALS_EVERY_MS};
use tidings_core::services::Services;
use tidings_core::signals::Signals;
use tidings_protocol::socket_events::FROM_CLIENT;
use tidings_socketio::{
    CloseReason, Config, ConnectError, Connection, Event, Handler, Handshake, Reply, Server,
};
use tokio::time::{Interval, MissedTickBehavior};

use replay::Replays;

use crate::decode::{DecodeError, decode_json};
use crate::gateway::Origins;
use crate::hub::{Hub, Member, end};
use crate::problem::Refused;
use crate::rates::action_of_event;

type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Tokens are looked at for their expiry this often.
const EXPIRY_EVERY: Duration = Duration::from_secs(1);

/// What the Socket.IO server calls.
pub struct SocketHandler {
    services: Arc<Services>,
    hub: Arc<Hub>,
    replays: Arc<Replays>,
}

/// The Socket.IO server over these services, with the limits that they name.
#[must_use]
pub fn socket_server(services: Arc<Services>, hub: Arc<Hub>, origins: &Origins) -> Server {
    #[cfg(feature = "fail-points")]
    steps::watch();
    let limits = &services.limits;
    let config = Config {
        payload_bytes_max: limits.socket_payload_bytes_max,
        queue_bytes_max: limits.connection_queue_bytes_max,
        in_flight_max: limits.connection_in_flight_max,
        json_depth_max: limits.json_levels_max,
        connections_max: limits.connections_max,
        address_connections_max: limits.address_connections_max,
        allowed_origins: origins.for_sockets(),
        ..Config::default()
    };
    let replays = Replays::new(Arc::clone(&services));
    // The hub is a part of the services: it must not keep them.
    let weak = Arc::downgrade(&replays);
    hub.on_behind(move |connection, since| {
        if let Some(replays) = weak.upgrade() {
            tokio::spawn(replays.catch_up(connection.clone(), since));
        }
    });
    Server::new(config, Arc::new(SocketHandler { services, hub, replays }))
}

/// Ends connections whose token has expired, for ever. One task a node.
pub async fn watch_expiry(services: Arc<Services>, hub: Arc<Hub>) {
    let mut every = tokio::time::interval(EXPIRY_EVERY);
    loop {
        every.tick().await;
        hub.expire(services.clock.now());
    }
}

/// Tells what time has changed in who writes and who is here, for ever. One task a node.
pub async fn tell_signals(signals: Arc<Signals>) {
    let mut every = every_round();
    loop {
        every.tick().await;
        signals.tick();
    }
}

/// Counts who is here in large conversations, so many a second, for ever. One task a node.
pub async fn count_presence(signals: Arc<Signals>) {
    let mut every = every_round();
    loop {
        every.tick().await;
        let mut counted = signals.count_next().await;
        while counted > 0 {
            tokio::time::sleep(Duration::from_secs(counted as u64) / PRESENCE_COUNTED_A_SECOND).await;
            counted = signals.count_next().await;
        }
    }
}

/// Writes down when people were last here, for ever. One task a node.
pub async fn write_last_seen(signals: Arc<Signals>) {
    let mut every = every_round();
    loop {
        every.tick().await;
        while signals.write_last_seen().await > 0 {}
    }
}

fn every_round() -> Interval {
    let mut every = tokio::time::interval(Duration::from_millis(SIGNALS_EVERY_MS));
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    every
}

impl Handler for SocketHandler {
    type State = Member;

    fn connect(&self, handshake: Handshake) -> BoxFuture<Result<Member, ConnectError>> {
        let result = self.check_connect(&handshake);
        self.hub.sockets.connect(result.as_ref().map_or_else(|refused| refused.1, |_| "ok"));
        let result = result.map_err(|(error, _)| error);
        Box::pin(async move { result })
    }

    fn recovery_id(&self, member: &Member) -> Option<String> {
        member.take_recovery_id()
    }

    fn connected(&self, connection: &Connection<Member>) -> BoxFuture<()> {
        // Register first, then replay, then live: nothing falls between.
        self.services.delivery.track(connection.state().actor().user);
        self.hub.register(connection);
        self.services.signals.arrived(connection.state().actor().user);
        // A session that ended between the handshake and this line was not among those that were closed.
        if let Err(error) = self.services.check_session(&connection.state().actor()) {
            end(connection, &error.into());
            return Box::pin(async {});
        }
        Box::pin(Arc::clone(&self.replays).begin(connection.clone()))
    }

    fn event(&self, connection: &Connection<Member>, event: Event) -> BoxFuture<Option<Reply>> {
        let (services, hub) = (Arc::clone(&self.services), Arc::clone(&self.hub));
        let connection = connection.clone();
        if let Err(error) = services.check_session(&connection.state().actor()) {
            end(&connection, &error.into());
        }
        Box::pin(async move {
            let answer = answer(&services, &hub, &connection, &event).await;
            let result = answer.as_ref().map_or_else(|refused| refused.code.as_str(), |_| "ok");
            hub.sockets.event(known_event(event.name()), result);
            Some(answer.unwrap_or_else(|refused| ack::refused_ack(&services, &refused)).into())
        })
    }

    fn disconnected(&self, connection: &Connection<Member>, reason: CloseReason) {
        let actor = &connection.state().actor();
        self.hub.unregister(connection);
        self.services.signals.departed(actor.user, connection.state().status());
        self.services.delivery.untrack(actor.user);
        self.hub.sockets.disconnect(reason.code());
        tracing::debug!(user = %actor.user, connection = %connection.id(), reason = reason.code(), "a socket closed");
    }
}

/// The names that are counted; a client may say any word for one.
fn known_event(name: &str) -> &'static str {
    FROM_CLIENT.iter().find(|known| known.name == name).map_or("other", |known| known.name)
}

/// The ack of an event, as JSON.
async fn answer(
    services: &Services,
    hub: &Hub,
    connection: &Connection<Member>,
    event: &Event,
) -> Result<String, Refused> {
    let actor = connection.state().actor();
    services.check_session(&actor)?;
    if event.args_json().len() > event.first_json().map_or(0, str::len) {
        return Err(Refused::new(Code::Malformed, "An event takes one value, an object, and an ack."));
    }
    services.take(&actor, action_of_event(event.name())).await?;
    match event.name() {
        "message:send" => messages::on_message_send(services, &actor, event).await,
        "message:edit" => messages::on_message_edit(services, &actor, event).await,
        "message:delete" => messages::on_message_delete(services, &actor, event).await,
        "reaction:add" => reactions::on_reaction_add(services, &actor, event).await,
        "reaction:remove" => reactions::on_reaction_remove(services, &actor, event).await,
        "messages:read" => receipts::on_messages_read(services, &actor, event).await,
        "messages:delivered" => receipts::on_messages_delivered(services, &actor, event).await,
        "sync" => sync::on_sync(services, &actor, event).await,
        "conversation:open" => screens::on_conversation_open(services, hub, connection, event).await,
        "conversation:close" => screens::on_conversation_close(services, hub, connection, event),
        "typing:start" => screens::on_typing_start(services, connection, event),
        "typing:stop" => screens::on_typing_stop(services, connection, event),
        "presence:set" => screens::on_presence_set(services, connection, event),
        "session:renew" => session::on_session_renew(services, hub, connection, event),
        _ => Err(Refused::new(Code::UnknownEvent, "docs/api.md lists the events that a client sends.")),
    }
}

/// What an event says, which must be an object.
fn decode_event<T: DeserializeOwned>(event: &Event, limits: &Limits) -> Result<T, DecodeError> {
    decode_json(event.first_json().unwrap_or("null").as_bytes(), limits)
}
