//! After a start: heads and marks that no flush has written, counted again from the events after `meta.heads_log`.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use rusqlite::{Connection, OptionalExtension};
use tidings_core::conversations::Head;
use tidings_core::ids::{ConversationId, LogId, Pos, StreamId, UserId};

use super::{Dirty, Mark, find_row};
use crate::events::{EventRow, Kind, SentData, event_of};
use crate::meta;
use crate::rows::{bound, pos};

/// What a start has counted.
#[derive(Debug)]
pub(crate) struct Rebuilt {
    /// The last place in the log that was ever given.
    pub log: LogId,
    /// Every event up to here is in the rows.
    pub flushed: LogId,
    /// What the rows do not have. The writer flushes it like what it has just committed: to write it here would make
    /// every start after a crash wait for thousands of scattered pages.
    pub dirty: HashMap<StreamId, Dirty>,
}

/// Reads what no flush has written: what was committed in one round of flushing, and in the rounds of earlier processes
/// that were killed before their first.
pub(crate) fn rebuild(conn: &Connection) -> rusqlite::Result<Rebuilt> {
    let snapshot = conn.unchecked_transaction()?;
    let flushed = LogId(meta::number(conn, "heads_log")?);
    let mut dirty: HashMap<StreamId, Dirty> = HashMap::new();
    // The log's maximum outlives its events: ids are never given twice, also when the log was pruned.
    let mut log = flushed.max(LogId(meta::number(conn, "log_id_max")?));
    {
        let mut statement = conn.prepare(
            "SELECT log_id, stream, pos, kind, actor, at, ref, data FROM event WHERE log_id > ?1 ORDER BY log_id",
        )?;
        let mut rows = statement.query([bound(flushed.0)])?;
        while let Some(row) = rows.next()? {
            let event = event_of(row)?;
            log = log.max(event.log_id);
            apply(conn, &mut dirty, &event)?;
        }
    }
    snapshot.finish()?;
    Ok(Rebuilt { log, flushed, dirty })
}

fn apply(conn: &Connection, dirty: &mut HashMap<StreamId, Dirty>, event: &EventRow) -> rusqlite::Result<()> {
    let entry = match dirty.entry(event.stream) {
        Entry::Occupied(known) => known.into_mut(),
        Entry::Vacant(new) => {
            let head = find_row(conn, event.stream)?.unwrap_or_default();
            new.insert(Dirty { head, marks: HashMap::new() })
        }
    };
    if event.log_id > entry.head.last_log {
        advance(&mut entry.head, event)?;
    }
    // The marks have a row of their own, with a log id of its own: the flush leaves a newer one as it is.
    if let (Kind::Sent, StreamId::Conversation(conversation)) = (event.kind, event.stream) {
        let from_pos = interval_at(conn, conversation, event.actor, event.pos)?;
        if let Some(from_pos) = from_pos {
            let sent = SentData::decode(event)?;
            let mark = Mark { from_pos, seq: event.seq()?, ord: sent.ord, log: event.log_id };
            entry.marks.insert(event.actor, mark);
        }
    }
    Ok(())
}

fn advance(head: &mut Head, event: &EventRow) -> rusqlite::Result<()> {
    head.last_pos = event.pos;
    head.last_log = event.log_id;
    if event.kind == Kind::Sent {
        let sent = SentData::decode(event)?;
        head.last_seq = event.seq()?;
        head.last_ord = sent.ord;
        head.last_all += u64::from(sent.to_all);
        head.last_sent_log = event.log_id;
    }
    Ok(())
}

fn interval_at(
    conn: &Connection,
    conversation: ConversationId,
    user: UserId,
    at: Pos,
) -> rusqlite::Result<Option<Pos>> {
    let mut statement = conn.prepare_cached(
        "SELECT from_pos FROM membership WHERE conversation = ?1 AND user = ?2 AND from_pos <= ?3
         ORDER BY from_pos DESC LIMIT 1",
    )?;
    let key = (conversation.as_bytes(), user.as_bytes(), bound(at.0));
    statement.query_row(key, |row| pos(row, 0)).optional()
}
