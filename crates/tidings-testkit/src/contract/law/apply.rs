//! What each event does to the state: the one place that knows, for every store.

use std::collections::BTreeMap;

use tidings_core::accounts::User;
use tidings_core::conversations::{Conversation, Head, Membership, MembershipState};
use tidings_core::events::{Event, EventBody};
use tidings_core::ids::{ConversationId, LogId, MessageId, Pos, StreamId, UserId};
use tidings_core::messages::Message;

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
    /// Messages.
    pub messages: BTreeMap<MessageId, Message>,
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
