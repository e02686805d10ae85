//! When the access token of each connection expires: one ordered map instead of a timer a connection.

use std::collections::BTreeMap;

use tidings_core::clock::Timestamp;
use tidings_socketio::{Connection, ConnectionId};

use super::Member;

#[derive(Default)]
pub(super) struct Expiries(BTreeMap<(Timestamp, Option<ConnectionId>), Connection<Member>>);

impl Expiries {
    pub fn insert(&mut self, expires_at: Timestamp, connection: Connection<Member>) {
        self.0.insert((expires_at, Some(connection.id())), connection);
    }

    /// False where it is not there any more.
    pub fn remove(&mut self, expires_at: Timestamp, id: ConnectionId) -> bool {
        self.0.remove(&(expires_at, Some(id))).is_some()
    }

    pub fn take_due(&mut self, now: Timestamp) -> Vec<Connection<Member>> {
        // Everything at or before `now`: what comes before every key of the next millisecond parts them.
        let later = self.0.split_off(&(Timestamp(now.0 + 1), None));
        std::mem::replace(&mut self.0, later).into_values().collect()
    }
}
