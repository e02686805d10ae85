//! Truth: state, events, and the intentions that change them.
//!
//! Every intention is **atomic** (state, event, idempotency row and counters in one commit), **durable** when it
//! answers, **authorised by itself** (membership, role and session are looked at inside the transaction, so one who was
//! removed a commit earlier cannot write), and **dense** (positions and `seq` are given in the transaction, without
//! holes). Its refusals are data: they never fail a neighbour in the same batch. Applying its events to the state
//! before gives the state after. On [`StoreError::OutcomeUnknown`] it may stand or not, and may be repeated.
//!
//! Reads see everything that was answered before they were asked (read your own writes).
//!
//! To add an intention: a method on its noun's trait, the same file in every store, a test in the contract suite.

use async_trait::async_trait;

use crate::accounts::{self, Credentials, PasswordHash, User};
use crate::clock::Timestamp;
use crate::conversations::{
    self, ConversationCursor, ConversationFilter, ConversationKind, ConversationPage, ConversationView,
    CreatedConversation, Participant, ParticipantCursor, ParticipantPage,
};
use crate::error::StoreError;
use crate::events::Event;
use crate::idempotency::{KeyedRequest, RequestMac};
use crate::ids::{
    AppId, ClientMessageId, ConversationId, Epoch, LogId, MessageId, Pos, Seq, SessionId, UserId,
};
use crate::messages::{self, HistoryAnchor, HistoryPage, Message, MessageKind, Sent};
use crate::sessions::{self, Actor, RefreshTokenHash, Session};

/// Everything a store does.
pub trait Store: AccountStore + SessionStore + ConversationStore + MessageStore + EventStore {}

impl<T: AccountStore + SessionStore + ConversationStore + MessageStore + EventStore> Store for T {}

/// Users.
#[async_trait]
pub trait AccountStore: Send + Sync + 'static {
    /// Stores a new user and the event of it at position 1 of the user's own stream.
    ///
    /// # Errors
    /// [`accounts::Error::UsernameTaken`], [`accounts::Error::EmailTaken`]: of two at once one wins.
    async fn insert_user(&self, user: &User, password: &PasswordHash) -> Result<(), accounts::Error>;

    /// A user of the app.
    async fn find_user(&self, app: AppId, id: UserId) -> Result<Option<User>, StoreError>;

    /// A user by username or e-mail address, both in lower case. A username never has an `@`.
    async fn find_credentials(&self, app: AppId, login: &str) -> Result<Option<Credentials>, StoreError>;
}

/// A refresh token that wants to become the next one.
#[derive(Debug, Clone, Copy)]
pub struct Rotation {
    /// What the device sent.
    pub presented: RefreshTokenHash,
    /// What it gets.
    pub next: RefreshTokenHash,
    /// The present.
    pub now: Timestamp,
    /// When the next one expires.
    pub expires_at: Timestamp,
    /// A token that was rotated at or after this moment is answered again with the same next one.
    pub grace_from: Timestamp,
}

/// A session that was ended while access tokens of it may still be about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Revocation {
    /// Which.
    pub session: SessionId,
    /// When the last of its access tokens expires.
    pub until: Timestamp,
}

/// Sessions and revocations.
#[async_trait]
pub trait SessionStore: Send + Sync + 'static {
    /// Stores a new session. Silent: nobody else's devices show it.
    async fn insert_session(&self, session: &Session, refresh: RefreshTokenHash) -> Result<(), StoreError>;

    /// Puts the next refresh token in the place of the presented one.
    ///
    /// # Errors
    /// [`sessions::Error::RefreshTokenInvalid`] for an unknown one, [`sessions::Error::RefreshTokenExpired`],
    /// [`sessions::Error::Ended`]; [`sessions::Error::Reused`] for one that was rotated before `grace_from`: then the
    /// session ends in the same commit, as by [`Self::end_session`].
    async fn rotate_refresh_token(&self, rotation: Rotation) -> Result<Session, sessions::Error>;

    /// Ends a session, with a revocation and an event in the user's stream. Twice is once.
    async fn end_session(
        &self,
        user: UserId,
        session: SessionId,
        now: Timestamp,
        tokens_until: Timestamp,
    ) -> Result<(), StoreError>;

    /// Revocations that still matter at `now`.
    async fn list_revocations(&self, now: Timestamp) -> Result<Vec<Revocation>, StoreError>;
}

/// A conversation to be stored.
#[derive(Debug, Clone)]
pub struct NewConversation {
    /// Who makes it; owner of a group, the one of a self conversation.
    pub actor: Actor,
    /// Derived for direct and self.
    pub id: ConversationId,
    /// What kind.
    pub kind: ConversationKind,
    /// For groups.
    pub title: Option<String>,
    /// The others, in the order of the request; repetitions and the actor are folded away.
    pub users: Vec<UserId>,
    /// The idempotency key, if there was one.
    pub request: Option<KeyedRequest>,
    /// The present.
    pub now: Timestamp,
}

/// People to be added.
#[derive(Debug, Clone)]
pub struct AddParticipants {
    /// Who adds.
    pub actor: Actor,
    /// To which group.
    pub conversation: ConversationId,
    /// Whom, in the order of the request.
    pub users: Vec<UserId>,
    /// How many a conversation holds.
    pub participants_max: usize,
    /// The idempotency key, if there was one.
    pub request: Option<KeyedRequest>,
    /// The present.
    pub now: Timestamp,
}

