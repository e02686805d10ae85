//! How many are in a conversation. Each joining and each leaving has the number after it, so nobody is counted again
//! however many have come and gone.

use rusqlite::{Connection, OptionalExtension};
use tidings_core::ids::{ConversationId, Pos};

use crate::rows::{Rows, bound, pos, uint};

pub(crate) const JOINED_SQL: &str =
    "SELECT from_pos, count_at_from FROM membership INDEXED BY membership_joined
    WHERE conversation = ?1 AND from_pos <= ?2 ORDER BY from_pos DESC LIMIT 1";

pub(crate) const LEFT_SQL: &str = "SELECT to_pos, count_at_to FROM membership INDEXED BY membership_left
    WHERE conversation = ?1 AND to_pos <= ?2 ORDER BY to_pos DESC LIMIT 1";

impl Rows<'_> {
    /// How many were in after the event at `at`.
    pub(crate) fn participant_count_at(
        &self,
        conversation: ConversationId,
        at: Pos,
    ) -> rusqlite::Result<usize> {
        let joined = last(self.conn, JOINED_SQL, conversation, at)?;
        let left = last(self.conn, LEFT_SQL, conversation, at)?;
        let (_, count) = joined.max(left).unwrap_or_default();
        Ok(usize::try_from(count).unwrap_or(usize::MAX))
    }
}

/// The last joining or leaving, and the number after it. No position has both.
fn last(
    conn: &Connection,
    sql: &str,
    conversation: ConversationId,
    at: Pos,
) -> rusqlite::Result<Option<(Pos, u64)>> {
    let mut statement = conn.prepare_cached(sql)?;
    let found =
        statement.query_row((conversation.as_bytes(), bound(at.0)), |row| Ok((pos(row, 0)?, uint(row, 1)?)));
    found.optional()
}
