//! Rosters: who is in, as delivery needs it.

use rusqlite::Connection;
use tidings_core::ids::{ConversationId, LogId, MessageId, Pos, UserId};
use tidings_core::ports::store::Interval;

use crate::rows::{bound, opt_uint, pos};

pub(crate) const ROSTER_SQL: &str =
    "SELECT user, from_pos, to_pos FROM membership INDEXED BY membership_joined
    WHERE conversation = ?1 AND (to_log IS NULL OR to_log > ?2) ORDER BY from_pos, user";

pub(crate) const BARRED_SQL: &str = "SELECT DISTINCT m.user FROM membership AS m INDEXED BY membership_joined
    WHERE m.conversation = ?1 AND m.from_pos > ?2 AND m.from_pos <= ?3 AND NOT EXISTS
        (SELECT 1 FROM membership AS o WHERE o.conversation = m.conversation AND o.user = m.user
           AND o.history_from_seq <= ?4 AND (o.to_seq IS NULL OR o.to_seq >= ?4))
    ORDER BY m.user";

/// Who came in between these positions and may not read the message.
pub(super) fn list_barred(
    conn: &Connection,
    message: MessageId,
    after: Pos,
    through: Pos,
) -> rusqlite::Result<Vec<UserId>> {
    let mut statement = conn.prepare_cached(BARRED_SQL)?;
    let key = (message.conversation.as_bytes(), bound(after.0), bound(through.0), bound(message.seq.0));
    let users = statement.query_map(key, |row| row.get(0).map(UserId::from_bytes))?;
    users.collect()
}

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
