//! Which sessions have ended while access tokens of theirs may still be about.

use std::collections::HashMap;

use parking_lot::RwLock;

use crate::clock::Timestamp;
use crate::ids::SessionId;
use crate::limits::{ACCESS_TOKEN_SECONDS, REVOCATION_MARGIN_SECONDS};

/// The map that every request and connect looks into. Filled from the store at start, by the node that revokes before
/// it answers, and by the tail for what others revoke. Entries leave it when the last token they meant has expired.
#[derive(Debug, Default)]
pub struct Revocations(RwLock<Map>);

#[derive(Debug, Default)]
struct Map {
    until: HashMap<SessionId, Timestamp>,
    swept_at: Timestamp,
}

/// Until when a revocation that begins now must be kept: it outlives every access token of the session, and is of no
/// use after.
#[must_use]
pub fn revoked_until(now: Timestamp) -> Timestamp {
    now.plus_seconds(ACCESS_TOKEN_SECONDS + REVOCATION_MARGIN_SECONDS)
}

/// Expired entries are looked for at most this often, in milliseconds.
const SWEEP_MS: i64 = 60_000;

impl Revocations {
    /// Refuses the session's tokens from now until `until`, when they have all expired.
    pub fn insert(&self, session: SessionId, until: Timestamp, now: Timestamp) {
        let mut map = self.0.write();
        if now.0 - map.swept_at.0 >= SWEEP_MS {
            map.until.retain(|_, until| *until > now);
            map.swept_at = now;
        }
        let entry = map.until.entry(session).or_insert(until);
        *entry = (*entry).max(until);
    }

    /// Whether the session has ended.
    #[must_use]
    pub fn is_revoked(&self, session: SessionId) -> bool {
        self.0.read().until.contains_key(&session)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn a_revocation_stays_as_long_as_a_token_could_and_then_makes_room() {
        let revocations = Revocations::default();
        let (first, second) = (SessionId(Uuid::from_u128(1)), SessionId(Uuid::from_u128(2)));
        revocations.insert(first, Timestamp(700_000), Timestamp(0));
        assert!(revocations.is_revoked(first) && !revocations.is_revoked(second));
        revocations.insert(second, Timestamp(1_400_000), Timestamp(700_001));
        assert!(!revocations.is_revoked(first) && revocations.is_revoked(second));
    }
}