/// Somebody to be taken out; the actor's own self to leave.
#[derive(Debug, Clone)]
pub struct RemoveParticipant {
    /// Who asks.
    pub actor: Actor,
    /// Of which group.
    pub conversation: ConversationId,
    /// Who goes.
    pub user: UserId,
    /// The present.
    pub now: Timestamp,
}

/// Conversations and memberships.
#[async_trait]
pub trait ConversationStore: Send + Sync + 'static {
    /// Stores a conversation with its people at position 1, or finds the one with this id or this idempotency key.
    /// Twenty at once make one.
    ///
    /// # Errors
    /// [`conversations::Error::UnknownUsers`] with the pointer `/userId` or `/userIds/n` (users of another app are
    /// unknown), [`conversations::Error::IdempotencyKeyReused`], [`conversations::Error::SessionEnded`].
    async fn insert_conversation(
        &self,
        new: NewConversation,
    ) -> Result<CreatedConversation, conversations::Error>;

    /// A conversation as the viewer sees it, clipped to the viewer's intervals; none to strangers.
    async fn find_conversation(
        &self,
        viewer: UserId,
        id: ConversationId,
    ) -> Result<Option<ConversationView>, StoreError>;

    /// The conversations that the viewer is in, latest message first.
    async fn list_conversations(
        &self,
        viewer: UserId,
        filter: ConversationFilter,
        after: Option<ConversationCursor>,
        limit: usize,
    ) -> Result<ConversationPage, StoreError>;

    /// Who is in, by `(from_pos, user)`; to one who left: who was in at the leaving.
    ///
    /// # Errors
    /// [`conversations::Error::NotFound`] to strangers.
    async fn list_participants(
        &self,
        viewer: UserId,
        conversation: ConversationId,
        after: Option<ParticipantCursor>,
        limit: usize,
    ) -> Result<ParticipantPage, conversations::Error>;

    /// Opens an interval, with an event each, for those who are not in. Gives all of the request as they stand.
    ///
    /// # Errors
    /// Nobody is added: [`conversations::Error::NotFound`] to strangers, `NotParticipant`, `Forbidden`,
    /// `FixedParticipants`, `UnknownUsers`, `TooManyParticipants`, `IdempotencyKeyReused`, `SessionEnded`.
    async fn add_participants(&self, add: AddParticipants) -> Result<Vec<Participant>, conversations::Error>;

    /// Closes an interval, with an event. Who is out already stays out.
    ///
    /// # Errors
    /// [`conversations::Error::NotFound`] to strangers and for who never was in; `NotParticipant` to an ex-member
    /// that would remove another, `Forbidden` unless the actor's role is above theirs, `LastOwner`,
    /// `FixedParticipants`, `SessionEnded`.
    async fn remove_participant(&self, remove: RemoveParticipant) -> Result<(), conversations::Error>;
}

/// A message to be stored.
#[derive(Debug, Clone)]
pub struct AppendMessage {
    /// Who sends.
    pub actor: Actor,
    /// Where to.
    pub conversation: ConversationId,
    /// Under which key it may be retried.
    pub client_id: ClientMessageId,
    /// Tells a retry from another message under the same key.
    pub request_mac: RequestMac,
    /// What kind.
    pub kind: MessageKind,
    /// The text.
    pub content: String,
    /// The sender's own JSON object, compact.
    pub metadata: Option<String>,
    /// The present.
    pub now: Timestamp,
}

/// Messages.
#[async_trait]
pub trait MessageStore: Send + Sync + 'static {
    /// Stores a message at the next `pos` and `seq`, moves the sender's own marks with it, and writes one stream only.
    /// A retry by `(client_id, conversation, sender)` gets the original, also after its sender was removed. The place
    /// in the store's queue is taken before this first waits.
    ///
    /// # Errors
    /// [`messages::Error::NotFound`] to strangers, `NotParticipant`, `Forbidden`, `ClientMessageIdReused`,
    /// `SessionEnded`.
    async fn append_message(&self, append: AppendMessage) -> Result<Sent, messages::Error>;

    /// A page of what the viewer may read: the union of the viewer's intervals.
    ///
    /// # Errors
    /// [`messages::Error::NotFound`] to strangers.
    async fn list_messages(
        &self,
        viewer: UserId,
        conversation: ConversationId,
        anchor: HistoryAnchor,
        limit: usize,
    ) -> Result<HistoryPage, messages::Error>;

    /// A message that the viewer may read.
    async fn find_message(&self, viewer: UserId, id: MessageId) -> Result<Option<Message>, StoreError>;
}

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
    pub stream: crate::ids::StreamId,
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

    /// Events of a stream with `after < pos ≤ through`, for a node's own repair, whoever may see them: the first of them,
    /// at most 10,000 and of a bounded size, at least one if there is one. Who needs all asks again after the last.
    async fn list_stream_range(
        &self,
        stream: crate::ids::StreamId,
        after: Pos,
        through: Pos,
    ) -> Result<Vec<Event>, StoreError>;

    /// Events of a stream after a position, as far as the user may see them.
    async fn list_stream(
        &self,
        user: UserId,
        stream: crate::ids::StreamId,
        after: Pos,
        page_max: PageMax,
    ) -> Result<StreamPage, ReadStreamError>;

    /// The intervals of each conversation that had not ended at or before a place in the log, in one look.
    async fn load_rosters(
        &self,
        conversations: &[ConversationId],
        ended_after: LogId,
    ) -> Result<Vec<Vec<Interval>>, StoreError>;

    /// A page of everything that happened in the user's streams; nothing when more streams changed than are replayed.
    async fn catch_up(&self, catch_up: CatchUp) -> Result<Option<CatchUpPage>, StoreError>;
}
