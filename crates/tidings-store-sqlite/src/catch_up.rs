//! Catch-up: everything that happened in a user's streams between two places in the log, in pages.
//!
//! Which streams are replayed and which are skipped depends on `(from, through)` alone, so every page of one catch-up
//! says the same. Each page finds the references again and hydrates only its own events.

mod changed;
mod replay;

#[cfg(test)]
pub(crate) use {
    changed::intervals_sql,
    replay::{OTHERS_SQL, SENT_SQL},
};

use rusqlite::OptionalExtension;
use tidings_core::events::{Event, EventBody};
use tidings_core::ids::{LogId, MessageId, Pos, Seq, StreamId, UserId};
use tidings_core::ports::store::{CatchUp, CatchUpPage};

use crate::events::{event_of, fill_page};
use crate::messages::Until;
use crate::rows::{Rows, bound, opt_uint, unreadable};
use changed::Changed;

/// The part of the log that is asked for.
#[derive(Debug, Clone, Copy)]
struct Window {
    /// Without it.
    from: LogId,
    /// With it.
    through: LogId,
}

/// One event of a page, before it is hydrated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Reference {
    log_id: LogId,
    stream: StreamId,
    pos: Pos,
    /// Of a sent event; the others have a row of their own.
    seq: Option<Seq>,
    /// An interval of the user begins with it.
    begins: bool,
    /// Of one who left.
    until: Option<Until>,
}

/// One page; nothing when more streams changed than are replayed.
pub(crate) fn catch_up(rows: Rows<'_>, ask: &CatchUp) -> rusqlite::Result<Option<CatchUpPage>> {
    let window =
        Window { from: ask.from, through: ask.through.unwrap_or(LogId(u64::MAX)).min(rows.newer.as_of()) };
    let changed = changed::list(rows, ask.user, window)?;
    // At the end of the log a changed head is a changed stream, and nothing has to be read to know that.
    if ask.through.is_none() && changed.len() > ask.streams_max {
        return Ok(None);
    }
    let (mut references, mut skipped, mut streams) = (Vec::new(), Vec::new(), 0);
    for stream in &changed {
        let until = until(rows, ask.user, stream)?;
        match replay::replay(rows, stream, until, window, ask.stream_events_max)? {
            replay::Replay::Unchanged => continue,
            replay::Replay::Events(found) => references.extend(found),
            replay::Replay::Skipped(stream) => skipped.push(stream),
        }
        streams += 1;
    }
    if streams > ask.streams_max {
        return Ok(None);
    }
    references.retain(|reference| reference.log_id > ask.done_through);
    references.sort_unstable_by_key(|reference| reference.log_id);
    let hydrated = references.iter().map(|reference| hydrate(rows, ask.user, reference));
    let events = fill_page(ask.page_max, hydrated)?;
    let has_more = references.len() > events.len();
    let last = events.last().filter(|_| has_more);
    let done_through = last.map_or(window.through, |last| last.log_id);
    Ok(Some(CatchUpPage { events, done_through, has_more, skipped, through: window.through }))
}

/// Who is in the stream is nearly everybody: nothing is read for them.
fn until(rows: Rows<'_>, user: UserId, changed: &Changed) -> rusqlite::Result<Option<Until>> {
    match changed.stream {
        StreamId::Conversation(conversation) if !changed.ends_open() => rows.until(conversation, user),
        _ => Ok(None),
    }
}

fn hydrate(rows: Rows<'_>, user: UserId, reference: &Reference) -> rusqlite::Result<Event> {
    let Reference { log_id, stream, pos, .. } = *reference;
    let mut event = match (reference.seq, stream) {
        (Some(seq), StreamId::Conversation(conversation)) => {
            let message = rows.named_message(MessageId { conversation, seq }, reference.until)?;
            let (at, actor) = (message.created_at, message.sender);
            Event { log_id, stream, pos, span: 1, at, actor, body: EventBody::MessageSent(message.into()) }
        }
        (Some(_), StreamId::User(_)) => return Err(unreadable(0, "a message in a user's stream")),
        (None, _) => {
            let mut statement = rows.conn.prepare_cached(
                "SELECT log_id, stream, pos, kind, actor, at, ref, data FROM event WHERE log_id = ?1",
            )?;
            let event = statement.query_row([bound(log_id.0)], event_of)?;
            rows.shown_to(user, rows.hydrate(&event, reference.until)?)?
        }
    };
    if reference.begins
        && let Some(before) = end_before(rows, user, stream, pos)?
    {
        // What lies between the last leaving and this joining is not the user's to see.
        event.span = pos.0 - before.0;
    }
    Ok(event)
}

/// The end of the user's interval before the one that begins at `pos`.
fn end_before(rows: Rows<'_>, user: UserId, stream: StreamId, pos: Pos) -> rusqlite::Result<Option<Pos>> {
    let StreamId::Conversation(conversation) = stream else { return Ok(None) };
    let mut statement = rows.conn.prepare_cached(
        "SELECT to_pos FROM membership WHERE conversation = ?1 AND user = ?2 AND from_pos < ?3
         ORDER BY from_pos DESC LIMIT 1",
    )?;
    let key = (conversation.as_bytes(), user.as_bytes(), bound(pos.0));
    let found = statement.query_row(key, |row| opt_uint(row, 0)).optional()?;
    Ok(found.flatten().map(Pos))
}
