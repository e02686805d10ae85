//! What each event does to the state: the one place that knows, for every store.

use std::collections::BTreeMap;
use std::mem;

use tidings_core::accounts::User;
use tidings_core::conversations::{
    Conversation, Head, Membership, MembershipState, Participant, Preferences, Role,
};
use tidings_core::events::{Event, EventBody};
use tidings_core::ids::{ConversationId, LogId, MessageId, Pos, Seq, StreamId, UserId};
use tidings_core::messages::{Deletion, Message};
use tidings_core::reactions::{Reaction, ReactionChange, USERS_SHOWN};
use tidings_core::receipts::Receipt;
use uuid::Uuid;

/// Who has put an emoji on a message, and when.
type Reacted = Vec<(UserId, LogId)>;

/// Everything that events tell of.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct State {
    /// The last event.
    pub log: LogId,
    /// Accounts.
    pub users: BTreeMap<UserId, User>,
    /// Conversations, as everybody in them sees them.
    pub conversations: BTreeMap<ConversationId, Conversation>,
    /// Every interval with its marks, by its first position.
    pub memberships: BTreeMap<(ConversationId, UserId, Pos), Membership>,
    /// Messages, as everybody sees them.
    pub messages: BTreeMap<MessageId, Message>,
    /// What messages said until an edit, first to last.
    pub former_texts: BTreeMap<MessageId, Vec<(Pos, Message)>>,
    /// What people in an interval might do until a change, first to last.
    pub former_roles: BTreeMap<(ConversationId, UserId, Pos), Vec<(Pos, Role)>>,
    /// Each emoji of a message with everybody who has it there and since when, first to last.
    pub reactions: BTreeMap<MessageId, Vec<(String, Reacted)>>,
    /// The last numbers of each stream.
    pub heads: BTreeMap<StreamId, Head>,
}

impl State {
    /// The intervals of somebody in a conversation, first to last.
    pub fn intervals(
        &self,
        chat: ConversationId,
        user: UserId,
    ) -> impl DoubleEndedIterator<Item = &Membership> {
        let all = (chat, user, Pos(0))..=(chat, user, Pos(u64::MAX));
        self.memberships.range(all).map(|(_, membership)| membership)
    }

    /// The message as the viewer sees it: one who left, as it was then.
    pub fn message_to(&self, viewer: UserId, id: MessageId) -> Message {
        let last = self.intervals(id.conversation, viewer).next_back();
        self.message_at(id, last.and_then(|last| last.to_pos.zip(last.to_log)), viewer)
    }

    /// As it was then, or as it is, but for its deletion.
    fn message_at(&self, id: MessageId, end: Option<(Pos, LogId)>, viewer: UserId) -> Message {
        let mut message = self.messages[&id].clone();
        if let Some((pos, _)) = end
            && message.deletion.is_none()
            && let Some((_, then)) = first_after(self.former_texts.get(&id), pos)
        {
            message = then.clone();
        }
        let through = end.map_or(LogId(u64::MAX), |(_, log)| log);
        let by_then = |users: &[(UserId, LogId)]| -> Vec<UserId> {
            users.iter().filter(|(_, log)| *log <= through).map(|(user, _)| *user).collect()
        };
        let reactions = self.reactions.get(&id).into_iter().flatten();
        let reactions =
            reactions.map(|(emoji, users)| (emoji, by_then(users))).filter(|(_, users)| !users.is_empty());
        message.reactions = reactions
            .map(|(emoji, users)| Reaction { mine: users.contains(&viewer), ..summary(emoji, &users) })
            .collect();
        message
    }

    /// What somebody in an interval might do then.
    pub fn role_at(&self, membership: &Membership, at: Pos) -> Role {
        let key = (membership.conversation, membership.user, membership.from_pos);
        first_after(self.former_roles.get(&key), at).map_or(membership.role, |(_, role)| *role)
    }

