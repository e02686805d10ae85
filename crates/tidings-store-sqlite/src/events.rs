//! Events as references: the row that a change leaves, and its kinds.
//!
//! A kind's number is for ever. `ref` says which thing it is about (the `seq` of a message, the id of a user or
//! session), `data` at most 256 bytes of numbers and names, never a person's text. To add an event: its number in
//! [`Kind`], its reference in [`encode`], and its rows in [`hydrate`].

pub(crate) mod hydrate;
mod log;
mod receipts;
mod roster;
mod streams;

use rusqlite::types::Value;
use rusqlite::{Connection, Error, Row};
use tidings_core::clock::Timestamp;
use tidings_core::conversations::{Membership, Role};
use tidings_core::events::EventBody;
use tidings_core::ids::{ConversationId, LogId, MessageId, Pos, Seq, SessionId, StreamId, UserId};
use tidings_core::reactions::ReactionChange;
use tidings_core::receipts::ReceiptKind;

use crate::conversations::encode_preferences;
use crate::rows::{int, log_id, pos, stream, unreadable};
use crate::write::{Draft, Unexpected};

pub(crate) use streams::{Found, fill_page, found_of};
#[cfg(test)]
pub(crate) use {roster::BARRED_SQL, roster::ROSTER_SQL, streams::OTHERS_SQL};

/// What happened, by number. 0 is special: sent events stand in no index but the message's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Sent = 0,
    ConversationCreated = 1,
    ParticipantJoined = 2,
    ParticipantLeft = 3,
    UserRegistered = 4,
    SessionEnded = 5,
    MessageEdited = 6,
    MessageDeleted = 7,
    ReactionAdded = 8,
    ReactionRemoved = 9,
    MessagesRead = 10,
    MessagesDelivered = 11,
    OwnRead = 12,
    OwnDelivered = 13,
    UserUpdated = 14,
    ParticipantUpdated = 15,
    PreferencesUpdated = 16,
}

impl Kind {
    const ALL: [Self; 17] = [
        Self::Sent,
        Self::ConversationCreated,
        Self::ParticipantJoined,
        Self::ParticipantLeft,
        Self::UserRegistered,
        Self::SessionEnded,
        Self::MessageEdited,
        Self::MessageDeleted,
        Self::ReactionAdded,
        Self::ReactionRemoved,
        Self::MessagesRead,
        Self::MessagesDelivered,
        Self::OwnRead,
        Self::OwnDelivered,
        Self::UserUpdated,
        Self::ParticipantUpdated,
        Self::PreferencesUpdated,
    ];

    fn from_number(number: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as i64 == number)
    }
}

/// A row of `event`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct EventRow {
    pub log_id: LogId,
    pub stream: StreamId,
    pub pos: Pos,
    pub kind: Kind,
    pub actor: UserId,
    pub at: Timestamp,
    pub reference: Value,
    pub data: Option<Vec<u8>>,
}

impl EventRow {
    /// The message that a sent event is about, or one of what happened to it since.
    pub(crate) fn seq(&self) -> rusqlite::Result<Seq> {
        match self.reference {
            Value::Integer(seq) => u64::try_from(seq).map(Seq).map_err(|_| unreadable(6, "seq")),
            _ => Err(unreadable(6, "the reference of a message's event")),
        }
    }

    /// The emoji that somebody put on a message or took away: a choice among a few thousand, not a person's text.
    pub(crate) fn emoji(&self) -> rusqlite::Result<&str> {
        let data = self.data.as_deref().unwrap_or_default();
        std::str::from_utf8(data).map_err(|_| unreadable(7, "an emoji"))
    }

    pub(crate) fn user(&self) -> rusqlite::Result<UserId> {
        self.id().map(UserId::from_bytes)
    }

    pub(crate) fn session(&self) -> rusqlite::Result<SessionId> {
        self.id().map(SessionId::from_bytes)
    }

    pub(crate) fn conversation(&self) -> rusqlite::Result<ConversationId> {
        self.id().map(ConversationId::from_bytes)
    }

    fn id(&self) -> rusqlite::Result<[u8; 16]> {
        match &self.reference {
            Value::Blob(bytes) => bytes.as_slice().try_into().map_err(|_| unreadable(6, "an id")),
            _ => Err(unreadable(6, "an id")),
        }
    }
}

