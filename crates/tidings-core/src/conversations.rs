//! Conversations and their participants.
//!
//! Being in a conversation is an interval of positions: what one may be shown is decided by positions, never by who is
//! on a list at the moment.

mod create;
mod get;
mod participants;
mod preferences;

use std::borrow::Cow;

pub use create::{ConversationIds, CreateConversation, CreatedConversation};
pub use get::{ConversationCursor, ConversationFilter, ConversationPage};
pub use participants::{ParticipantCursor, ParticipantPage};
pub use preferences::{Notify, Preferences, PreferencesChange};

use crate::accounts::User;
use crate::clock::Timestamp;
use crate::error::{Code, FieldError, Refusal, StoreError, code_of};
use crate::ids::{AppId, ConversationId, LogId, Pos, Seq, UserId};
use crate::messages::Message;

/// What kind of conversation it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ConversationKind {
    /// Two people; one per pair.
    Direct,
    /// Any number, with roles.
    Group,
    /// Notes to oneself; one per person.
    SelfNotes,
}

/// What a participant may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Sends and reads.
    Member,
    /// Also adds and removes members.
    Admin,
    /// Also removes admins; a group has at least one.
    Owner,
}

/// Whether somebody is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MembershipState {
    /// Is in.
    Active,
    /// Left by own will; keeps what could be seen.
    Left,
    /// Was removed; keeps what could be seen.
    Removed,
}

macro_rules! wire_names {
    ($name:ident { $($variant:ident = $text:literal),* $(,)? }) => {
        impl $name {
            /// The name on the wire and in stores.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            /// From the name.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$variant),)* _ => None }
            }
        }
    };
}
wire_names!(ConversationKind { Direct = "direct", Group = "group", SelfNotes = "self" });
wire_names!(Role { Member = "member", Admin = "admin", Owner = "owner" });
wire_names!(MembershipState { Active = "member", Left = "left", Removed = "removed" });
wire_names!(Audience { Members = "members", Admins = "admins" });
wire_names!(NewcomerHistory { Joining = "joining", All = "all" });

/// Whose role suffices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Audience {
    /// Everybody in the conversation.
    Members,
    /// Admins and owners.
    Admins,
}

impl Audience {
    /// Whether the role is enough.
    #[must_use]
    pub fn includes(self, role: Role) -> bool {
        match self {
            Self::Members => true,
            Self::Admins => role >= Role::Admin,
        }
    }
}

/// From where newcomers may read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NewcomerHistory {
    /// From their joining on.
    Joining,
    /// Everything.
    All,
}

/// Who may do what in a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Settings {
    /// Who may send.
    pub send: Audience,
    /// Who may add people.
    pub add: Audience,
    /// Who may change title and settings.
    pub edit: Audience,
    /// From where newcomers may read.
    pub history: NewcomerHistory,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            send: Audience::Members,
            add: Audience::Admins,
            edit: Audience::Admins,
            history: NewcomerHistory::Joining,
        }
    }
}

/// A conversation as everybody in it sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conversation {
    /// Derived from the people for direct and self, random for groups.
    pub id: ConversationId,
    /// The tenant.
    pub app: AppId,
    /// What kind it is.
    pub kind: ConversationKind,
    /// Groups have one.
    pub title: Option<String>,
    /// Where a picture is.
    pub avatar_url: Option<String>,
    /// Who may do what.
    pub settings: Settings,
    /// When it was made.
    pub created_at: Timestamp,
    /// Who made it.
    pub created_by: UserId,
}

/// How far a participant has come. All only grow, but `read_*` by "mark unread".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct Marks {
    /// Read up to here, for the person's own devices.
    pub read_seq: Seq,
    /// The `ord` at `read_seq`.
    pub read_ord: u64,
    /// How many messages to everybody there were at `read_seq`.
    pub read_all: u64,
    /// Read up to here, as others see it.
    pub public_read_seq: Seq,
    /// Arrived up to here.
    pub delivered_seq: Seq,
}

impl Marks {
    /// The marks of one who comes in after this message: what was before is neither unread nor undelivered.
    #[must_use]
    pub fn at_entry(last_seq: Seq, last_ord: u64, last_all: u64) -> Self {
        Self {
            read_seq: last_seq,
            read_ord: last_ord,
            read_all: last_all,
            public_read_seq: last_seq,
            delivered_seq: last_seq,
        }
    }
}

/// One interval in which a user was or is in a conversation. Both ends are inclusive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    /// Where.
    pub conversation: ConversationId,
    /// Who.
    pub user: UserId,
    /// The position of the joining.
    pub from_pos: Pos,
    /// The position of the leaving.
    pub to_pos: Option<Pos>,
    /// The first message that came after joining.
    pub from_seq: Seq,
    /// The last message before leaving.
    pub to_seq: Option<Seq>,
    /// The first message that may be read.
    pub history_from_seq: Seq,
    /// The joining in the log.
    pub from_log: LogId,
    /// The leaving in the log.
    pub to_log: Option<LogId>,
    /// When it began, for display.
    pub joined_at: Timestamp,
    /// What they may do.
    pub role: Role,
    /// In, or how they went.
    pub state: MembershipState,
    /// How far they have come.
    pub marks: Marks,
    /// What they have chosen, for themselves alone.
    pub preferences: Preferences,
}

