//! Putting the next refresh token in the place of the presented one.

use rusqlite::Connection;
use tidings_core::clock::Timestamp;
use tidings_core::ports::store::Rotation;
use tidings_core::sessions::{Error, RefreshTokenHash, Session, revoked_until};

use super::end::end;
use super::find_by_hash;
use crate::write::{Change, Failure, Tx};

/// A session's row.
pub(super) struct Stored {
    pub session: Session,
    pub token: RefreshTokenHash,
    pub rotated_at: Option<Timestamp>,
    pub ended: bool,
}

/// The session of the presented token, which is its present one, the one before, or one from long before.
pub(super) fn find(conn: &Connection, rotation: &Rotation) -> Result<Stored, Failure<Error>> {
    let (presented, family) = (rotation.presented.0, rotation.family.0);
    let mut found = None;
    for (column, hash) in [("token_hash", presented), ("previous_hash", presented), ("family_hash", family)] {
        found = find_by_hash(conn, column, hash)?;
        if found.is_some() {
            break;
        }
    }
    let stored = found.ok_or(Failure::Refused(Error::RefreshTokenInvalid))?;
    if stored.ended {
        Err(Failure::Refused(Error::Ended))
    } else if stored.session.expires_at <= rotation.now {
        Err(Failure::Refused(Error::RefreshTokenExpired))
    } else {
        Ok(stored)
    }
}

pub(super) fn rotate(
    tx: &mut Tx<'_>,
    rotation: &Rotation,
) -> Result<Change<Result<Session, Error>>, Failure<Error>> {
    let stored = find(tx.conn, rotation)?;
    if stored.token == rotation.presented {
        return Ok(advance(tx, stored.session, rotation)?);
    }
    // Two tabs, or an answer that was lost: the same next one again. Later, with another next one, or from long before,
    // it is somebody who copied it.
    let grace = rotation.grace_from..=rotation.grace_to;
    let in_grace = stored.rotated_at.is_some_and(|at| grace.contains(&at));
    if in_grace && stored.token == rotation.next {
        return Ok(Change::nothing(Ok(stored.session)));
    }
    let until = revoked_until(rotation.now);
    let ended = end(tx, stored.session.user, stored.session.id, rotation.now, until)?;
    Ok(match ended {
        Some(draft) => Change::with(Err(Error::Reused(stored.session.id)), draft, []),
        None => Change::nothing(Err(Error::Ended)),
    })
}

fn advance(
    tx: &Tx<'_>,
    session: Session,
    rotation: &Rotation,
) -> rusqlite::Result<Change<Result<Session, Error>>> {
    let mut statement = tx.conn.prepare_cached(
        "UPDATE session SET token_hash = ?2, previous_hash = ?3, rotated_at = ?4, last_used_at = ?4, expires_at = ?5,
                            family_hash = ?6
         WHERE id = ?1",
    )?;
    statement.execute((
        session.id.as_bytes(),
        rotation.next.0,
        rotation.presented.0,
        rotation.now.0,
        rotation.expires_at.0,
        rotation.family.0,
    ))?;
    let session = Session { last_used_at: rotation.now, expires_at: rotation.expires_at, ..session };
    Ok(Change::silent(Ok(session), "nobody else's devices show a refresh"))
}
