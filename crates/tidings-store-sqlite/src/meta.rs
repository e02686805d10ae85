//! Facts about the whole data set: its epoch and secret, and how far the log and the heads have come.

use rusqlite::types::{FromSql, ToSql};
use rusqlite::{Connection, OptionalExtension};
use tidings_core::clock::Timestamp;
use tidings_core::ids::{Epoch, IdSource};

/// What never changes while the store is open.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Identity {
    pub epoch: Epoch,
    pub id_secret: [u8; 32],
}

/// Reads one fact.
pub(crate) fn get<T: FromSql>(conn: &Connection, key: &str) -> rusqlite::Result<Option<T>> {
    let mut statement = conn.prepare_cached("SELECT value FROM meta WHERE key = ?1")?;
    statement.query_row([key], |row| row.get(0)).optional()
}

/// Writes one fact.
pub(crate) fn set(conn: &Connection, key: &str, value: impl ToSql) -> rusqlite::Result<()> {
    let mut statement = conn.prepare_cached(
        "INSERT INTO meta (key, value) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
    )?;
    statement.execute((key, value))?;
    Ok(())
}

/// A place in the log; 0 where it was never written.
pub(crate) fn number(conn: &Connection, key: &str) -> rusqlite::Result<u64> {
    let value: Option<i64> = get(conn, key)?;
    Ok(value.and_then(|value| u64::try_from(value).ok()).unwrap_or(0))
}

/// The data set's identity; a new one is given its own.
pub(crate) fn identity(conn: &Connection, ids: &dyn IdSource, now: Timestamp) -> rusqlite::Result<Identity> {
    let transaction = conn.unchecked_transaction()?;
    let epoch = if let Some(bytes) = get(conn, "epoch")? {
        Epoch::from_bytes(bytes)
    } else {
        let epoch = Epoch(ids.uuid(now));
        set(conn, "epoch", epoch.as_bytes())?;
        set(conn, "events_floor_log", 0)?;
        epoch
    };
    let id_secret = if let Some(bytes) = get(conn, "id_secret")? {
        bytes
    } else {
        let mut bytes = [0; 32];
        ids.fill(&mut bytes);
        set(conn, "id_secret", bytes)?;
        bytes
    };
    transaction.commit()?;
    Ok(Identity { epoch, id_secret })
}
