//! The last numbers of every stream, and the marks that senders move by sending.
//!
//! A row per message would cost pages, so head rows and senders' own marks are written late ([`flush`]): until then
//! the newer values stand in the [`Overlay`], and after a crash they are counted again from the events ([`rebuild`]).
//!
//! - The overlay changes after the commit and before anybody hears of it; never by a batch that was rolled back.
//! - An entry leaves it after its flush has committed.
//! - A reader takes its part of the overlay **first** and opens its snapshot after: what left the overlay meanwhile is
//!   in the rows, and the greater `last_log` wins. A stream's rows are then read as they were at its head's position,
//!   for the snapshot may be newer; of the log as a whole, the reader knows everything up to [`Taken::log`].

pub(crate) mod flush;
pub(crate) mod rebuild;

use std::collections::HashMap;

use parking_lot::RwLock;
use rusqlite::{Connection, OptionalExtension, Row};
use tidings_core::conversations::Head;
use tidings_core::ids::{ConversationId, LogId, Pos, Seq, StreamId, UserId};

use crate::rows::{int, log_id, pos, seq, uint};

/// How far a sender has come by sending: all own marks of that interval stand at this message, unless the row has
/// been marked otherwise since.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark {
    /// Which interval of the sender.
    pub from_pos: Pos,
    /// The message.
    pub seq: Seq,
    /// Its `ord`.
    pub ord: u64,
    /// Its place in the log.
    pub log: LogId,
}

/// What is newer than the rows of one stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Dirty {
    pub head: Head,
    pub marks: HashMap<UserId, Mark>,
}

/// Whoever reads rows together with what is newer than they are.
pub(crate) trait Newer {
    /// Everything up to here in the log is in the heads that this gives, or in their rows.
    fn as_of(&self) -> LogId;
    /// A head that may be newer than its row.
    fn head(&self, stream: StreamId) -> Option<Head>;
    /// A sender's mark that may be newer than the membership row.
    fn mark(&self, conversation: ConversationId, user: UserId) -> Option<Mark>;
}

/// What the writer has committed and not yet flushed.
#[derive(Debug)]
pub(crate) struct Overlay(RwLock<State>);

#[derive(Debug)]
struct State {
    log: LogId,
    /// The last commit in which somebody came in or went.
    memberships_log: LogId,
    dirty: HashMap<StreamId, Dirty>,
}

/// A reader's part of the overlay.
#[derive(Debug)]
pub(crate) struct Taken {
    /// The last commit that it knows.
    pub log: LogId,
    dirty: HashMap<StreamId, Dirty>,
}

impl Overlay {
    pub(crate) fn new(log: LogId, dirty: HashMap<StreamId, Dirty>) -> Self {
        Self(RwLock::new(State { log, memberships_log: log, dirty }))
    }

    /// What is newer of these streams, at one moment.
    pub(crate) fn take(&self, streams: &[StreamId]) -> Taken {
        self.0.read().take(streams)
    }

    /// The last commit in which somebody came in or went.
    pub(crate) fn memberships_log(&self) -> LogId {
        self.0.read().memberships_log
    }

    /// The same for streams that were listed when [`Self::memberships_log`] was `listed_at`. When people have come or
    /// gone since, the list may be too short and everything is taken: rare, and some milliseconds at most.
    pub(crate) fn take_listed(&self, streams: &[StreamId], listed_at: LogId) -> Taken {
        let state = self.0.read();
        if state.memberships_log == listed_at {
            state.take(streams)
        } else {
            Taken { log: state.log, dirty: state.dirty.clone() }
        }
    }

    pub(crate) fn get(&self, stream: StreamId) -> Option<Dirty> {
        self.0.read().dirty.get(&stream).cloned()
    }

    pub(crate) fn head(&self, stream: StreamId) -> Option<Head> {
        self.0.read().dirty.get(&stream).map(|dirty| dirty.head)
    }

    pub(crate) fn mark(&self, conversation: ConversationId, user: UserId) -> Option<Mark> {
        let state = self.0.read();
        state.dirty.get(&StreamId::Conversation(conversation))?.marks.get(&user).copied()
    }

    /// Takes over what a commit changed.
    pub(crate) fn merge(&self, log: LogId, staged: HashMap<StreamId, Dirty>, memberships_changed: bool) {
        let mut state = self.0.write();
        state.log = log;
        if memberships_changed {
            state.memberships_log = log;
        }
        for (stream, newer) in staged {
            match state.dirty.get_mut(&stream) {
                Some(dirty) => {
                    dirty.head = newer.head;
                    dirty.marks.extend(newer.marks);
                }
                None => {
                    state.dirty.insert(stream, newer);
                }
            }
        }
    }

