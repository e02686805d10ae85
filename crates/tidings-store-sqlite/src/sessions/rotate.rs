//! Putting the next refresh token in the place of the presented one.

use tidings_core::clock::Timestamp;
use tidings_core::limits::ACCESS_TOKEN_SECONDS;
use tidings_core::ports::store::Rotation;
use tidings_core::sessions::{Error, RefreshTokenHash, Session};

use super::{end, find_by_hash};
use crate::write::{Change, Failure, Tx};

/// A session's row.
pub(super) struct Stored {
    pub session: Session,
    pub token: RefreshTokenHash,
    pub rotated_at: Option<Timestamp>,
    pub ended: bool,
}

/// A revocation outlives the session's access tokens by this, in seconds: clocks differ.
const REVOCATION_MARGIN_SECONDS: i64 = 60;

pub(super) fn rotate(
    tx: &mut Tx<'_>,
    rotation: &Rotation,
) -> Result<Change<Result<Session, Error>>, Failure<Error>> {
    if let Some(stored) = find_by_hash(tx.conn, "token_hash", rotation.presented)? {
        return match refuse(&stored, rotation.now) {
            Some(error) => Err(Failure::Refused(error)),
            None => Ok(advance(tx, stored.session, rotation)?),
        };
    }
    let Some(stored) = find_by_hash(tx.conn, "previous_hash", rotation.presented)? else {
        return Err(Failure::Refused(Error::RefreshTokenInvalid));
    };
    if let Some(error) = refuse(&stored, rotation.now) {
        return Err(Failure::Refused(error));
    }
    // Two tabs, or an answer that was lost: the same next one again. Later, or with another next one, it is somebody
    // who copied it.
    let in_grace = stored.rotated_at.is_some_and(|at| at >= rotation.grace_from);
    if in_grace && stored.token == rotation.next {
        return Ok(Change::nothing(Ok(stored.session)));
    }
    let until = rotation.now.plus_seconds(ACCESS_TOKEN_SECONDS + REVOCATION_MARGIN_SECONDS);
    let ended = end(tx, stored.session.user, stored.session.id, rotation.now, until)?;
    Ok(match ended {
        Some(draft) => Change::with(Err(Error::Ended), draft, []),
        None => Change::nothing(Err(Error::Ended)),
    })
}

fn refuse(stored: &Stored, now: Timestamp) -> Option<Error> {
    if stored.ended {
        Some(Error::Ended)
    } else if stored.session.expires_at <= now {
        Some(Error::RefreshTokenExpired)
    } else {
        None
    }
}

fn advance(
    tx: &Tx<'_>,
    session: Session,
    rotation: &Rotation,
) -> rusqlite::Result<Change<Result<Session, Error>>> {
    let mut statement = tx.conn.prepare_cached(
        "UPDATE session SET token_hash = ?2, previous_hash = ?3, rotated_at = ?4, last_used_at = ?4, expires_at = ?5
         WHERE id = ?1",
    )?;
    statement.execute((
        session.id.as_bytes(),
        rotation.next.0,
        rotation.presented.0,
        rotation.now.0,
        rotation.expires_at.0,
    ))?;
    let session = Session { last_used_at: rotation.now, expires_at: rotation.expires_at, ..session };
    Ok(Change::silent(Ok(session), "nobody else's devices show a refresh"))
}
