//! Which of a user's streams have something new.

use rusqlite::Row;
use tidings_core::conversations::Head;
use tidings_core::ids::{ConversationId, Pos, Seq, StreamId, UserId};

use super::Window;
use crate::heads::{HEAD, head_of};
use crate::rows::{Rows, bound, later, opt_uint, pos, seq};

/// An interval of the user, as far as a catch-up needs it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    pub from_pos: Pos,
    pub to_pos: Option<Pos>,
    pub from_seq: Seq,
    pub to_seq: Option<Seq>,
}

/// A stream whose head has moved since, with the user's intervals in it that had not ended then.
#[derive(Debug)]
pub(super) struct Changed {
    pub stream: StreamId,
    pub head: Head,
    /// First to last.
    pub spans: Vec<Span>,
}

impl Changed {
    /// Whether the user is in it.
    pub(super) fn ends_open(&self) -> bool {
        self.spans.last().is_some_and(|span| span.to_pos.is_none())
    }
}

const INTERVALS_SQL_HEAD: &str = "SELECT m.conversation, m.from_pos, m.to_pos, m.from_seq, m.to_seq,";
const INTERVALS_SQL_TAIL: &str = "FROM membership AS m
    CROSS JOIN head AS h ON h.stream = CAST(x'01' || m.conversation AS BLOB)
    WHERE m.user = ?1 AND (m.to_log IS NULL OR m.to_log > ?2) AND m.from_log <= ?3
    ORDER BY m.conversation, m.from_pos";

pub(crate) fn intervals_sql() -> String {
    format!("{INTERVALS_SQL_HEAD} {HEAD} {INTERVALS_SQL_TAIL}")
}

pub(super) fn list(rows: Rows<'_>, user: UserId, window: Window) -> rusqlite::Result<Vec<Changed>> {
    let mut changed: Vec<Changed> = Vec::new();
    let mut statement = rows.conn.prepare_cached(&intervals_sql())?;
    let mut found = statement.query((user.as_bytes(), bound(window.from.0), bound(window.through.0)))?;
    while let Some(row) = found.next()? {
        let stream = StreamId::Conversation(ConversationId::from_bytes(row.get(0)?));
        let span = span_of(row)?;
        match changed.last_mut().filter(|last| last.stream == stream) {
            Some(last) => last.spans.push(span),
            None => {
                let head = later(Some(head_of(row, 5)?), rows.newer.head(stream)).unwrap_or_default();
                changed.push(Changed { stream, head, spans: vec![span] });
            }
        }
    }
    let own = StreamId::User(user);
    if let Some(head) = rows.head(own)? {
        let span = Span { from_pos: Pos(1), to_pos: None, from_seq: Seq(1), to_seq: None };
        changed.push(Changed { stream: own, head, spans: vec![span] });
    }
    changed.retain(|changed| changed.head.last_log > window.from);
    Ok(changed)
}

fn span_of(row: &Row<'_>) -> rusqlite::Result<Span> {
    Ok(Span {
        from_pos: pos(row, 1)?,
        to_pos: opt_uint(row, 2)?.map(Pos),
        from_seq: seq(row, 3)?,
        to_seq: opt_uint(row, 4)?.map(Seq),
    })
}