/// Somebody in a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Participant {
    /// Who.
    pub user: User,
    /// The interval in which they are in.
    pub membership: Membership,
}

/// The last numbers of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Head {
    /// The last event.
    pub last_pos: Pos,
    /// The last message.
    pub last_seq: Seq,
    /// Countable messages.
    pub last_ord: u64,
    /// Messages to everybody (`@all`).
    pub last_all: u64,
    /// The last event's place in the log.
    pub last_log: LogId,
    /// The last message's place in the log; the creation's where there is none yet. Lists are ordered by it.
    pub last_sent_log: LogId,
}

/// A conversation as one of its people sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConversationView {
    /// What everybody sees.
    pub conversation: Conversation,
    /// How many are in it; for one who left: were, at the leaving.
    pub participant_count: usize,
    /// All in direct and self, the first 20 in groups.
    pub participants: Vec<Participant>,
    /// The last event that the viewer may see.
    pub pos: Pos,
    /// The last message that the viewer may see.
    pub last_seq: Seq,
    /// That message.
    pub last_message: Option<Message>,
    /// Countable messages that the viewer has not read.
    pub unread: u64,
    /// The viewer's own latest interval.
    pub me: Membership,
    /// The order of lists.
    pub last_sent_log: LogId,
}

/// Participants that a conversation's answer carries for a group.
pub const PARTICIPANTS_SHOWN: usize = 20;

/// How many countable messages a member has not read. The one place that computes it.
#[must_use]
pub fn unread(head: &Head, membership: &Membership) -> u64 {
    match membership.state {
        MembershipState::Active => head.last_ord.saturating_sub(membership.marks.read_ord),
        MembershipState::Left | MembershipState::Removed => 0,
    }
}

/// Why something with a conversation was refused.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// Fields break rules.
    #[error("fields break rules")]
    Invalid(Vec<FieldError>),
    /// Users that the request names do not exist; by JSON pointer.
    #[error("a user does not exist")]
    UnknownUsers(Vec<FieldError>),
    /// No such conversation or participant, or none that the asker may know of.
    #[error("not found")]
    NotFound,
    /// The asker was a participant and is no more.
    #[error("no longer a participant")]
    NotParticipant,
    /// The asker's role does not allow it.
    #[error("the role does not allow this")]
    Forbidden,
    /// The last owner can neither leave nor become less.
    #[error("the last owner stays")]
    LastOwner,
    /// Direct and self conversations keep their people.
    #[error("the participants cannot change")]
    FixedParticipants,
    /// More people than the limit.
    #[error("too many participants")]
    TooManyParticipants {
        /// The limit.
        max: usize,
    },
    /// The same idempotency key came with another body.
    #[error("the idempotency key was used for another request")]
    IdempotencyKeyReused,
    /// The asker's session has ended.
    #[error("the session has ended")]
    SessionEnded,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Refusal for Error {
    fn code(&self) -> Code {
        match self {
            Self::Invalid(fields) => code_of(fields),
            Self::UnknownUsers(_) => Code::UnknownUser,
            Self::NotFound => Code::NotFound,
            Self::NotParticipant => Code::NotParticipant,
            Self::Forbidden => Code::Forbidden,
            Self::LastOwner => Code::LastOwner,
            Self::FixedParticipants => Code::FixedParticipants,
            Self::TooManyParticipants { .. } => Code::TooMany,
            Self::IdempotencyKeyReused => Code::IdempotencyKeyReused,
            Self::SessionEnded => Code::SessionEnded,
            Self::Store(error) => error.code(),
        }
    }

    fn detail(&self) -> Cow<'static, str> {
        match self {
            Self::Invalid(_) => "See errors: each names a field and what it may be.".into(),
            Self::UnknownUsers(_) => "See errors: each names an id that no user has.".into(),
            Self::NotFound => "There is no such conversation or participant among yours.".into(),
            Self::NotParticipant => "You have left or were removed. Ask somebody to add you again.".into(),
            Self::Forbidden => "Ask an owner or admin of the conversation.".into(),
            Self::LastOwner => "A group keeps at least one owner: make somebody else one first.".into(),
            Self::FixedParticipants => "Only groups change: create a group with these people.".into(),
            Self::TooManyParticipants { max } => format!("A conversation holds at most {max} people.").into(),
            Self::IdempotencyKeyReused => {
                "Make a new Idempotency-Key for a new request; the same key is for retries of the same one."
                    .into()
            }
            Self::SessionEnded => "Log in again.".into(),
            Self::Store(error) => error.detail(),
        }
    }

    fn fields(&self) -> &[FieldError] {
        match self {
            Self::Invalid(fields) | Self::UnknownUsers(fields) => fields,
            _ => &[],
        }
    }
}
