//! The one way to write: a body runs in the batch's transaction and gives a [`Change`], which is an answer with at
//! least one event, or without any and with a reason.
//!
//! Positions are given by [`Tx`] alone, and [`Tx::settle`] compares them with the drafts: a verb can neither forget its
//! event nor leave a hole. A body may run again after a rollback, so it changes nothing but through its [`Tx`].

mod request;

use std::collections::HashMap;

use rusqlite::Connection;
use tidings_core::clock::Timestamp;
use tidings_core::conversations::Head;
use tidings_core::events::{Event, EventBody};
use tidings_core::fail_points::{FailPoint, reached};
use tidings_core::ids::{ConversationId, LogId, Pos, Seq, SessionId, StreamId, UserId};

use crate::events;
use crate::heads::{self, Dirty, Mark, Newer};
use crate::rows::{Rows, later};
use crate::state::{Memory, Sender, Staged};

pub(crate) use request::{Request, Waiting};

/// A place for one event, given by [`Tx`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub stream: StreamId,
    pub pos: Pos,
    pub log_id: LogId,
}

/// The numbers of a new message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MessagePlace {
    pub place: Place,
    pub seq: Seq,
    pub ord: u64,
}

/// An event that is not committed yet.
#[derive(Debug, Clone)]
pub(crate) struct Draft {
    pub place: Place,
    pub actor: UserId,
    pub at: Timestamp,
    pub body: EventBody,
}

impl Draft {
    pub(crate) fn into_event(self) -> Event {
        let Place { stream, pos, log_id } = self.place;
        Event { log_id, stream, pos, span: 1, at: self.at, actor: self.actor, body: self.body }
    }
}

/// What a body did.
#[derive(Debug)]
pub(crate) struct Change<T> {
    value: T,
    extent: Extent,
}

#[derive(Debug)]
enum Extent {
    Events(Vec<Draft>),
    Silent,
    Nothing,
}

impl<T> Change<T> {
    /// Rows, and the events that tell of them, in the order of their places.
    pub(crate) fn with(value: T, first: Draft, rest: impl IntoIterator<Item = Draft>) -> Self {
        Self { value, extent: Extent::Events(std::iter::once(first).chain(rest).collect()) }
    }

    /// Rows that nobody is to be told of, for this reason.
    pub(crate) fn silent(value: T, _reason: &'static str) -> Self {
        Self { value, extent: Extent::Silent }
    }

    /// No row was written: it stands already.
    pub(crate) fn nothing(value: T) -> Self {
        Self { value, extent: Extent::Nothing }
    }
}

/// Why a body, or a read, gave nothing.
#[derive(Debug)]
pub(crate) enum Failure<E> {
    /// A rule says no. Nothing was written.
    Refused(E),
    /// It should not have happened.
    Unexpected(Unexpected),
}

/// What should not have happened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unexpected {
    #[error(transparent)]
    Sql(#[from] rusqlite::Error),
    /// A body broke the rules of this file.
    #[error("{0}")]
    Broken(&'static str),
}

impl<E> From<rusqlite::Error> for Failure<E> {
    fn from(error: rusqlite::Error) -> Self {
        Self::Unexpected(error.into())
    }
}

impl<E> From<Unexpected> for Failure<E> {
    fn from(error: Unexpected) -> Self {
        Self::Unexpected(error)
    }
}

/// The transaction of a batch, as one request sees it: after all requests before it.
pub(crate) struct Tx<'a> {
    pub conn: &'a Connection,
    memory: &'a mut Memory,
    staged: &'a mut Staged,
    given: Vec<Place>,
    changes_before: u64,
}

impl<'a> Tx<'a> {
    pub(crate) fn new(conn: &'a Connection, memory: &'a mut Memory, staged: &'a mut Staged) -> Self {
        let changes_before = conn.total_changes();
        Self { conn, memory, staged, given: Vec::new(), changes_before }
    }