/// What a sent event says beside its `seq`, so that heads can be counted again without the messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SentData {
    pub ord: u64,
    /// It was to everybody (`@all`).
    pub to_all: bool,
}

const TO_ALL: u8 = 1;

impl SentData {
    /// A byte of flags, then the `ord` without its leading zeros.
    pub(crate) fn encode(self) -> Vec<u8> {
        let ord = self.ord.to_be_bytes();
        let zeros = ord.iter().take_while(|byte| **byte == 0).count();
        let mut data = vec![if self.to_all { TO_ALL } else { 0 }];
        data.extend_from_slice(&ord[zeros..]);
        data
    }

    pub(crate) fn decode(event: &EventRow) -> rusqlite::Result<Self> {
        let data = event.data.as_deref().unwrap_or_default();
        match data.split_first() {
            Some((flags, ord)) if ord.len() <= 8 => Ok(Self {
                ord: ord.iter().fold(0, |ord, byte| (ord << 8) | u64::from(*byte)),
                to_all: flags & TO_ALL != 0,
            }),
            _ => Err(unreadable(7, "the data of a sent event")),
        }
    }
}

/// What a creation or a joining says of the marks of those who come in, who have read everything before. Their rows
/// move on, and the messages before may be gone one day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EntryData {
    /// The `ord` of the last message before.
    pub ord: u64,
    /// How many messages to everybody there were before.
    pub all: u64,
}

impl EntryData {
    fn of(membership: &Membership) -> Self {
        Self { ord: membership.marks.read_ord, all: membership.marks.read_all }
    }

    fn encode(self) -> Vec<u8> {
        [self.ord.to_be_bytes(), self.all.to_be_bytes()].concat()
    }

    pub(crate) fn decode(event: &EventRow) -> rusqlite::Result<Self> {
        let halves = event.data.as_deref().and_then(<[u8]>::split_first_chunk::<8>);
        let halves = halves.and_then(|(ord, all)| Some((*ord, <[u8; 8]>::try_from(all).ok()?)));
        let (ord, all) = halves.ok_or_else(|| unreadable(7, "the data of an entry"))?;
        Ok(Self { ord: u64::from_be_bytes(ord), all: u64::from_be_bytes(all) })
    }
}

/// What a change of role says: since which position they are in, and the role that they have from then on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RoleData {
    pub from_pos: Pos,
    pub role: Role,
}

impl RoleData {
    fn encode(self) -> Vec<u8> {
        [&self.from_pos.0.to_be_bytes(), self.role.as_str().as_bytes()].concat()
    }

    pub(crate) fn decode(event: &EventRow) -> rusqlite::Result<Self> {
        let parts = event.data.as_deref().and_then(<[u8]>::split_first_chunk::<8>);
        let parsed = parts.and_then(|(from_pos, role)| {
            let role = Role::parse(std::str::from_utf8(role).ok()?)?;
            Some(Self { from_pos: Pos(u64::from_be_bytes(*from_pos)), role })
        });
        parsed.ok_or_else(|| unreadable(7, "the data of a role"))
    }
}

/// Reads `log_id, stream, pos, kind, actor, at, ref, data`.
pub(crate) fn event_of(row: &Row<'_>) -> rusqlite::Result<EventRow> {
    let kind: i64 = row.get(3)?;
    Ok(EventRow {
        log_id: log_id(row, 0)?,
        stream: stream(row, 1)?,
        pos: pos(row, 2)?,
        kind: Kind::from_number(kind).ok_or(Error::IntegralValueOutOfRange(3, kind))?,
        actor: UserId::from_bytes(row.get(4)?),
        at: Timestamp(row.get(5)?),
        reference: row.get(6)?,
        data: row.get(7)?,
    })
}

