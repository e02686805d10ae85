//! Idempotency keys of POSTs other than sends: the same request under the same key is done once in 24 hours.

use rusqlite::{Connection, OptionalExtension};
use tidings_core::clock::Timestamp;
use tidings_core::conversations::Error;
use tidings_core::idempotency::{KeyedRequest, RequestMac};
use tidings_core::ids::ConversationId;
use tidings_core::limits::IDEMPOTENCY_SECONDS;
use tidings_core::sessions::Actor;

use crate::write::Failure;

/// Old keys that one new one clears away.
const KEYS_PRUNED: i64 = 16;
/// Every answer that is kept so far is this one.
const CREATED: i64 = 201;

/// What an earlier try of this request was about, if there was one.
pub(crate) fn find(
    conn: &Connection,
    actor: &Actor,
    request: &KeyedRequest,
    now: Timestamp,
) -> Result<Option<ConversationId>, Failure<Error>> {
    let mut statement = conn.prepare_cached(
        "SELECT mac, ref FROM idempotency WHERE app_id = ?1 AND user = ?2 AND key = ?3 AND at > ?4",
    )?;
    let key = (actor.app.0, actor.user.as_bytes(), request.key.as_str(), kept_from(now).0);
    let found = statement
        .query_row(key, |row| Ok((RequestMac(row.get(0)?), ConversationId::from_bytes(row.get(1)?))))
        .optional()?;
    match found {
        Some((mac, _)) if mac != request.mac => Err(Failure::Refused(Error::IdempotencyKeyReused)),
        found => Ok(found.map(|(_, conversation)| conversation)),
    }
}

/// Keeps what the request was about, in the transaction of the fact.
pub(crate) fn insert(
    conn: &Connection,
    actor: &Actor,
    request: &KeyedRequest,
    conversation: ConversationId,
    now: Timestamp,
) -> rusqlite::Result<()> {
    let mut statement = conn.prepare_cached(
        "DELETE FROM idempotency WHERE (app_id, user, key) IN
             (SELECT app_id, user, key FROM idempotency WHERE at <= ?1 ORDER BY at LIMIT ?2)",
    )?;
    statement.execute((kept_from(now).0, KEYS_PRUNED))?;
    let mut statement = conn.prepare_cached(
        "INSERT OR REPLACE INTO idempotency (app_id, user, key, mac, status, ref, at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    statement.execute((
        actor.app.0,
        actor.user.as_bytes(),
        request.key.as_str(),
        request.mac.0,
        CREATED,
        conversation.as_bytes(),
        now.0,
    ))?;
    Ok(())
}

fn kept_from(now: Timestamp) -> Timestamp {
    now.plus_seconds(-IDEMPOTENCY_SECONDS)
}
