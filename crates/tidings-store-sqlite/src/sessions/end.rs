//! Ending sessions: each with its row, its revocation, its event.

use rusqlite::OptionalExtension as _;
use tidings_core::accounts;
use tidings_core::clock::Timestamp;
use tidings_core::events::EventBody;
use tidings_core::ids::{SessionId, StreamId, UserId};
use tidings_core::ports::store::PasswordChange;
use tidings_core::sessions::{Actor, Error};

use super::subject;
use crate::accounts::{find_password, set_password};
use crate::write::{Change, Draft, Failure, Tx, Unexpected};

/// False where the user has no such session.
pub(super) fn end_one(
    tx: &mut Tx<'_>,
    actor: Actor,
    session: SessionId,
    now: Timestamp,
    tokens_until: Timestamp,
) -> Result<Change<bool>, Failure<Error>> {
    let user = actor.user;
    if session != actor.session && tx.has_ended(actor.session) {
        return Err(Failure::Refused(Error::Ended));
    }
    if let Some(draft) = end(tx, user, session, now, tokens_until)? {
        return Ok(Change::with(true, draft, []));
    }
    let mut statement = tx.conn.prepare_cached("SELECT 1 FROM session WHERE id = ?1 AND user = ?2")?;
    let found = statement.query_row((session.as_bytes(), user.as_bytes()), |_| Ok(())).optional()?;
    Ok(Change::nothing(found.is_some()))
}

pub(super) fn end_all(
    tx: &mut Tx<'_>,
    actor: Actor,
    now: Timestamp,
    tokens_until: Timestamp,
) -> Result<Change<Vec<SessionId>>, Failure<Error>> {
    if tx.has_ended(actor.session) {
        return Err(Failure::Refused(Error::Ended));
    }
    let sessions = not_ended(tx, actor.user)?;
    Ok(end_each(tx, actor.user, &sessions, now, tokens_until)?)
}

pub(super) fn change_password(
    tx: &mut Tx<'_>,
    change: &PasswordChange,
) -> Result<Change<Vec<SessionId>>, Failure<accounts::Error>> {
    let actor = change.actor;
    if tx.has_ended(actor.session) {
        return Err(Failure::Refused(accounts::Error::SessionEnded));
    }
    if find_password(tx.conn, actor.user)?.as_ref() != Some(&change.known) {
        return Err(Failure::Refused(accounts::Error::WrongPassword));
    }
    set_password(tx.conn, actor.user, &change.new)?;
    let mut others = not_ended(tx, actor.user)?;
    others.retain(|session| *session != actor.session);
    Ok(end_each(tx, actor.user, &others, change.now, change.tokens_until)?)
}

/// Ends these, which have not ended, beside what else was written. They are few: as many as a user may have, and what
/// has expired of as many since rows were last cleared away.
pub(super) fn end_each(
    tx: &mut Tx<'_>,
    user: UserId,
    sessions: &[SessionId],
    now: Timestamp,
    tokens_until: Timestamp,
) -> Result<Change<Vec<SessionId>>, Unexpected> {
    let (mut ended, mut drafts) = (Vec::new(), Vec::new());
    for session in sessions {
        if let Some(draft) = end(tx, user, *session, now, tokens_until)? {
            ended.push(*session);
            drafts.push(draft);
        }
    }
    let mut drafts = drafts.into_iter();
    Ok(match drafts.next() {
        Some(first) => Change::with(ended, first, drafts),
        None => Change::silent(ended, "nobody else's devices show a login or a password"),
    })
}

pub(crate) const NOT_ENDED_SQL: &str = "SELECT id FROM session WHERE user = ?1 AND ended_at IS NULL";

/// Also what has expired: a refresh that took its time before this change did, and comes after it, must find it ended.
fn not_ended(tx: &Tx<'_>, user: UserId) -> rusqlite::Result<Vec<SessionId>> {
    let mut statement = tx.conn.prepare_cached(NOT_ENDED_SQL)?;
    let ids = statement.query_map([user.as_bytes()], |row| row.get(0).map(SessionId::from_bytes))?;
    ids.collect()
}

/// Ends a session that has not ended: its row, its revocation, its event. The row is cleared away as one that expires
/// now.
pub(super) fn end(
    tx: &mut Tx<'_>,
    user: UserId,
    session: SessionId,
    now: Timestamp,
    tokens_until: Timestamp,
) -> Result<Option<Draft>, Unexpected> {
    let mut statement = tx.conn.prepare_cached(
        "UPDATE session SET ended_at = ?3, expires_at = min(expires_at, ?3)
         WHERE id = ?1 AND user = ?2 AND ended_at IS NULL",
    )?;
    if statement.execute((session.as_bytes(), user.as_bytes(), now.0))? == 0 {
        return Ok(None);
    }
    let mut statement = tx.conn.prepare_cached(
        "INSERT INTO revocation (subject, issued_before, until) VALUES (?1, ?2, ?3)
         ON CONFLICT (subject) DO UPDATE SET issued_before = excluded.issued_before, until = excluded.until",
    )?;
    statement.execute((subject(session), now.0, tokens_until.0))?;
    tx.note_ended(session, tokens_until, now);
    let place = tx.next(StreamId::User(user))?;
    Ok(Some(Draft { place, actor: user, at: now, body: EventBody::SessionEnded { session, tokens_until } }))
}