    /// The event as delivery reads it now: messages as they were at it, as far as they still are; people as they stand.
    pub fn as_read_now(&self, event: &Event) -> Event {
        let then = |id| self.message_at(id, Some((event.pos, event.log_id)), UserId(Uuid::nil()));
        let now = |message: &Message| then(message.id).into();
        let changed = |change: &ReactionChange| ReactionChange {
            reactions: then(change.message).reactions,
            ..change.clone()
        };
        let person = |user: &User| self.users[&user.id].clone();
        let participant = |one: &Participant| Participant { user: person(&one.user), ..one.clone() };
        let body = match &event.body {
            EventBody::UserRegistered(user) => EventBody::UserRegistered(person(user)),
            EventBody::UserUpdated(user) => EventBody::UserUpdated(person(user)),
            EventBody::ParticipantJoined(one) => EventBody::ParticipantJoined(participant(one)),
            EventBody::ParticipantLeft { user, membership } => {
                EventBody::ParticipantLeft { user: person(user), membership: membership.clone() }
            }
            EventBody::ParticipantUpdated { user, from_pos, history_from_seq, role } => {
                let (user, from_pos, history_from_seq, role) =
                    (person(user), *from_pos, *history_from_seq, *role);
                EventBody::ParticipantUpdated { user, from_pos, history_from_seq, role }
            }
            EventBody::ConversationCreated { conversation, participants } => {
                let (conversation, participants) =
                    (conversation.clone(), participants.iter().map(participant).collect());
                EventBody::ConversationCreated { conversation, participants }
            }
            EventBody::MessageSent(message) => EventBody::MessageSent(now(message)),
            EventBody::MessageEdited(message) => EventBody::MessageEdited(now(message)),
            EventBody::MessageDeleted(message) => EventBody::MessageDeleted(now(message)),
            EventBody::ReactionAdded(change) => EventBody::ReactionAdded(changed(change)),
            EventBody::ReactionRemoved(change) => EventBody::ReactionRemoved(changed(change)),
            other => other.clone(),
        };
        Event { body, ..event.clone() }
    }

    fn open_interval(&mut self, chat: ConversationId, user: UserId) -> Option<&mut Membership> {
        let all = (chat, user, Pos(0))..=(chat, user, Pos(u64::MAX));
        let (_, last) = self.memberships.range_mut(all).next_back()?;
        (last.to_pos.is_none()).then_some(last)
    }

    /// The next event must stand directly behind the last one, in the log and in its stream.
    fn advance(&mut self, event: &Event) -> &mut Head {
        let head = self.heads.entry(event.stream).or_default();
        assert_eq!(event.log_id, self.log.next(), "the log is dense: {event:?}");
        assert_eq!(event.pos, head.last_pos.next(), "the stream is dense: {event:?}");
        assert_eq!(event.span, 1, "nothing is folded as it is published");
        self.log = event.log_id;
        head.last_pos = event.pos;
        head.last_log = event.log_id;
        head
    }
}

