//! Durable events: what every change leaves in a stream, with the rows that it means.
//!
//! A store keeps references only and joins them to the rows ("hydrates") when somebody reads; the writer that has just
//! committed has the rows at hand. To add an event: a variant here, its kind number in each store, its shape in
//! `tidings-protocol`, and its effect in the contract suite's `apply`.

use std::sync::Arc;

use crate::accounts::User;
use crate::clock::Timestamp;
use crate::conversations::{Conversation, Marks, Membership, Participant, Preferences, Role};
use crate::ids::{ConversationId, LogId, MessageId, Pos, Seq, SessionId, StreamId, UserId};
use crate::messages::Message;
use crate::reactions::{Reaction, ReactionChange};
use crate::receipts::{Receipt, ReceiptKind};

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
    /// A message has another text.
    MessageEdited(Arc<Message>),
    /// A message was deleted: what is left of it.
    MessageDeleted(Arc<Message>),
    /// The actor put an emoji on a message.
    ReactionAdded(ReactionChange),
    /// The actor took an emoji from a message.
    ReactionRemoved(ReactionChange),
    /// Several of the two before in one: what is on the message after the last of them. No store keeps it.
    ReactionsChanged {
        /// On which.
        message: MessageId,
        /// Where in the stream that one was sent.
        message_pos: Pos,
        /// Everything that is on it.
        reactions: Vec<Reaction>,
    },
    /// Something happened to a message that is not the reader's to read. No store keeps it.
    Withheld,
    /// People have read up to here.
    MessagesRead(Vec<Receipt>),
    /// Devices of people have received up to here.
    MessagesDelivered(Vec<Receipt>),
    /// The actor's own marks have moved, which others are not told.
    OwnMarks {
        /// Where.
        conversation: ConversationId,
        /// In the interval that begins here.
        from_pos: Pos,
        /// Which of them is the news.
        kind: ReceiptKind,
        /// As they are now.
        marks: Marks,
    },
    /// The actor has chosen something for a conversation, which others are not told.
    PreferencesUpdated {
        /// Where.
        conversation: ConversationId,
        /// In the interval that begins here.
        from_pos: Pos,
        /// As they are now.
        preferences: Preferences,
    },
    /// A conversation was made, with its first people.
    ConversationCreated {
        /// As it was made.
        conversation: Conversation,
        /// Everybody in it from position 1.
        participants: Vec<Participant>,
    },
    /// Somebody came in.
    ParticipantJoined(Participant),
    /// Somebody has another role.
    ParticipantUpdated {
        /// Who.
        user: User,
        /// In the interval that begins here.
        from_pos: Pos,
        /// The first message that they may read.
        history_from_seq: Seq,
        /// What they may do from now on.
        role: Role,
    },
    /// Somebody left or was removed.
    ParticipantLeft {
        /// Who.
        user: User,
        /// The interval, closed.
        membership: Membership,
    },
    /// An account was made.
    UserRegistered(User),
    /// Somebody has changed their own account.
    UserUpdated(User),
    /// A session was ended.
    SessionEnded {
        /// Which.
        session: SessionId,
        /// When the last of its access tokens expires.
        tokens_until: Timestamp,
    },
}

/// The message that an event is about which came after it was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct About {
    /// Which.
    pub message: MessageId,
    /// Where in the stream it was sent.
    pub pos: Pos,
}

/// What an event is about, where only the last event about it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Thing {
    /// Whether and how somebody is in a conversation.
    Participation(ConversationId, UserId),
    /// What somebody in a conversation may do.
    Role(StreamId, UserId),
    /// What a message says.
    Text(MessageId),
    /// What is on a message.
    Reactions(MessageId),
    /// Somebody's own account.
    Account(UserId),
    /// How far the reader has come in a conversation.
    OwnMarks(ConversationId, ReceiptKind),
    /// What the reader has chosen for a conversation.
    Preferences(ConversationId),
    /// What is nothing to the reader, in a stream.
    Withheld(StreamId),
}

impl EventBody {
    /// The message to which something happened after it was sent: only who may read it may know of that.
    #[must_use]
    pub fn about(&self) -> Option<About> {
        match self {
            Self::MessageEdited(message) | Self::MessageDeleted(message) => {
                Some(About { message: message.id, pos: message.pos })
            }
            Self::ReactionAdded(change) | Self::ReactionRemoved(change) => {
                Some(About { message: change.message, pos: change.message_pos })
            }
            Self::ReactionsChanged { message, message_pos, .. } => {
                Some(About { message: *message, pos: *message_pos })
            }
            Self::MessageSent(_)
            | Self::Withheld
            | Self::MessagesRead(_)
            | Self::MessagesDelivered(_)
            | Self::OwnMarks { .. }
            | Self::PreferencesUpdated { .. }
            | Self::ConversationCreated { .. }
            | Self::ParticipantJoined(_)
            | Self::ParticipantLeft { .. }
            | Self::ParticipantUpdated { .. }
            | Self::UserRegistered(_)
            | Self::UserUpdated(_)
            | Self::SessionEnded { .. } => None,
        }
    }

