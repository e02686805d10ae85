//! Events of one stream by position. Sent events stand in no index of their own: `seq` is dense and `pos` grows with
//! it, so the message at a position is found by halving.

use std::cmp::Ordering;

use rusqlite::types::Value;
use rusqlite::{Connection, Row};
use tidings_core::clock::Timestamp;
use tidings_core::events::Event;
use tidings_core::ids::{ConversationId, LogId, Pos, Seq, StreamId, UserId};
use tidings_core::ports::store::{PageMax, StreamPage};

use super::{EventRow, Kind, event_of};
use crate::rows::{Rows, bound, int, limit as sql_limit, log_id, pos, seq, uint};

/// Where a message stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Found {
    pub seq: Seq,
    pub pos: Pos,
    pub log_id: LogId,
}

impl Rows<'_> {
    /// The first `seq` from `low` to `high` for which `is_late` says yes, once it has begun to say so; the one after
    /// `high` where it never does.
    pub(crate) fn first_seq(
        &self,
        conversation: ConversationId,
        low: u64,
        high: u64,
        is_late: impl Fn(Found) -> bool,
    ) -> rusqlite::Result<u64> {
        let mut statement = self
            .conn
            .prepare_cached("SELECT seq, pos, log_id FROM message WHERE conversation = ?1 AND seq = ?2")?;
        let (mut low, mut end) = (low.max(1), high.saturating_add(1));
        while low < end {
            let middle = low + (end - low) / 2;
            let found = statement.query_row((conversation.as_bytes(), bound(middle)), found_of)?;
            if is_late(found) {
                end = middle;
            } else {
                low = middle + 1;
            }
        }
        Ok(low)
    }

    /// Events with `from ≤ pos ≤ to`, the first `limit` of them.
    pub(crate) fn stream_range(
        &self,
        stream: StreamId,
        from: Pos,
        to: Pos,
        limit: usize,
    ) -> rusqlite::Result<Vec<EventRow>> {
        let Some(head) = self.head(stream)? else { return Ok(Vec::new()) };
        // Both lists end where the head does: it may be older than the snapshot.
        let to = to.min(head.last_pos);
        let others = list_others(self.conn, stream, from, to, limit)?;
        let StreamId::Conversation(conversation) = stream else { return Ok(others) };
        let sent = self.list_sent(conversation, head.last_seq, from, to, limit)?;
        let mut merged = merge(sent, others);
        merged.truncate(limit);
        Ok(merged)
    }

    fn list_sent(
        &self,
        conversation: ConversationId,
        last: Seq,
        from: Pos,
        to: Pos,
        limit: usize,
    ) -> rusqlite::Result<Vec<EventRow>> {
        let stream = StreamId::Conversation(conversation);
        let first = self.first_seq(conversation, 1, last.0, |found| found.pos >= from)?;
        let mut statement = self.conn.prepare_cached(
            "SELECT seq, pos, log_id, ord, sender, created_at FROM message
             WHERE conversation = ?1 AND seq BETWEEN ?2 AND ?3 ORDER BY seq LIMIT ?4",
        )?;
        let key = (conversation.as_bytes(), bound(first), bound(last.0), sql_limit(limit));
        let mut rows = statement.query(key)?;
        let mut events = Vec::new();
        while let Some(row) = rows.next()? {
            let event = sent_of(row, stream)?;
            if event.pos > to {
                break;
            }
            events.push(event);
        }
        Ok(events)
    }

    /// The events after `after` that the viewer may see, who was in during these intervals.
    pub(super) fn stream_page(
        &self,
        viewer: UserId,
        stream: StreamId,
        intervals: &[(Pos, Option<Pos>)],
        after: Pos,
        page_max: PageMax,
    ) -> rusqlite::Result<StreamPage> {
        let Some(head) = self.head(stream)? else {
            return Ok(StreamPage { events: vec![], has_more: false });
        };
        let mut found = Vec::new();
        for (from_pos, to_pos) in intervals {
            let from = (*from_pos).max(Pos(after.0.saturating_add(1)));
            let to = to_pos.unwrap_or(head.last_pos);
            let wanted = page_max.events.saturating_add(1).saturating_sub(found.len());
            if from <= to && wanted > 0 {
                found.extend(self.stream_range(stream, from, to, wanted)?);
            }
        }
        let until = match stream {
            StreamId::Conversation(conversation) => self.until(conversation, viewer)?,
            StreamId::User(_) => None,
        };
        let mut before = after;
        let hydrated = found.iter().map(|event| {
            let mut event = self.shown_to(viewer, self.hydrate(event, until)?)?;
            // What lies between is not the user's to see: the span takes the device over it.
            event.span = event.pos.0 - before.0;
            before = event.pos;
            Ok(event)
        });
        let events = fill_page(page_max, hydrated)?;
        Ok(StreamPage { has_more: found.len() > events.len(), events })
    }
}

/// As many events as fit; the first one fits whatever its size. What does not fit is hydrated no further than the one
/// that shows it.
pub(crate) fn fill_page(
    page_max: PageMax,
    hydrated: impl Iterator<Item = rusqlite::Result<Event>>,
) -> rusqlite::Result<Vec<Event>> {
    let (mut events, mut bytes) = (Vec::new(), 0);
    for event in hydrated.take(page_max.events.max(1)) {
        let event = event?;
        bytes += event.bytes();
        if bytes > page_max.bytes && !events.is_empty() {
            break;
        }
        events.push(event);
    }
    Ok(events)
}

/// Reads `seq, pos, log_id`.
pub(crate) fn found_of(row: &Row<'_>) -> rusqlite::Result<Found> {
    Ok(Found { seq: seq(row, 0)?, pos: pos(row, 1)?, log_id: log_id(row, 2)? })
}

/// Reads `seq, pos, log_id, ord, sender, created_at` as the event that the send left.
pub(crate) fn sent_of(row: &Row<'_>, stream: StreamId) -> rusqlite::Result<EventRow> {
    let ord = uint(row, 3)?;
    Ok(EventRow {
        log_id: log_id(row, 2)?,
        stream,
        pos: pos(row, 1)?,
        kind: Kind::Sent,
        actor: UserId::from_bytes(row.get(4)?),
        at: Timestamp(row.get(5)?),
        reference: Value::Integer(int(seq(row, 0)?.0)?),
        data: Some(super::SentData { ord, to_all: false }.encode()),
    })
}

pub(crate) const OTHERS_SQL: &str = "SELECT log_id, stream, pos, kind, actor, at, ref, data FROM event
    WHERE stream = ?1 AND pos BETWEEN ?2 AND ?3 AND kind <> 0 ORDER BY pos LIMIT ?4";

fn list_others(
    conn: &Connection,
    stream: StreamId,
    from: Pos,
    to: Pos,
    limit: usize,
) -> rusqlite::Result<Vec<EventRow>> {
    let mut statement = conn.prepare_cached(OTHERS_SQL)?;
    let found =
        statement.query_map((stream.to_bytes(), bound(from.0), bound(to.0), sql_limit(limit)), event_of)?;
    found.collect()
}

/// Two lists by position into one.
fn merge(one: Vec<EventRow>, other: Vec<EventRow>) -> Vec<EventRow> {
    let mut merged = Vec::with_capacity(one.len() + other.len());
    let (mut one, mut other) = (one.into_iter().peekable(), other.into_iter().peekable());
    loop {
        let order = match (one.peek(), other.peek()) {
            (Some(a), Some(b)) => a.pos.cmp(&b.pos),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => return merged,
        };
        merged.extend(if order == Ordering::Less { one.next() } else { other.next() });
    }
}
