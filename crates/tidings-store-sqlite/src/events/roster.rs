//! Rosters: who is in, as delivery needs it.

use rusqlite::Connection;
use tidings_core::ids::{ConversationId, LogId, Pos, UserId};
use tidings_core::ports::store::Interval;

use crate::rows::{bound, opt_uint, pos};

pub(crate) const ROSTER_SQL: &str =
    "SELECT user, from_pos, to_pos FROM membership INDEXED BY membership_joined
    WHERE conversation = ?1 AND (to_log IS NULL OR to_log > ?2) ORDER BY from_pos, user";

/// The intervals that had not ended at `ended_after`. As they are in the rows: positions say by themselves whether an
/// interval is newer than what a reader has seen.
pub(super) fn load(
    conn: &Connection,
    conversation: ConversationId,
    ended_after: LogId,
) -> rusqlite::Result<Vec<Interval>> {
    let mut statement = conn.prepare_cached(ROSTER_SQL)?;
    let intervals = statement.query_map((conversation.as_bytes(), bound(ended_after.0)), |row| {
        Ok(Interval {
            user: UserId::from_bytes(row.get(0)?),
            from_pos: pos(row, 1)?,
            to_pos: opt_uint(row, 2)?.map(Pos),
        })
    })?;
    intervals.collect()
}