fn encode(body: &EventBody) -> Result<(Kind, Value, Option<Vec<u8>>), Unexpected> {
    let id = |bytes: &[u8; 16]| Value::Blob(bytes.to_vec());
    let message = |id: &MessageId| int(id.seq.0).map(Value::Integer);
    let emoji = |change: &ReactionChange| Some(change.emoji.as_bytes().to_vec());
    Ok(match body {
        EventBody::MessageSent(sent) => {
            let data = SentData { ord: sent.ord, to_all: false }.encode();
            (Kind::Sent, message(&sent.id)?, Some(data))
        }
        EventBody::MessageEdited(edited) => (Kind::MessageEdited, message(&edited.id)?, None),
        EventBody::MessageDeleted(deleted) => (Kind::MessageDeleted, message(&deleted.id)?, None),
        EventBody::ReactionAdded(change) => (Kind::ReactionAdded, message(&change.message)?, emoji(change)),
        EventBody::ReactionRemoved(change) => {
            (Kind::ReactionRemoved, message(&change.message)?, emoji(change))
        }
        EventBody::ReactionsChanged { .. } | EventBody::Withheld => {
            return Err(Unexpected::Broken("an event that is made for a reader was to be stored"));
        }
        EventBody::MessagesRead(receipts) => {
            (Kind::MessagesRead, Value::Null, Some(receipts::encode(receipts)))
        }
        EventBody::MessagesDelivered(receipts) => {
            (Kind::MessagesDelivered, Value::Null, Some(receipts::encode(receipts)))
        }
        EventBody::OwnMarks { conversation, from_pos, kind, marks } => {
            let kind = match kind {
                ReceiptKind::Read => Kind::OwnRead,
                ReceiptKind::Delivered => Kind::OwnDelivered,
            };
            (kind, id(conversation.as_bytes()), Some(receipts::encode_own(*from_pos, marks)))
        }
        EventBody::PreferencesUpdated { conversation, from_pos, preferences } => {
            let data = encode_preferences(*from_pos, preferences)?;
            (Kind::PreferencesUpdated, id(conversation.as_bytes()), Some(data))
        }
        EventBody::ConversationCreated { participants, .. } => {
            let first = participants.first();
            let data = first.map(|first| EntryData::of(&first.membership).encode());
            (Kind::ConversationCreated, Value::Null, data)
        }
        EventBody::ParticipantJoined(joined) => {
            let data = EntryData::of(&joined.membership).encode();
            (Kind::ParticipantJoined, id(joined.membership.user.as_bytes()), Some(data))
        }
        EventBody::ParticipantUpdated { user, from_pos, role, .. } => {
            let data = RoleData { from_pos: *from_pos, role: *role }.encode();
            (Kind::ParticipantUpdated, id(user.id.as_bytes()), Some(data))
        }
        EventBody::ParticipantLeft { membership, .. } => {
            (Kind::ParticipantLeft, id(membership.user.as_bytes()), None)
        }
        EventBody::UserRegistered(user) => (Kind::UserRegistered, id(user.id.as_bytes()), None),
        EventBody::UserUpdated(user) => (Kind::UserUpdated, id(user.id.as_bytes()), None),
        EventBody::SessionEnded { session, tokens_until } => {
            (Kind::SessionEnded, id(session.as_bytes()), Some(tokens_until.0.to_be_bytes().to_vec()))
        }
    })
}

/// Writes a draft's row.
pub(crate) fn insert(conn: &Connection, draft: &Draft) -> Result<(), Unexpected> {
    let (kind, reference, data) = encode(&draft.body)?;
    let mut statement = conn.prepare_cached(
        "INSERT INTO event (log_id, stream, pos, kind, actor, at, ref, data) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?;
    let place = draft.place;
    statement.execute((
        int(place.log_id.0)?,
        place.stream.to_bytes(),
        int(place.pos.0)?,
        kind as i64,
        draft.actor.as_bytes(),
        draft.at.0,
        reference,
        data,
    ))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn sent(data: Vec<u8>) -> EventRow {
        EventRow {
            log_id: LogId(1),
            stream: StreamId::Conversation(ConversationId(Uuid::nil())),
            pos: Pos(1),
            kind: Kind::Sent,
            actor: UserId(Uuid::nil()),
            at: Timestamp(0),
            reference: Value::Integer(1),
            data: Some(data),
        }
    }

    #[test]
    fn the_data_of_a_sent_event_is_small_and_comes_back() {
        for (ord, bytes) in [(0, 1), (1, 2), (255, 2), (256, 3), (u64::MAX, 9)] {
            for to_all in [false, true] {
                let data = SentData { ord, to_all };
                assert_eq!(data.encode().len(), bytes);
                assert_eq!(SentData::decode(&sent(data.encode())).unwrap(), data);
            }
        }
        assert!(SentData::decode(&sent(vec![])).is_err());
        assert!(SentData::decode(&sent(vec![0; 20])).is_err());
    }

    #[test]
    fn kinds_have_their_own_numbers() {
        for kind in Kind::ALL {
            assert_eq!(Kind::from_number(kind as i64), Some(kind));
        }
    }
}
