//! Sessions, their refresh tokens, and revocations.

mod end;
mod rotate;

use std::cmp::Reverse;

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, Row};
use tidings_core::accounts;
use tidings_core::clock::Timestamp;
use tidings_core::error::StoreError;
use tidings_core::idempotency::RequestMac;
use tidings_core::ids::{AppId, SessionId, UserId};
use tidings_core::limits::KNOWN_ADDRESSES_MAX;
use tidings_core::ports::store::{NewSession, PasswordChange, Revocation, Rotation, SessionStore};
use tidings_core::sessions::{Actor, Error, RefreshTokenHash, Session};

use crate::SqliteStore;
use crate::accounts::find_password;
use crate::rows::{limit, unreadable};
use crate::write::{Change, Failure, Tx};
#[cfg(test)]
pub(crate) use end::NOT_ENDED_SQL;

/// The columns that [`session_of`] reads.
const SESSION: &str = "id, app_id, user, device, created_at, last_used_at, expires_at";

/// A session that expired as long ago as this, in seconds, is deleted: its tokens are then unknown instead of expired.
const EXPIRED_KEPT_SECONDS: i64 = 30 * 24 * 3600;
/// Old sessions, and old revocations, that one new session clears away.
const PRUNED_MAX: i64 = 16;

fn session_of(row: &Row<'_>) -> rusqlite::Result<Session> {
    Ok(Session {
        id: SessionId::from_bytes(row.get(0)?),
        app: AppId(row.get(1)?),
        user: UserId::from_bytes(row.get(2)?),
        device: row.get(3)?,
        created_at: Timestamp(row.get(4)?),
        last_used_at: Timestamp(row.get(5)?),
        expires_at: Timestamp(row.get(6)?),
    })
}

/// How a revocation names a session: a byte of kind and the id.
fn subject(session: SessionId) -> [u8; 17] {
    let mut bytes = [1; 17];
    bytes[1..].copy_from_slice(session.as_bytes());
    bytes
}

#[async_trait]
impl SessionStore for SqliteStore {
    async fn insert_session(&self, new: NewSession) -> Result<Vec<SessionId>, accounts::Error> {
        self.writer.write(move |tx| insert_session(tx, &new)).await
    }

    async fn list_sessions(&self, user: UserId, now: Timestamp) -> Result<Vec<Session>, StoreError> {
        self.readers.read(move |reader| Ok(list_live(reader.snapshot(&[])?.rows().conn, user, now)?)).await
    }

    async fn is_known_address(&self, user: UserId, address: RequestMac) -> Result<bool, StoreError> {
        self.readers
            .read(move |reader| {
                let snapshot = reader.snapshot(&[])?;
                let mut statement = snapshot
                    .rows()
                    .conn
                    .prepare_cached("SELECT 1 FROM known_address WHERE user = ?1 AND address = ?2")?;
                Ok(statement.exists((user.as_bytes(), address.0))?)
            })
            .await
    }

    async fn rotate_refresh_token(&self, rotation: Rotation) -> Result<Session, Error> {
        // Anybody may present anything: only what could be rotated takes a place in the writer's queue, and is looked
        // at again there. What a client holds has been committed, so a reader knows it.
        self.readers
            .read(move |reader| rotate::find(reader.snapshot(&[])?.rows().conn, &rotation).map(drop))
            .await?;
        // A token that was used twice ends its session: a refusal that writes. So the refusal is the value here.
        let rotated: Result<_, Error> = self.writer.write(move |tx| rotate::rotate(tx, &rotation)).await;
        rotated?
    }

    async fn end_session(
        &self,
        actor: Actor,
        session: SessionId,
        now: Timestamp,
        tokens_until: Timestamp,
    ) -> Result<bool, Error> {
        self.writer.write(move |tx| end::end_one(tx, actor, session, now, tokens_until)).await
    }

    async fn end_all_sessions(
        &self,
        actor: Actor,
        now: Timestamp,
        tokens_until: Timestamp,
    ) -> Result<Vec<SessionId>, Error> {
        self.writer.write(move |tx| end::end_all(tx, actor, now, tokens_until)).await
    }

    async fn change_password(&self, change: PasswordChange) -> Result<Vec<SessionId>, accounts::Error> {
        self.writer.write(move |tx| end::change_password(tx, &change)).await
    }

    async fn list_revocations(&self, now: Timestamp) -> Result<Vec<Revocation>, StoreError> {
        self.readers
            .read(move |reader| Ok(list_live_revocations(reader.snapshot(&[])?.rows().conn, now)?))
            .await
    }
}

