//! The handshake: who is it, and is there room. No query.

use tidings_core::error::Code;
use tidings_core::sessions::Actor;
use tidings_protocol::socket::ConnectAuth;
use tidings_socketio::{ConnectError, Handshake};

use crate::decode::decode_json;
use crate::hub::Member;
use crate::problem::Refused;

use super::SocketHandler;
use super::ack::connect_error;

impl SocketHandler {
    pub(super) fn check_connect(&self, handshake: &Handshake) -> Result<Member, ConnectError> {
        let (actor, since) = self.authenticate(handshake).map_err(|refused| connect_error(&refused))?;
        let limits = &self.services.limits;
        let Some(place) = self.hub.take_place(actor.user, limits.user_connections_max) else {
            let max = limits.user_connections_max;
            let detail = format!("At most {max} connections a user. Close one, then connect again.");
            return Err(connect_error(&Refused::new(Code::TooManyConnections, detail)));
        };
        Ok(Member::new(actor, since, limits.connection_queue_bytes_max, place))
    }

    fn authenticate(&self, handshake: &Handshake) -> Result<(Actor, Option<String>), Refused> {
        let auth = handshake.auth.as_ref().map_or("{}", |auth| auth.get());
        let auth: ConnectAuth = decode_json(auth.as_bytes(), &self.services.limits)?;
        if auth.pid.is_some() || auth.offset.is_some() {
            return Err(Refused::new(Code::NotSupported, "Resume with auth: { token, since }."));
        }
        let Some(token) = &auth.token else {
            return Err(Refused::new(Code::TokenMissing, "Connect with auth: { token: accessToken }."));
        };
        let actor = self.services.authenticate(&token.0)?;
        Ok((actor, auth.since))
    }
}