/// Takes the state from before the event to after it.
///
/// # Panics
/// When the event cannot follow this state, or says something of it that is not so.
pub fn apply(state: &mut State, event: &Event) {
    let head = state.advance(event);
    match (&event.body, event.stream) {
        (EventBody::UserRegistered(user), StreamId::User(id)) => {
            assert_eq!((user.id, event.actor), (id, id));
            assert_eq!(state.users.insert(id, user.clone()), None, "registered twice");
        }
        (EventBody::UserUpdated(user), StreamId::User(id)) => {
            assert_eq!((user.id, event.actor), (id, id));
            let before = state.users.insert(id, user.clone());
            assert!(before.is_some_and(|before| before != *user), "something has changed");
        }
        (EventBody::SessionEnded { .. }, StreamId::User(_)) => {}
        (EventBody::ConversationCreated { conversation, participants }, StreamId::Conversation(id)) => {
            head.last_sent_log = event.log_id;
            assert_eq!((conversation.id, conversation.created_by), (id, event.actor));
            assert_eq!(state.conversations.insert(id, conversation.clone()), None, "made twice");
            for participant in participants {
                enter(state, event, id, &participant.user, &participant.membership);
            }
        }
        (EventBody::ParticipantJoined(participant), StreamId::Conversation(id)) => {
            enter(state, event, id, &participant.user, &participant.membership);
        }
        (EventBody::ParticipantLeft { user, membership }, StreamId::Conversation(id)) => {
            leave(state, event, id, user, membership);
        }
        (EventBody::MessageSent(message), StreamId::Conversation(id)) => send(state, event, id, message),
        (EventBody::MessageEdited(message), StreamId::Conversation(id)) => edit(state, event, id, message),
        (EventBody::MessageDeleted(message), StreamId::Conversation(id)) => delete(state, event, id, message),
        (EventBody::ReactionAdded(change), StreamId::Conversation(id)) => {
            assert!(state.open_interval(id, event.actor).is_some(), "who reacts is in");
            let emoji = state.reactions.entry(change.message).or_default();
            let new = (event.actor, event.log_id);
            match emoji.iter_mut().find(|(emoji, _)| *emoji == change.emoji) {
                Some((_, users)) => {
                    assert!(users.iter().all(|(user, _)| *user != event.actor), "twice");
                    users.push(new);
                }
                None => emoji.push((change.emoji.clone(), vec![new])),
            }
            react(state, id, change);
        }
        (EventBody::ReactionRemoved(change), StreamId::Conversation(id)) => {
            let emoji = state.reactions.get_mut(&change.message).expect("somebody has reacted");
            let (_, users) = emoji.iter_mut().find(|(emoji, _)| *emoji == change.emoji).expect("by this");
            let before = users.len();
            users.retain(|(user, _)| *user != event.actor);
            assert_eq!(users.len() + 1, before, "it was there");
            emoji.retain(|(_, users)| !users.is_empty());
            react(state, id, change);
        }
        (
            EventBody::ParticipantUpdated { user, from_pos, history_from_seq, role },
            StreamId::Conversation(id),
        ) => {
            assert_eq!(state.users.get(&user.id), Some(user), "as the account stands");
            let interval = state.open_interval(id, user.id).expect("who has a role is in");
            assert_eq!((interval.from_pos, interval.history_from_seq), (*from_pos, *history_from_seq));
            assert_ne!(interval.role, *role, "it changes");
            let before = mem::replace(&mut interval.role, *role);
            state.former_roles.entry((id, user.id, *from_pos)).or_default().push((event.pos, before));
        }
        (EventBody::MessagesRead(receipts), StreamId::Conversation(id)) => {
            for receipt in receipts {
                read(state, id, receipt);
            }
        }
        (EventBody::MessagesDelivered(receipts), StreamId::Conversation(id)) => {
            for receipt in receipts {
                let marks = &mut state.open_interval(id, receipt.user).expect("who receives is in").marks;
                assert!(receipt.seq > marks.delivered_seq, "it moves");
                marks.delivered_seq = receipt.seq;
            }
        }
        (EventBody::OwnMarks { conversation, from_pos, marks, .. }, StreamId::User(user)) => {
            assert_eq!(event.actor, user);
            let interval = state.open_interval(*conversation, user).expect("who reads is in");
            assert_eq!(interval.from_pos, *from_pos);
            assert_ne!(interval.marks, *marks, "something has moved");
            interval.marks = *marks;
            assert_eq!(marks.read_ord, ord_at(state, *conversation, marks.read_seq));
        }
        (EventBody::PreferencesUpdated { conversation, from_pos, preferences }, StreamId::User(user)) => {
            assert_eq!(event.actor, user);
            let interval = state.open_interval(*conversation, user).expect("who chooses is in");
            assert_eq!(interval.from_pos, *from_pos);
            assert_ne!(interval.preferences, *preferences, "something has changed");
            interval.preferences = *preferences;
        }
        (body, stream) => panic!("an event in a stream of the wrong kind, {stream}: {body:?}"),
    }
}

fn enter(state: &mut State, event: &Event, id: ConversationId, user: &User, membership: &Membership) {
    let head = state.heads[&event.stream];
    assert_eq!(state.users.get(&user.id), Some(user), "as the account stands");
    assert_eq!((membership.conversation, membership.user), (id, user.id));
    assert_eq!(
        (membership.from_pos, membership.from_log),
        (event.pos, event.log_id),
        "one sees one's own joining"
    );
    assert_eq!((membership.to_pos, membership.to_seq, membership.to_log), (None, None, None));
    assert_eq!((membership.from_seq, membership.marks.read_ord), (head.last_seq.next(), head.last_ord));
    assert_eq!(membership.state, MembershipState::Active);
    assert_eq!(membership.preferences, Preferences::default());
    assert!(state.open_interval(id, user.id).is_none(), "is in already");
    state.memberships.insert((id, user.id, event.pos), membership.clone());
}

