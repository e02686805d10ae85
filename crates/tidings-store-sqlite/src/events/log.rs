//! The log and its streams, as nodes and devices read them.

use async_trait::async_trait;
use tidings_core::error::StoreError;
use tidings_core::events::Event;
use tidings_core::ids::{ConversationId, Epoch, LogId, MessageId, Pos, StreamId, UserId};
use tidings_core::ports::store::{
    CatchUp, CatchUpPage, EventStore, Interval, PageMax, ReadStreamError, StreamPage,
};

use super::{EventRow, event_of, fill_page, roster};
use crate::SqliteStore;
use crate::catch_up;
use crate::meta;
use crate::read::Reader;
use crate::rows::{Rows, bound, limit as sql_limit};
use crate::write::Failure;

#[async_trait]
impl EventStore for SqliteStore {
    fn epoch(&self) -> Epoch {
        self.identity.epoch
    }

    fn id_secret(&self) -> [u8; 32] {
        self.identity.id_secret
    }

    async fn log_bounds(&self) -> Result<(LogId, LogId), StoreError> {
        Ok((self.overlay.log(), self.floor))
    }

    async fn check_readable(&self) -> Result<(), StoreError> {
        if self.writer.is_poisoned() {
            return Err(StoreError::Failed);
        }
        self.readers
            .read(|reader| {
                let snapshot = reader.snapshot(&[])?;
                let epoch: Option<[u8; 16]> = meta::get(snapshot.rows().conn, "epoch")?;
                epoch.map(drop).ok_or_else(|| rusqlite::Error::QueryReturnedNoRows.into())
            })
            .await
    }

    async fn list_log(&self, after: LogId, limit: usize) -> Result<Vec<Event>, StoreError> {
        self.readers.read_for_delivery(move |reader| Ok(list_log(reader, after, limit)?)).await
    }

    async fn list_stream_range(
        &self,
        stream: StreamId,
        after: Pos,
        through: Pos,
    ) -> Result<Vec<Event>, StoreError> {
        self.readers
            .read_for_delivery(move |reader| Ok(list_stream_range(reader, stream, after, through)?))
            .await
    }

    async fn list_stream(
        &self,
        user: UserId,
        stream: StreamId,
        after: Pos,
        page_max: PageMax,
    ) -> Result<StreamPage, ReadStreamError> {
        self.readers.read(move |reader| list_stream(reader, user, stream, after, page_max)).await
    }

    async fn load_rosters(
        &self,
        conversations: &[ConversationId],
        ended_after: LogId,
    ) -> Result<Vec<Vec<Interval>>, StoreError> {
        let conversations = conversations.to_vec();
        self.readers
            .read_for_delivery(move |reader| {
                let snapshot = reader.snapshot(&[])?;
                let conn = snapshot.rows().conn;
                let load = |conversation: &ConversationId| roster::load(conn, *conversation, ended_after);
                Ok(conversations.iter().map(load).collect::<Result<_, _>>()?)
            })
            .await
    }

    async fn list_barred(
        &self,
        message: MessageId,
        after: Pos,
        through: Pos,
    ) -> Result<Vec<UserId>, StoreError> {
        self.readers
            .read_for_delivery(move |reader| {
                let snapshot = reader.snapshot(&[])?;
                Ok(roster::list_barred(snapshot.rows().conn, message, after, through)?)
            })
            .await
    }

    async fn catch_up(&self, catch_up: CatchUp) -> Result<Option<CatchUpPage>, StoreError> {
        self.readers
            .read(move |reader| Ok(catch_up::catch_up(reader.user(catch_up.user)?.rows(), &catch_up)?))
            .await
    }
}

/// What a gap repair is given at a time. It asks again from the last position that it got.
const RANGE_MAX: PageMax = PageMax { events: 10_000, bytes: 16 * 1024 * 1024 };

fn list_stream_range(
    reader: &Reader<'_>,
    stream: StreamId,
    after: Pos,
    through: Pos,
) -> rusqlite::Result<Vec<Event>> {
    let snapshot = reader.snapshot(&[stream])?;
    let rows = snapshot.rows();
    let found = rows.stream_range(stream, Pos(after.0.saturating_add(1)), through, RANGE_MAX.events)?;
    fill_page(RANGE_MAX, found.iter().map(|event| rows.hydrate_as_committed(event)))
}

/// The log only grows, so which streams the page is about can be asked before the overlay is taken.
fn list_log(reader: &Reader<'_>, after: LogId, limit: usize) -> rusqlite::Result<Vec<Event>> {
    let mut streams: Vec<StreamId> = {
        let outside = reader.snapshot(&[])?;
        let found = list_log_rows(outside.rows(), after, limit)?;
        found.iter().map(|event| event.stream).collect()
    };
    streams.sort_unstable();
    streams.dedup();
    let snapshot = reader.snapshot(&streams)?;
    let rows = snapshot.rows();
    list_log_rows(rows, after, limit)?.iter().map(|event| rows.hydrate_as_committed(event)).collect()
}

fn list_log_rows(rows: Rows<'_>, after: LogId, limit: usize) -> rusqlite::Result<Vec<EventRow>> {
    let mut statement = rows.conn.prepare_cached(
        "SELECT log_id, stream, pos, kind, actor, at, ref, data FROM event
         WHERE log_id > ?1 AND log_id <= ?2 ORDER BY log_id LIMIT ?3",
    )?;
    let key = (bound(after.0), bound(rows.newer.as_of().0), sql_limit(limit));
    let found = statement.query_map(key, event_of)?;
    found.collect()
}

fn list_stream(
    reader: &Reader<'_>,
    user: UserId,
    stream: StreamId,
    after: Pos,
    page_max: PageMax,
) -> Result<StreamPage, Failure<ReadStreamError>> {
    let snapshot = reader.snapshot(&[stream])?;
    let rows = snapshot.rows();
    match stream {
        StreamId::Conversation(conversation) => {
            let Some(head) = rows.head(stream)? else {
                return Err(Failure::Refused(ReadStreamError::NotFound));
            };
            let intervals = rows.intervals(conversation, user, head.last_pos)?;
            if intervals.is_empty() {
                return Err(Failure::Refused(ReadStreamError::NotFound));
            }
            let spans: Vec<_> =
                intervals.iter().map(|interval| (interval.from_pos, interval.to_pos)).collect();
            Ok(rows.stream_page(user, stream, &spans, after, page_max)?)
        }
        StreamId::User(owner) if owner == user => {
            Ok(rows.stream_page(user, stream, &[(Pos(1), None)], after, page_max)?)
        }
        StreamId::User(_) => Err(Failure::Refused(ReadStreamError::NotFound)),
    }
}