    /// Whether it tells of what is on a message.
    #[must_use]
    pub fn is_of_reactions(&self) -> bool {
        matches!(self, Self::ReactionAdded(_) | Self::ReactionRemoved(_) | Self::ReactionsChanged { .. })
    }

    /// A change of what is on a message as the last of several.
    #[must_use]
    pub fn merged(&self) -> Option<Self> {
        match self {
            Self::ReactionAdded(change) | Self::ReactionRemoved(change) => Some(Self::ReactionsChanged {
                message: change.message,
                message_pos: change.message_pos,
                reactions: change.reactions.clone(),
            }),
            _ => None,
        }
    }
}

impl Event {
    /// The same place with nothing in it for the reader.
    #[must_use]
    pub fn withheld(&self) -> Self {
        self.with(EventBody::Withheld)
    }

    /// The same place with something else in it.
    #[must_use]
    pub fn with(&self, body: EventBody) -> Self {
        let Self { log_id, stream, pos, span, at, actor, .. } = *self;
        Self { log_id, stream, pos, span, at, actor, body }
    }

    /// What a catch-up may fold to the last event. A sent message is never folded away: it carries sender and time.
    #[must_use]
    pub fn thing(&self) -> Option<Thing> {
        let participation =
            |membership: &Membership| Some(Thing::Participation(membership.conversation, membership.user));
        match &self.body {
            EventBody::ParticipantJoined(participant) => participation(&participant.membership),
            EventBody::ParticipantLeft { membership, .. } => participation(membership),
            EventBody::ParticipantUpdated { user, .. } => Some(Thing::Role(self.stream, user.id)),
            EventBody::MessageEdited(message) | EventBody::MessageDeleted(message) => {
                Some(Thing::Text(message.id))
            }
            EventBody::ReactionAdded(change) | EventBody::ReactionRemoved(change) => {
                Some(Thing::Reactions(change.message))
            }
            EventBody::ReactionsChanged { message, .. } => Some(Thing::Reactions(*message)),
            EventBody::Withheld => Some(Thing::Withheld(self.stream)),
            EventBody::UserUpdated(user) => Some(Thing::Account(user.id)),
            EventBody::OwnMarks { conversation, kind, .. } => Some(Thing::OwnMarks(*conversation, *kind)),
            EventBody::PreferencesUpdated { conversation, .. } => Some(Thing::Preferences(*conversation)),
            EventBody::MessageSent(_)
            | EventBody::MessagesRead(_)
            | EventBody::MessagesDelivered(_)
            | EventBody::ConversationCreated { .. }
            | EventBody::UserRegistered(_)
            | EventBody::SessionEnded { .. } => None,
        }
    }

    /// Roughly what it holds in memory, in bytes, for the bounds of buffers.
    #[must_use]
    pub fn bytes(&self) -> usize {
        /// What a user or a membership holds beside its struct: three or four short strings.
        const NAMES: usize = 100;
        let of_reactions = |reactions: &[Reaction]| -> usize {
            let of = |one: &Reaction| size_of::<Reaction>() + one.emoji.len() + size_of_val(&*one.users);
            reactions.iter().map(of).sum()
        };
        let body = match &self.body {
            EventBody::MessageSent(message)
            | EventBody::MessageEdited(message)
            | EventBody::MessageDeleted(message) => {
                size_of::<Message>()
                    + message.content.len()
                    + message.metadata.as_ref().map_or(0, String::len)
                    + of_reactions(&message.reactions)
            }
            EventBody::ReactionAdded(change) | EventBody::ReactionRemoved(change) => {
                change.emoji.len() + of_reactions(&change.reactions)
            }
            EventBody::ReactionsChanged { reactions, .. } => of_reactions(reactions),
            EventBody::ConversationCreated { participants, .. } => {
                participants.len() * (size_of::<Participant>() + NAMES)
            }
            EventBody::ParticipantJoined(_)
            | EventBody::ParticipantLeft { .. }
            | EventBody::ParticipantUpdated { .. }
            | EventBody::UserRegistered(_)
            | EventBody::UserUpdated(_) => NAMES,
            EventBody::MessagesRead(receipts) | EventBody::MessagesDelivered(receipts) => {
                size_of_val(&**receipts)
            }
            EventBody::SessionEnded { .. }
            | EventBody::OwnMarks { .. }
            | EventBody::PreferencesUpdated { .. }
            | EventBody::Withheld => 0,
        };
        size_of::<Self>() + body
    }
}
