//! What is new in one stream, read down from its end.

use rusqlite::Row;
use tidings_core::ids::{ConversationId, LogId, Pos, Seq, StreamId};
use tidings_core::ports::store::SkippedStream;

use super::changed::{Changed, Span};
use super::{Reference, Window};
use crate::events::{Found, found_of};
use crate::messages::Until;
use crate::rows::{Rows, bound, limit as sql_limit, log_id, pos};

/// What becomes of a stream.
pub(super) enum Replay {
    /// Whatever changed came after the window.
    Unchanged,
    /// In no order.
    Events(Vec<Reference>),
    /// Too much: the device loads its window again.
    Skipped(SkippedStream),
}

pub(super) fn replay(
    rows: Rows<'_>,
    changed: &Changed,
    until: Option<Until>,
    window: Window,
    events_max: usize,
) -> rusqlite::Result<Replay> {
    let mut references: Vec<Reference> = Vec::new();
    let mut last_seq = None;
    for span in changed.spans.iter().rev() {
        // One more than are replayed tells that there are too many.
        let wanted = events_max.saturating_add(1).saturating_sub(references.len());
        if let StreamId::Conversation(conversation) = changed.stream {
            let end = end_of(rows, conversation, changed, span, window)?;
            last_seq = last_seq.or(Some(end));
            let sent = list_sent(rows, conversation, span.from_seq, end, window.from, wanted)?;
            references.extend(sent.into_iter().map(|found| Reference {
                log_id: found.log_id,
                stream: changed.stream,
                pos: found.pos,
                seq: Some(found.seq),
                begins: false,
                until,
            }));
        }
        references.extend(list_others(rows, changed.stream, span, until, window, wanted)?);
    }
    let Some(pos) = references.iter().map(|reference| reference.pos).max() else {
        return Ok(Replay::Unchanged);
    };
    if references.len() > events_max {
        let last_seq = last_seq.unwrap_or_default();
        return Ok(Replay::Skipped(SkippedStream { stream: changed.stream, pos, last_seq }));
    }
    Ok(Replay::Events(references))
}

/// The last message of the interval that stood at the window's end.
fn end_of(
    rows: Rows<'_>,
    conversation: ConversationId,
    changed: &Changed,
    span: &Span,
    window: Window,
) -> rusqlite::Result<Seq> {
    let last = span.to_seq.unwrap_or(changed.head.last_seq).min(changed.head.last_seq);
    if changed.head.last_log <= window.through {
        return Ok(last);
    }
    let late =
        rows.first_seq(conversation, span.from_seq.0, last.0, |found| found.log_id > window.through)?;
    Ok(Seq(late).previous())
}

pub(crate) const SENT_SQL: &str = "SELECT seq, pos, log_id FROM message
    WHERE conversation = ?1 AND seq BETWEEN ?2 AND ?3 ORDER BY seq DESC LIMIT ?4";

fn list_sent(
    rows: Rows<'_>,
    conversation: ConversationId,
    first: Seq,
    last: Seq,
    from: LogId,
    limit: usize,
) -> rusqlite::Result<Vec<Found>> {
    let mut statement = rows.conn.prepare_cached(SENT_SQL)?;
    let key = (conversation.as_bytes(), bound(first.0), bound(last.0), sql_limit(limit));
    let mut found = statement.query(key)?;
    let mut sent = Vec::new();
    while let Some(row) = found.next()? {
        let message = found_of(row)?;
        if message.log_id <= from {
            break;
        }
        sent.push(message);
    }
    Ok(sent)
}

/// What came after the window is passed over; there is no more of it than happened during one catch-up.
pub(crate) const OTHERS_SQL: &str = "SELECT log_id, pos FROM event
    WHERE stream = ?1 AND pos BETWEEN ?2 AND ?3 AND kind <> 0 AND log_id <= ?4 ORDER BY pos DESC LIMIT ?5";

fn list_others(
    rows: Rows<'_>,
    stream: StreamId,
    span: &Span,
    until: Option<Until>,
    window: Window,
    limit: usize,
) -> rusqlite::Result<Vec<Reference>> {
    let mut statement = rows.conn.prepare_cached(OTHERS_SQL)?;
    let to_pos = span.to_pos.unwrap_or(Pos(u64::MAX));
    let key = (
        stream.to_bytes(),
        bound(span.from_pos.0),
        bound(to_pos.0),
        bound(window.through.0),
        sql_limit(limit),
    );
    let mut found = statement.query(key)?;
    let mut others = Vec::new();
    while let Some(row) = found.next()? {
        let reference = other_of(row, stream, span, until)?;
        if reference.log_id <= window.from {
            break;
        }
        others.push(reference);
    }
    Ok(others)
}

fn other_of(
    row: &Row<'_>,
    stream: StreamId,
    span: &Span,
    until: Option<Until>,
) -> rusqlite::Result<Reference> {
    let pos = pos(row, 1)?;
    Ok(Reference { log_id: log_id(row, 0)?, stream, pos, seq: None, begins: pos == span.from_pos, until })
}