    /// Reads as of this request.
    pub(crate) fn rows(&self) -> Rows<'_> {
        Rows { conn: self.conn, newer: self }
    }

    /// The last numbers of a stream, with what this batch has done.
    pub(crate) fn head(&self, stream: StreamId) -> rusqlite::Result<Option<Head>> {
        match Newer::head(self, stream) {
            Some(head) => Ok(Some(head)),
            None => heads::find_row(self.conn, stream),
        }
    }

    /// The next place in a stream that exists.
    pub(crate) fn next(&mut self, stream: StreamId) -> Result<Place, Unexpected> {
        let head = self.head(stream)?.ok_or(Unexpected::Broken("a stream without a head"))?;
        Ok(self.give(stream, head))
    }

    /// The next place in a stream that begins here, or that comes back: then it goes on counting.
    pub(crate) fn open_stream(&mut self, stream: StreamId) -> Result<Place, Unexpected> {
        let known = self.head(stream)?;
        let place = self.give(stream, known.unwrap_or_default());
        let Some(dirty) = self.staged.dirty.get_mut(&stream) else { return Ok(place) };
        // Lists are ordered by it: a conversation without messages stands where it was made.
        dirty.head.last_sent_log = place.log_id;
        if known.is_none() {
            heads::insert_row(self.conn, stream, &dirty.head)?;
        }
        Ok(place)
    }

    /// The place and numbers that [`Self::next_message`] will give, if nothing else is given before.
    pub(crate) fn plan_message(&self, conversation: ConversationId) -> Result<MessagePlace, Unexpected> {
        let stream = StreamId::Conversation(conversation);
        let head = self.head(stream)?.ok_or(Unexpected::Broken("a stream without a head"))?;
        let place = Place { stream, pos: head.last_pos.next(), log_id: self.staged.log.next() };
        Ok(MessagePlace { place, seq: head.last_seq.next(), ord: head.last_ord + 1 })
    }

    /// The next place and numbers of a message, which the sender has read and which counts as unread for others.
    pub(crate) fn next_message(
        &mut self,
        conversation: ConversationId,
        user: UserId,
        sender: Sender,
    ) -> Result<MessagePlace, Unexpected> {
        let place = self.next(StreamId::Conversation(conversation))?;
        let Some(dirty) = self.staged.dirty.get_mut(&place.stream) else {
            return Err(Unexpected::Broken("a place without a head"));
        };
        let head = &mut dirty.head;
        head.last_seq = head.last_seq.next();
        head.last_ord += 1;
        head.last_sent_log = place.log_id;
        let (seq, ord) = (head.last_seq, head.last_ord);
        dirty.marks.insert(user, Mark { from_pos: sender.from_pos, seq, ord, log: place.log_id });
        Ok(MessagePlace { place, seq, ord })
    }

    fn give(&mut self, stream: StreamId, mut head: Head) -> Place {
        self.staged.log = self.staged.log.next();
        head.last_pos = head.last_pos.next();
        head.last_log = self.staged.log;
        match self.staged.dirty.get_mut(&stream) {
            Some(dirty) => dirty.head = head,
            None => {
                self.staged.dirty.insert(stream, Dirty { head, marks: HashMap::new() });
            }
        }
        let place = Place { stream, pos: head.last_pos, log_id: head.last_log };
        self.given.push(place);
        place
    }

    /// What is remembered of a sender; none where it has to be looked up.
    pub(crate) fn known_sender(&mut self, conversation: ConversationId, user: UserId) -> Option<Sender> {
        match self.staged.senders.get(&(conversation, user)) {
            Some(staged) => *staged,
            None => self.memory.sender(conversation, user),
        }
    }

    /// Remembers a sender that was looked up, if nothing in this batch has changed it.
    pub(crate) fn remember_sender(&mut self, conversation: ConversationId, user: UserId, sender: Sender) {
        self.staged.senders.entry((conversation, user)).or_insert(Some(sender));
    }

    /// A membership was changed: what was remembered of it is no longer true.
    pub(crate) fn forget_sender(&mut self, conversation: ConversationId, user: UserId) {
        self.staged.senders.insert((conversation, user), None);
    }

    pub(crate) fn has_ended(&self, session: SessionId) -> bool {
        self.staged.ended.contains_key(&session) || self.memory.has_ended(session)
    }

    pub(crate) fn note_ended(&mut self, session: SessionId, until: Timestamp, now: Timestamp) {
        self.memory.sweep_ended(now);
        self.staged.ended.insert(session, until);
    }

    /// Holds a body to its word and writes its events.
    fn settle(&self, extent: Extent) -> Result<Vec<Draft>, Unexpected> {
        let drafts = match extent {
            Extent::Events(drafts) => drafts,
            Extent::Silent => Vec::new(),
            Extent::Nothing => {
                self.check_untouched()?;
                Vec::new()
            }
        };
        if !drafts.iter().map(|draft| &draft.place).eq(&self.given) {
            return Err(Unexpected::Broken("the events are not those whose places were given"));
        }
        for draft in &drafts {
            events::insert(self.conn, draft)?;
            reached(FailPoint::EventInserted);
        }
        reached(FailPoint::Settled);
        Ok(drafts)
    }

    fn check_untouched(&self) -> Result<(), Unexpected> {
        if self.given.is_empty() && self.conn.total_changes() == self.changes_before {
            Ok(())
        } else {
            Err(Unexpected::Broken("it was refused or changed nothing, and yet wrote something"))
        }
    }
}

impl Newer for Tx<'_> {
    fn as_of(&self) -> LogId {
        self.staged.log
    }

    fn head(&self, stream: StreamId) -> Option<Head> {
        let staged = self.staged.dirty.get(&stream).map(|dirty| dirty.head);
        later(staged, self.memory.head(stream))
    }

    fn mark(&self, conversation: ConversationId, user: UserId) -> Option<Mark> {
        let staged = self.staged.dirty.get(&StreamId::Conversation(conversation));
        staged
            .and_then(|dirty| dirty.marks.get(&user).copied())
            .or_else(|| self.memory.overlay.mark(conversation, user))
    }
}
