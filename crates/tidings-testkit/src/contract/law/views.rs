//! What the ports must answer in a given state.

use std::cmp::Reverse;

use tidings_core::conversations::{
    ConversationKind, ConversationView, Head, Marks, Membership, MembershipState, PARTICIPANTS_SHOWN,
    Participant,
};
use tidings_core::ids::{ConversationId, LogId, MessageId, Pos, StreamId, UserId};
use tidings_core::messages::{HistoryAnchor, Message};
use tidings_core::ports::store::Interval;
use tidings_core::receipts::{UnreadConversation, UnreadList};

use super::State;
use crate::contract::Desk;
use crate::contract::desk::ALL;

impl State {
    fn head(&self, chat: ConversationId) -> Head {
        self.heads[&StreamId::Conversation(chat)]
    }

    /// The conversation as the viewer sees it; none to strangers.
    fn view(&self, viewer: UserId, chat: ConversationId) -> Option<ConversationView> {
        let me = self.intervals(chat, viewer).next_back()?.clone();
        let (head, conversation) = (self.head(chat), self.conversations[&chat].clone());
        let mut participants = self.participants(&me);
        let participant_count = participants.len();
        if conversation.kind == ConversationKind::Group {
            participants.truncate(PARTICIPANTS_SHOWN);
        }
        Some(ConversationView {
            conversation,
            participant_count,
            participants,
            pos: me.to_pos.unwrap_or(head.last_pos),
            last_seq: me.to_seq.unwrap_or(head.last_seq),
            last_message: self.history(viewer, chat).pop(),
            unread: self.unread(&me),
            me,
            last_sent_log: head.last_sent_log,
        })
    }

    /// By counting, one by one.
    fn unread(&self, me: &Membership) -> u64 {
        let is_unread = |id: &&MessageId| id.conversation == me.conversation && id.seq > me.marks.read_seq;
        let count = self.messages.keys().filter(is_unread).count();
        if me.state == MembershipState::Active { count as u64 } else { 0 }
    }

    /// Who was in after the last event that `me` may see.
    fn participants(&self, me: &Membership) -> Vec<Participant> {
        let at = me.to_pos.unwrap_or(Pos(u64::MAX));
        let mut present: Vec<Participant> = self
            .memberships
            .values()
            .filter(|other| other.conversation == me.conversation && other.from_pos <= at)
            .filter(|other| other.to_pos.is_none_or(|to| to > at))
            .map(|other| Participant {
                user: self.users[&other.user].clone(),
                membership: Membership {
                    to_pos: None,
                    to_seq: None,
                    to_log: None,
                    state: MembershipState::Active,
                    role: self.role_at(other, at),
                    ..other.clone()
                },
            })
            .collect();
        present.sort_by_key(|other| (other.membership.from_pos, other.user.id));
        // To one who left they would tell who has been there since.
        if me.to_pos.is_some() {
            present.iter_mut().for_each(|other| other.membership.marks = Marks::default());
        }
        present
    }

    /// What the viewer may read, oldest first.
    fn history(&self, viewer: UserId, chat: ConversationId) -> Vec<Message> {
        let may_read = |message: &&Message| {
            self.intervals(chat, viewer).any(|one| {
                one.history_from_seq <= message.id.seq && one.to_seq.is_none_or(|to| message.id.seq <= to)
            })
        };
        self.messages
            .values()
            .filter(|message| message.id.conversation == chat)
            .filter(may_read)
            .map(|message| self.message_to(viewer, message.id))
            .collect()
    }

    /// The conversations that the viewer is in, latest message first.
    fn list(&self, viewer: UserId) -> Vec<ConversationView> {
        let views = self.conversations.keys().filter_map(|chat| self.view(viewer, *chat));
        let mut list: Vec<_> = views.filter(|view| view.me.to_pos.is_none()).collect();
        list.sort_by_key(|view| {
            (Reverse(view.me.preferences.pinned), Reverse(view.last_sent_log), view.conversation.id)
        });
        list
    }

    fn roster(&self, chat: ConversationId) -> Vec<Interval> {
        let here = self.memberships.values().filter(|one| one.conversation == chat);
        let mut roster: Vec<_> =
            here.map(|one| Interval { user: one.user, from_pos: one.from_pos, to_pos: one.to_pos }).collect();
        roster.sort_by_key(|one| (one.from_pos, one.user));
        roster
    }
}

