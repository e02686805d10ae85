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
    /// With the code where it is refused.
    pub(super) fn check_connect(
        &self,
        handshake: &Handshake,
    ) -> Result<Member, (ConnectError, &'static str)> {
        let refuse = |refused: &Refused| (connect_error(refused), refused.code.as_str());
        let (actor, auth) = self.authenticate(handshake).map_err(|refused| refuse(&refused))?;
        let limits = &self.services.limits;
        let Some(place) = self.hub.take_place(actor.user, limits.user_connections_max) else {
            let max = limits.user_connections_max;
            let detail = format!("At most {max} connections a user. Close one, then connect again.");
            return Err(refuse(&Refused::new(Code::TooManyConnections, detail)));
        };
        let (since, pid) = self.resume(&actor, auth, handshake);
        Ok(Member::new(actor, since, pid, limits.connection_queue_bytes_max, place))
    }

    /// Where the device resumes, and the recovery id that it is told: the one that it has shown says `recovered` to
    /// its client, and that only where nothing can have been skipped.
    fn resume(&self, actor: &Actor, auth: ConnectAuth, handshake: &Handshake) -> (Option<String>, String) {
        let new_id = || {
            let mut nonce = [0; 8];
            nonce.copy_from_slice(&handshake.connection_id.as_str().as_bytes()[..8]);
            self.services.recovery_id(actor, nonce)
        };
        match (auth.pid, auth.offset) {
            (Some(pid), Some(offset)) if self.services.may_recover(actor, &pid) => {
                let pid = if self.services.has_whole_gap(actor, &offset) { pid } else { new_id() };
                (Some(offset), pid)
            }
            _ => (auth.since, new_id()),
        }
    }

    fn authenticate(&self, handshake: &Handshake) -> Result<(Actor, ConnectAuth), Refused> {
        let auth = handshake.auth.as_ref().map_or("{}", |auth| auth.get());
        let auth: ConnectAuth = decode_json(auth.as_bytes(), &self.services.limits)?;
        let Some(token) = &auth.token else {
            return Err(Refused::new(Code::TokenMissing, "Connect with auth: { token: accessToken }."));
        };
        let actor = self.services.authenticate(&token.0)?;
        Ok((actor, auth))
    }
}
