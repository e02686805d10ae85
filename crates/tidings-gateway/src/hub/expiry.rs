//! When the access token of each connection expires: one ordered map instead of a timer a connection.

use std::collections::BTreeMap;

use tidings_core::clock::Timestamp;
use tidings_socketio::{Connection, ConnectionId};

use super::Member;

#[derive(Default)]
pub(super) struct Expiries(BTreeMap<(Timestamp, String), Connection<Member>>);

impl Expiries {
    pub fn insert(&mut self, expires_at: Timestamp, connection: Connection<Member>) {
        self.0.insert((expires_at, connection.id().to_string()), connection);
    }

    pub fn remove(&mut self, expires_at: Timestamp, id: ConnectionId) {
        self.0.remove(&(expires_at, id.to_string()));
    }

    pub fn take_due(&mut self, now: Timestamp) -> Vec<Connection<Member>> {
        // Everything at or before `now`: the first key of the next millisecond parts them.
        let later = self.0.split_off(&(Timestamp(now.0 + 1), String::new()));
        std::mem::replace(&mut self.0, later).into_values().collect()
    }
}
