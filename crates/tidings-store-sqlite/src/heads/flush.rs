//! Writing heads and senders' marks to their rows, a piece at a time, between two batches.
//!
//! A round begins with the streams that are dirty and the end of the log at that moment. When all of them are written,
//! every event up to there is in the rows, and `meta.heads_log` says so: a start rebuilds from there.

use rusqlite::Connection;
use tidings_core::ids::{LogId, StreamId};

use super::{Dirty, Overlay};
use crate::meta;
use crate::rows::int;

/// Heads in one transaction: sends wait for it, so it is a few milliseconds' work, also where each has a page of its
/// own and so have its senders' marks.
const FLUSH_HEADS_MAX: usize = 128;

/// One pass over everything that was dirty when it began.
#[derive(Debug)]
pub(crate) struct Round {
    log: LogId,
    left: Vec<StreamId>,
}

/// The streams whose rows one piece has written; after the commit the overlay forgets them.
#[derive(Debug)]
pub(crate) struct Piece {
    pub streams: Vec<StreamId>,
    pub done: bool,
}

impl Round {
    pub(crate) fn begin(overlay: &Overlay) -> Self {
        let mut left = overlay.streams();
        // Neighbours in the table share pages.
        left.sort_unstable();
        Self { log: overlay.log(), left }
    }

    /// Everything up to here is in the rows when the round is over.
    pub(crate) fn log(&self) -> LogId {
        self.log
    }

    /// Writes the next piece, within a transaction that the caller commits.
    pub(crate) fn write(&self, conn: &Connection, overlay: &Overlay) -> rusqlite::Result<Piece> {
        let cut = self.left.len().saturating_sub(FLUSH_HEADS_MAX);
        let streams = self.left[cut..].to_vec();
        for stream in &streams {
            if let Some(dirty) = overlay.get(*stream) {
                write_dirty(conn, *stream, &dirty)?;
            }
        }
        let done = cut == 0;
        if done {
            meta::set(conn, "heads_log", int(self.log.0)?)?;
            meta::set(conn, "log_id_max", int(overlay.log().0)?)?;
        }
        Ok(Piece { streams, done })
    }

    /// The piece has been committed.
    pub(crate) fn advance(&mut self, piece: &Piece) {
        self.left.truncate(self.left.len() - piece.streams.len());
    }
}

/// Writes one stream's head and its senders' marks. A mark that was set otherwise meanwhile stays.
fn write_dirty(conn: &Connection, stream: StreamId, dirty: &Dirty) -> rusqlite::Result<()> {
    let mut statement = conn.prepare_cached(
        "UPDATE head SET last_pos = ?2, last_seq = ?3, last_ord = ?4, last_all = ?5, last_log = ?6,
                last_sent_log = ?7
         WHERE stream = ?1",
    )?;
    let head = &dirty.head;
    statement.execute((
        stream.to_bytes(),
        int(head.last_pos.0)?,
        int(head.last_seq.0)?,
        int(head.last_ord)?,
        int(head.last_all)?,
        int(head.last_log.0)?,
        int(head.last_sent_log.0)?,
    ))?;
    let StreamId::Conversation(conversation) = stream else { return Ok(()) };
    let mut statement = conn.prepare_cached(
        "UPDATE membership SET read_seq = ?4, read_ord = ?5, public_read_seq = max(public_read_seq, ?4),
                delivered_seq = max(delivered_seq, ?4), marks_log = ?6
         WHERE conversation = ?1 AND user = ?2 AND from_pos = ?3 AND marks_log < ?6",
    )?;
    for (user, mark) in &dirty.marks {
        statement.execute((
            conversation.as_bytes(),
            user.as_bytes(),
            int(mark.from_pos.0)?,
            int(mark.seq.0)?,
            int(mark.ord)?,
            int(mark.log.0)?,
        ))?;
    }
    Ok(())
}