/// What the ports say of these streams: every viewer's view of them, and the longer answers to one viewer by turns,
/// since each costs as much as the whole intention.
pub async fn assert_streams_match(desk: &Desk, state: &State, streams: &[StreamId], turn: usize) {
    let viewers: Vec<UserId> = state.users.keys().copied().collect();
    let viewer = viewers[turn % viewers.len()];
    assert_ends_match(desk, state, streams).await;
    for chat in streams.iter().filter_map(conversation) {
        assert_pages_match(desk, state, chat, viewer).await;
    }
    assert_list_matches(desk, state, viewer).await;
}

/// Everything that the ports say, to everybody.
pub async fn assert_everything_matches(desk: &Desk, state: &State) {
    let streams: Vec<_> = state.heads.keys().copied().collect();
    assert_ends_match(desk, state, &streams).await;
    for viewer in state.users.keys() {
        for chat in state.conversations.keys() {
            assert_pages_match(desk, state, *chat, *viewer).await;
        }
        assert_list_matches(desk, state, *viewer).await;
    }
}

fn conversation(stream: &StreamId) -> Option<ConversationId> {
    match stream {
        StreamId::Conversation(chat) => Some(*chat),
        StreamId::User(_) => None,
    }
}

async fn assert_ends_match(desk: &Desk, state: &State, streams: &[StreamId]) {
    assert_eq!(desk.end().await, state.log);
    for stream in streams {
        match *stream {
            StreamId::Conversation(chat) => assert_views_match(desk, state, chat).await,
            StreamId::User(id) => assert_user_matches(desk, state, id).await,
        }
    }
}

async fn assert_user_matches(desk: &Desk, state: &State, id: UserId) {
    let user = &state.users[&id];
    assert_eq!(desk.store.find_user(user.app, id).await.unwrap().as_ref(), Some(user));
    let found = desk.store.find_credentials(user.app, &user.username).await.unwrap();
    assert_eq!(found.map(|found| found.user).as_ref(), Some(user));
}

async fn assert_views_match(desk: &Desk, state: &State, chat: ConversationId) {
    let rosters = desk.store.load_rosters(&[chat], LogId(0)).await.unwrap();
    assert_eq!(rosters, [state.roster(chat)], "the roster");
    for (viewer, user) in &state.users {
        let found = desk.store.find_conversation(*viewer, chat).await.unwrap();
        assert_eq!(found, state.view(*viewer, chat), "the conversation as {} sees it", user.username);
    }
}

async fn assert_pages_match(desk: &Desk, state: &State, chat: ConversationId, viewer: UserId) {
    let name = &state.users[&viewer].username;
    let page = desk.store.list_messages(viewer, chat, HistoryAnchor::Latest, ALL).await;
    let Some(expected) = state.view(viewer, chat) else {
        assert!(page.is_err(), "{name} is a stranger and reads {page:?}");
        return;
    };
    let page = page.expect("one of its people");
    assert_eq!(page.messages, state.history(viewer, chat), "the history as {name} reads it");
    assert_eq!((page.pos, page.has_more_before, page.has_more_after), (expected.pos, false, false));
    let people = desk.store.list_participants(viewer, chat, None, ALL).await.unwrap();
    assert_eq!(people.participants, state.participants(&expected.me), "the participants as {name} sees them");
}

async fn assert_list_matches(desk: &Desk, state: &State, viewer: UserId) {
    let list = desk.store.list_unread(viewer, ALL).await.unwrap();
    let mut by_message = state.list(viewer);
    by_message.sort_by_key(|view| (Reverse(view.last_sent_log), view.conversation.id));
    let expected: Vec<_> = by_message
        .iter()
        .filter(|view| view.unread > 0)
        .map(|view| UnreadConversation { conversation: view.conversation.id, unread: view.unread })
        .collect();
    let unread = expected.iter().map(|one| one.unread).sum();
    assert_eq!(list, UnreadList { unread, conversations: expected }, "unread, by every way the same");
    let page = desk.store.list_conversations(viewer, Default::default(), None, ALL).await.unwrap();
    assert_eq!(page.conversations, state.list(viewer), "the list of {}", state.users[&viewer].username);
}