fn insert_session(
    tx: &mut Tx<'_>,
    new: &NewSession,
) -> Result<Change<Vec<SessionId>>, Failure<accounts::Error>> {
    let session = &new.session;
    if new.shown.is_some() && new.shown != find_password(tx.conn, session.user)? {
        return Err(Failure::Refused(accounts::Error::BadCredentials));
    }
    prune(tx.conn, session.created_at)?;
    let mut statement = tx.conn.prepare_cached(
        "INSERT INTO session (id, app_id, user, device, created_at, last_used_at, expires_at, token_hash, family_hash)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?;
    statement.execute((
        session.id.as_bytes(),
        session.app.0,
        session.user.as_bytes(),
        &session.device,
        session.created_at.0,
        session.last_used_at.0,
        session.expires_at.0,
        new.refresh.0,
        new.family.0,
    ))?;
    remember_address(tx.conn, session, new.address)?;
    let live = list_live(tx.conn, session.user, session.created_at)?;
    // Never the new one, whatever the clock says.
    let others = live.iter().map(|other| other.id).filter(|other| *other != session.id);
    let too_many: Vec<SessionId> = others.skip(new.sessions_max.saturating_sub(1)).collect();
    Ok(end::end_each(tx, session.user, &too_many, session.created_at, new.tokens_until)?)
}

/// The newest are kept.
fn remember_address(conn: &Connection, session: &Session, address: RequestMac) -> rusqlite::Result<()> {
    let (user, now) = (session.user.as_bytes(), session.created_at.0);
    conn.prepare_cached(
        "INSERT INTO known_address (user, address, seen_at) VALUES (?1, ?2, ?3)
         ON CONFLICT (user, address) DO UPDATE SET seen_at = max(seen_at, excluded.seen_at)",
    )?
    .execute((user, address.0, now))?;
    conn.prepare_cached(
        "DELETE FROM known_address WHERE user = ?1 AND address IN
             (SELECT address FROM known_address WHERE user = ?1 ORDER BY seen_at DESC LIMIT -1 OFFSET ?2)",
    )?
    .execute((user, limit(KNOWN_ADDRESSES_MAX)))?;
    Ok(())
}

pub(crate) fn live_sql() -> String {
    format!("SELECT {SESSION} FROM session WHERE user = ?1 AND ended_at IS NULL AND expires_at > ?2")
}

/// The user's sessions that have neither ended nor expired, last used first: as many as a user may have.
fn list_live(conn: &Connection, user: UserId, now: Timestamp) -> rusqlite::Result<Vec<Session>> {
    let mut statement = conn.prepare_cached(&live_sql())?;
    let live = statement.query_map((user.as_bytes(), now.0), session_of)?;
    let mut live = live.collect::<rusqlite::Result<Vec<_>>>()?;
    live.sort_unstable_by_key(|session| Reverse((session.last_used_at, session.id)));
    Ok(live)
}

pub(crate) const PRUNE_SESSIONS_SQL: &str = "DELETE FROM session WHERE id IN
    (SELECT id FROM session WHERE expires_at < ?1 ORDER BY expires_at LIMIT ?2)";

pub(crate) const PRUNE_REVOCATIONS_SQL: &str = "DELETE FROM revocation WHERE subject IN
    (SELECT subject FROM revocation WHERE until <= ?1 ORDER BY until LIMIT ?2)";

/// Each new session takes away more than itself, so what is old never heaps up.
fn prune(conn: &Connection, now: Timestamp) -> rusqlite::Result<()> {
    let expired_before = now.plus_seconds(-EXPIRED_KEPT_SECONDS);
    conn.prepare_cached(PRUNE_SESSIONS_SQL)?.execute((expired_before.0, PRUNED_MAX))?;
    conn.prepare_cached(PRUNE_REVOCATIONS_SQL)?.execute((now.0, PRUNED_MAX))?;
    Ok(())
}

/// Revocations of sessions whose tokens may still be about.
pub(crate) fn list_live_revocations(conn: &Connection, now: Timestamp) -> rusqlite::Result<Vec<Revocation>> {
    let mut statement = conn.prepare_cached("SELECT subject, until FROM revocation WHERE until > ?1")?;
    let mut rows = statement.query([now.0])?;
    let mut revocations = Vec::new();
    while let Some(row) = rows.next()? {
        let subject: [u8; 17] = row.get(0)?;
        let (kind, id) = subject.split_at(1);
        if kind == [1] {
            let id = id.try_into().map_err(|_| unreadable(0, "a session"))?;
            revocations
                .push(Revocation { session: SessionId::from_bytes(id), until: Timestamp(row.get(1)?) });
        }
    }
    Ok(revocations)
}

pub(crate) fn by_hash_sql(column: &str) -> String {
    format!("SELECT {SESSION}, token_hash, rotated_at, ended_at FROM session WHERE {column} = ?1")
}

fn find_by_hash(conn: &Connection, column: &str, hash: [u8; 32]) -> rusqlite::Result<Option<rotate::Stored>> {
    let mut statement = conn.prepare_cached(&by_hash_sql(column))?;
    let stored = statement.query_row([hash], |row| {
        Ok(rotate::Stored {
            session: session_of(row)?,
            token: RefreshTokenHash(row.get(7)?),
            rotated_at: row.get::<_, Option<i64>>(8)?.map(Timestamp),
            ended: row.get::<_, Option<i64>>(9)?.is_some(),
        })
    });
    stored.optional()
}