    /// Forgets streams whose flush has committed.
    pub(crate) fn forget(&self, streams: &[StreamId]) {
        let mut state = self.0.write();
        for stream in streams {
            state.dirty.remove(stream);
        }
    }

    /// Every stream with an entry.
    pub(crate) fn streams(&self) -> Vec<StreamId> {
        self.0.read().dirty.keys().copied().collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.read().dirty.len()
    }

    /// The last commit.
    pub(crate) fn log(&self) -> LogId {
        self.0.read().log
    }
}

impl State {
    fn take(&self, streams: &[StreamId]) -> Taken {
        let known = |stream: &StreamId| self.dirty.get(stream).map(|dirty| (*stream, dirty.clone()));
        Taken { log: self.log, dirty: streams.iter().filter_map(known).collect() }
    }
}

impl Newer for Taken {
    fn as_of(&self) -> LogId {
        self.log
    }

    fn head(&self, stream: StreamId) -> Option<Head> {
        self.dirty.get(&stream).map(|dirty| dirty.head)
    }

    fn mark(&self, conversation: ConversationId, user: UserId) -> Option<Mark> {
        self.dirty.get(&StreamId::Conversation(conversation))?.marks.get(&user).copied()
    }
}

/// The columns that [`head_of`] reads.
pub(crate) const HEAD: &str = "last_pos, last_seq, last_ord, last_all, last_log, last_sent_log";

/// Reads [`HEAD`] from column `first` on.
pub(crate) fn head_of(row: &Row<'_>, first: usize) -> rusqlite::Result<Head> {
    Ok(Head {
        last_pos: pos(row, first)?,
        last_seq: seq(row, first + 1)?,
        last_ord: uint(row, first + 2)?,
        last_all: uint(row, first + 3)?,
        last_log: log_id(row, first + 4)?,
        last_sent_log: log_id(row, first + 5)?,
    })
}

/// The row, which may be behind.
pub(crate) fn find_row(conn: &Connection, stream: StreamId) -> rusqlite::Result<Option<Head>> {
    let mut statement = conn.prepare_cached(&format!("SELECT {HEAD} FROM head WHERE stream = ?1"))?;
    statement.query_row([stream.to_bytes()], |row| head_of(row, 0)).optional()
}

/// A new stream's row, written in the transaction that makes the stream: what is rebuilt always has a row.
pub(crate) fn insert_row(conn: &Connection, stream: StreamId, head: &Head) -> rusqlite::Result<()> {
    let mut statement = conn.prepare_cached(
        "INSERT INTO head (stream, kind, last_pos, last_seq, last_ord, last_all, last_log, last_sent_log)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?;
    let bytes = stream.to_bytes();
    statement.execute((
        bytes,
        bytes[0],
        int(head.last_pos.0)?,
        int(head.last_seq.0)?,
        int(head.last_ord)?,
        int(head.last_all)?,
        int(head.last_log.0)?,
        int(head.last_sent_log.0)?,
    ))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn stream(n: u128) -> StreamId {
        StreamId::Conversation(ConversationId(Uuid::from_u128(n)))
    }

    fn at(log: u64) -> Dirty {
        Dirty { head: Head { last_log: LogId(log), ..Head::default() }, marks: HashMap::new() }
    }

    #[test]
    fn a_list_of_streams_from_before_a_join_takes_everything() {
        let overlay = Overlay::new(LogId(0), HashMap::new());
        overlay.merge(LogId(1), HashMap::from([(stream(1), at(1))]), false);
        let listed_at = overlay.memberships_log();
        overlay.merge(LogId(2), HashMap::from([(stream(2), at(2))]), false);
        let taken = overlay.take_listed(&[stream(1)], listed_at);
        assert_eq!((taken.log, taken.head(stream(2))), (LogId(2), None));
        overlay.merge(LogId(3), HashMap::from([(stream(2), at(3))]), true);
        let taken = overlay.take_listed(&[stream(1)], listed_at);
        assert_eq!((taken.log, taken.head(stream(2))), (LogId(3), Some(at(3).head)));
    }

    #[test]
    fn what_was_taken_stays_as_it_was() {
        let overlay = Overlay::new(LogId(0), HashMap::new());
        overlay.merge(LogId(1), HashMap::from([(stream(1), at(1))]), false);
        let taken = overlay.take(&[stream(1)]);
        overlay.merge(LogId(2), HashMap::from([(stream(1), at(2))]), false);
        overlay.forget(&[stream(1)]);
        assert_eq!((taken.log, taken.head(stream(1))), (LogId(1), Some(at(1).head)));
        assert_eq!((overlay.len(), overlay.log()), (0, LogId(2)));
    }
}
