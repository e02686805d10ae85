//! Durable events: what every change leaves in a stream, with the rows that it means.
//!
//! A store keeps references only and joins them to the rows ("hydrates") when somebody reads; the writer that has just
//! committed has the rows at hand. To add an event: a variant here, its kind number in each store, its shape in
//! `tidings-protocol`, and its effect in the contract suite's `apply`.

use std::sync::Arc;

use crate::accounts::User;
use crate::clock::Timestamp;
use crate::conversations::{Conversation, Membership, Participant};
use crate::ids::{ConversationId, LogId, Pos, SessionId, StreamId, UserId};
use crate::messages::Message;

/// One event at its position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Its place in the log of all commits.
    pub log_id: LogId,
    /// The stream.
    pub stream: StreamId,
    /// Its place there.
    pub pos: Pos,
    /// It takes a device from `pos − span` to `pos`. More than 1 where events before it were folded or are not the
    /// reader's to see.
    pub span: u64,
    /// When it happened, for display.
    pub at: Timestamp,
    /// Who did it.
    pub actor: UserId,
    /// What happened.
    pub body: EventBody,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventBody {
    /// A message was sent.
    MessageSent(Arc<Message>),
    /// A conversation was made, with its first people.
    ConversationCreated {
        /// As it was made.
        conversation: Conversation,
        /// Everybody in it from position 1.
        participants: Vec<Participant>,
    },
    /// Somebody came in.
    ParticipantJoined(Participant),
    /// Somebody left or was removed.
    ParticipantLeft {
        /// Who.
        user: User,
        /// The interval, closed.
        membership: Membership,
    },
    /// An account was made.
    UserRegistered(User),
    /// A session was ended.
    SessionEnded {
        /// Which.
        session: SessionId,
        /// When the last of its access tokens expires.
        tokens_until: Timestamp,
    },
}

/// What an event is about, where only the last event about it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Thing {
    /// Whether and how somebody is in a conversation.
    Participation(ConversationId, UserId),
}

impl EventBody {
    /// What a catch-up may fold to the last event. A sent message is never folded away: it carries sender and time.
    #[must_use]
    pub fn thing(&self) -> Option<Thing> {
        let participation =
            |membership: &Membership| Some(Thing::Participation(membership.conversation, membership.user));
        match self {
            Self::ParticipantJoined(participant) => participation(&participant.membership),
            Self::ParticipantLeft { membership, .. } => participation(membership),
            Self::MessageSent(_)
            | Self::ConversationCreated { .. }
            | Self::UserRegistered(_)
            | Self::SessionEnded { .. } => None,
        }
    }
}

impl Event {
    /// Roughly what it holds in memory, in bytes, for the bounds of buffers.
    #[must_use]
    pub fn bytes(&self) -> usize {
        /// What a user or a membership holds beside its struct: three or four short strings.
        const NAMES: usize = 100;
        let body = match &self.body {
            EventBody::MessageSent(message) => {
                size_of::<Message>()
                    + message.content.len()
                    + message.metadata.as_ref().map_or(0, String::len)
            }
            EventBody::ConversationCreated { participants, .. } => {
                participants.len() * (size_of::<Participant>() + NAMES)
            }
            EventBody::ParticipantJoined(_)
            | EventBody::ParticipantLeft { .. }
            | EventBody::UserRegistered(_) => NAMES,
            EventBody::SessionEnded { .. } => 0,
        };
        size_of::<Self>() + body
    }
}