fn leave(state: &mut State, event: &Event, id: ConversationId, user: &User, membership: &Membership) {
    let last_seq = state.heads[&event.stream].last_seq;
    assert_eq!(state.users.get(&user.id), Some(user), "as the account stands");
    let interval = state.open_interval(id, user.id).expect("who goes was in");
    interval.to_pos = Some(event.pos);
    interval.to_log = Some(event.log_id);
    interval.to_seq = Some(last_seq);
    let own = event.actor == user.id;
    interval.state = if own { MembershipState::Left } else { MembershipState::Removed };
    assert_eq!(membership, interval, "the event carries the interval, closed, with its marks");
}

fn send(state: &mut State, event: &Event, id: ConversationId, message: &Message) {
    let head = state.heads.entry(event.stream).or_default();
    assert_eq!((message.id.conversation, message.pos, message.sender), (id, event.pos, event.actor));
    assert_eq!((message.id.seq, message.ord), (head.last_seq.next(), head.last_ord + 1), "dense");
    assert_eq!((message.created_at, message.version), (event.at, 1));
    head.last_seq = message.id.seq;
    head.last_ord = message.ord;
    head.last_sent_log = event.log_id;
    let (seq, ord) = (message.id.seq, message.ord);
    let marks = &mut state.open_interval(id, message.sender).expect("who sends is in").marks;
    marks.read_seq = seq;
    marks.read_ord = ord;
    marks.public_read_seq = seq;
    marks.delivered_seq = seq;
    assert_eq!(state.messages.insert(message.id, message.clone()), None, "sent twice");
}

fn edit(state: &mut State, event: &Event, id: ConversationId, edited: &Message) {
    let message = state.messages.get_mut(&edited.id).expect("it was sent");
    assert_eq!((message.id.conversation, message.sender), (id, event.actor), "by its author");
    assert_eq!(message.deletion, None, "what is gone is not edited");
    state.former_texts.entry(edited.id).or_default().push((event.pos, message.clone()));
    message.content.clone_from(&edited.content);
    message.version += 1;
    message.edited_at = Some(event.at);
    assert_eq!(edited, message, "nothing else of it has changed");
}

fn delete(state: &mut State, event: &Event, id: ConversationId, left: &Message) {
    let message = state.messages.get_mut(&left.id).expect("it was sent");
    assert_eq!((message.id.conversation, message.deletion), (id, None), "once");
    message.content.clear();
    message.metadata = None;
    message.reactions.clear();
    message.deletion = Some(Deletion { at: event.at, by: event.actor });
    assert_eq!(left, message, "its place is left");
    state.reactions.remove(&left.id);
}

fn summary(emoji: &str, users: &[UserId]) -> Reaction {
    Reaction {
        emoji: emoji.to_owned(),
        count: users.len() as u64,
        users: users.iter().take(USERS_SHOWN).copied().collect(),
        mine: false,
    }
}

/// What was so at a position, of what was so until some later one.
fn first_after<T>(former: Option<&Vec<(Pos, T)>>, at: Pos) -> Option<&(Pos, T)> {
    former?.iter().find(|(until, _)| *until > at)
}

/// The event says what is on the message after it.
fn react(state: &mut State, id: ConversationId, change: &ReactionChange) {
    let message = state.messages.get_mut(&change.message).expect("it was sent");
    assert_eq!((message.id.conversation, message.pos), (id, change.message_pos));
    assert_eq!(message.deletion, None, "nobody reacts to what is gone");
    let reactions = state.reactions[&change.message].iter();
    message.reactions = reactions
        .map(|(emoji, users)| summary(emoji, &users.iter().map(|(user, _)| *user).collect::<Vec<_>>()))
        .collect();
    assert_eq!(change.reactions, message.reactions);
}

/// Others see it, and what was read was received.
fn read(state: &mut State, id: ConversationId, receipt: &Receipt) {
    let ord = ord_at(state, id, receipt.seq);
    let marks = &mut state.open_interval(id, receipt.user).expect("who reads is in").marks;
    assert!(receipt.seq > marks.public_read_seq, "it moves");
    marks.public_read_seq = receipt.seq;
    marks.delivered_seq = marks.delivered_seq.max(receipt.seq);
    if receipt.seq > marks.read_seq {
        marks.read_seq = receipt.seq;
        marks.read_ord = ord;
    }
}

fn ord_at(state: &State, id: ConversationId, seq: Seq) -> u64 {
    state.messages.get(&MessageId { conversation: id, seq }).map_or(0, |message| message.ord)
}
