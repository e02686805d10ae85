//! The log and its streams, as a store keeps them.

use async_trait::async_trait;

use crate::error::StoreError;
use crate::events::Event;
use crate::ids::{ConversationId, Epoch, LogId, MessageId, Pos, Seq, StreamId, UserId};

/// One interval of one user, as delivery needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interval {
    /// Who.
    pub user: UserId,
    /// The first position that is theirs.
    pub from_pos: Pos,
    /// The last one, if they went.
    pub to_pos: Option<Pos>,
}

/// A stream of which a catch-up replays nothing: the device drops its window and loads it again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SkippedStream {
    /// Which.
    pub stream: StreamId,
    /// Its last position that is the user's to see.
    pub pos: Pos,
    /// Its last message that is the user's to see.
    pub last_seq: Seq,
}

/// What a device has to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatchUpPage {
    /// In log order, hydrated, not yet folded; all of them at or below `through`.
    pub events: Vec<Event>,
    /// Everything that the user was due up to here is in this page or one before.
    pub done_through: LogId,
    /// There are more pages.
    pub has_more: bool,
    /// Streams with more events than are replayed. The same in every page of one catch-up.
    pub skipped: Vec<SkippedStream>,
    /// The end of this catch-up: what comes after it comes live.
    pub through: LogId,
}

/// How much a page of events holds. One event is given whatever its size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageMax {
    /// Events.
    pub events: usize,
    /// Their bytes, by [`Event::bytes`].
    pub bytes: usize,
}

impl PageMax {
    /// As many events, of any size.
    #[must_use]
    pub const fn events(events: usize) -> Self {
        Self { events, bytes: usize::MAX }
    }
}

/// The part of the log that a catch-up asks for.
#[derive(Debug, Clone, Copy)]
pub struct CatchUp {
    /// Whose streams.
    pub user: UserId,
    /// The device has everything up to here.
    pub from: LogId,
    /// Where the first page ended the catch-up; nothing for the first page, which takes the end of what it sees.
    pub through: Option<LogId>,
    /// Pages before this one went up to here; `from` for the first.
    pub done_through: LogId,
    /// How much a page holds.
    pub page_max: PageMax,
    /// With more events a stream is skipped.
    pub stream_events_max: usize,
    /// With more changed streams the device has to start over.
    pub streams_max: usize,
}

/// The events of one stream that a user may see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamPage {
    /// By `pos`; each span reaches back to the one before, over what is not the user's to see.
    pub events: Vec<Event>,
    /// There are more.
    pub has_more: bool,
}

/// Why a stream cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReadStreamError {
    /// The user never was in it.
    #[error("not found")]
    NotFound,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The log and its streams.
#[async_trait]
pub trait EventStore: Send + Sync + 'static {
    /// Names this data set.
    fn epoch(&self) -> Epoch;

    /// The installation's secret, made with the data set: ids, MACs and refresh tokens are derived from it.
    fn id_secret(&self) -> [u8; 32];

    /// The last place in the log, and the place up to which it has been pruned (0: nothing was).
    async fn log_bounds(&self) -> Result<(LogId, LogId), StoreError>;

    /// Whether the data can be read at this moment: reads a row, as any other read would, and so may be refused as
    /// overloaded. Fails also when a failure before has left a store of which nothing may be acknowledged any more.
    async fn check_readable(&self) -> Result<(), StoreError>;

    /// Events after a place in the log, hydrated, in log order, at most `limit`.
    async fn list_log(&self, after: LogId, limit: usize) -> Result<Vec<Event>, StoreError>;

    /// Events of a stream with `after < pos ≤ through`, for a node's own repair, whoever may see them: the first of
    /// them, at most 10,000 and of a bounded size, at least one if there is one. Who needs all asks again after the
    /// last.
    async fn list_stream_range(
        &self,
        stream: StreamId,
        after: Pos,
        through: Pos,
    ) -> Result<Vec<Event>, StoreError>;

    /// Events of a stream after a position, as far as the user may see them: of what happened to a message that is not
    /// theirs to read they get [`EventBody::Withheld`](crate::events::EventBody::Withheld), here as in
    /// [`Self::catch_up`].
    async fn list_stream(
        &self,
        user: UserId,
        stream: StreamId,
        after: Pos,
        page_max: PageMax,
    ) -> Result<StreamPage, ReadStreamError>;

    /// The intervals of each conversation that had not ended at or before a place in the log, in one look.
    async fn load_rosters(
        &self,
        conversations: &[ConversationId],
        ended_after: LogId,
    ) -> Result<Vec<Vec<Interval>>, StoreError>;

    /// Who came in after position `after` and by `through`, and may not read the message all the same, sorted: to them
    /// nothing is said of what happens to it. It was sent at `after`.
    async fn list_barred(
        &self,
        message: MessageId,
        after: Pos,
        through: Pos,
    ) -> Result<Vec<UserId>, StoreError>;

    /// A page of everything that happened in the user's streams; nothing when more streams changed than are replayed.
    async fn catch_up(&self, catch_up: CatchUp) -> Result<Option<CatchUpPage>, StoreError>;
}
