//! Random intentions of a handful of people, the impossible and the repeated among them.

use tidings_core::accounts::{Error as AccountError, SettingsChange};
use tidings_core::conversations::{Error as ConversationError, PreferencesChange, Role};
use tidings_core::error::{Refusal, StoreError};
use tidings_core::ids::{ConversationId, MessageId, Seq, UserId};
use tidings_core::ports::store::{
    AddParticipants, AddReaction, AppendMessage, EditMessage, NewConversation, UpdatePreferences, UserChange,
};

use crate::builders::mixed;
use crate::contract::{Desk, Person};

/// How often what happens.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mix {
    /// Sends, in a hundred.
    pub send: u64,
}

/// What somebody wants. People and conversations are numbers in the cast.
#[derive(Debug, Clone)]
pub(super) enum Intention {
    Register { name: String },
    Send { who: usize, chat: ConversationId, stale: bool },
    Retry { append: AppendMessage, other_body: bool },
    Edit { who: usize, message: MessageId, text: String, version: Option<u32>, stale: bool },
    Delete { who: usize, message: MessageId },
    React { who: usize, message: MessageId, emoji: &'static str, is_added: bool, max: usize },
    Mark { who: usize, chat: ConversationId, read: Option<Seq>, delivered: Option<Seq> },
    MarkUnread { who: usize, chat: ConversationId, seq: Seq },
    Change { who: usize, name: String, read_receipts: bool },
    Prefer { who: usize, chat: ConversationId, change: PreferencesChange },
    Direct { who: usize, with: usize },
    Notes { who: usize },
    Group { who: usize, users: Vec<UserId>, key: Option<String> },
    GroupRetry { new: NewConversation },
    Add { who: usize, chat: ConversationId, users: Vec<UserId>, max: usize, key: Option<String> },
    Remove { who: usize, chat: ConversationId, gone: usize },
    Promote { who: usize, chat: ConversationId, other: usize, role: Role },
    LogOut { who: usize },
}

/// What became of it.
#[derive(Debug)]
pub(super) enum Outcome {
    /// The store took it.
    Done,
    /// It stood already.
    Again,
    /// A rule said no, by its code.
    Refused(&'static str),
}

impl Outcome {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Again => "again",
            Self::Refused(code) => code,
        }
    }

    fn of<T, E: Refusal + std::fmt::Debug>(answer: Result<T, E>, again: impl Fn(&T) -> bool) -> Self {
        match answer {
            Ok(value) if again(&value) => Self::Again,
            Ok(_) => Self::Done,
            Err(error) => {
                let broken = [StoreError::Failed.code(), StoreError::OutcomeUnknown.code()];
                assert!(!broken.contains(&error.code()), "the store itself failed: {error:?}");
                Self::Refused(error.code().as_str())
            }
        }
    }
}

impl Intention {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Register { .. } => "register",
            Self::Send { .. } => "send",
            Self::Retry { other_body: false, .. } => "retry",
            Self::Retry { other_body: true, .. } => "retry with another body",
            Self::Edit { .. } => "edit",
            Self::Delete { .. } => "delete",
            Self::React { is_added: true, .. } => "react",
            Self::React { is_added: false, .. } => "take back",
            Self::Mark { .. } => "mark",
            Self::MarkUnread { .. } => "mark unread",
            Self::Change { .. } => "change",
            Self::Prefer { .. } => "prefer",
            Self::Direct { .. } => "direct",
            Self::Notes { .. } => "notes",
            Self::Group { .. } => "group",
            Self::GroupRetry { .. } => "group retry",
            Self::Add { .. } => "add",
            Self::Remove { who, gone, .. } if who == gone => "leave",
            Self::Remove { .. } => "remove",
            Self::Promote { .. } => "promote",
            Self::LogOut { .. } => "log out",
        }
    }

    /// The conversation that it is about, if there is one before it.
    pub(super) fn conversation(&self) -> Option<ConversationId> {
        match self {
            Self::Send { chat, .. }
            | Self::Add { chat, .. }
            | Self::Remove { chat, .. }
            | Self::Promote { chat, .. }
            | Self::Prefer { chat, .. }
            | Self::Mark { chat, .. }
            | Self::MarkUnread { chat, .. } => Some(*chat),
            Self::Retry { append, .. } => Some(append.conversation),
            Self::Edit { message, .. } | Self::Delete { message, .. } | Self::React { message, .. } => {
                Some(message.conversation)
            }
            _ => None,
        }
    }
}

/// Who and what there is, and the dice.
pub(super) struct Cast {
    people: Vec<Person>,
    /// The login of each before the present one, once it has ended.
    stale: Vec<Option<Person>>,
    chats: Vec<ConversationId>,
    sent: Vec<AppendMessage>,
    /// What came of them, and who sent it.
    messages: Vec<(MessageId, usize)>,
    groups: Vec<NewConversation>,
    mix: Mix,
    dice: u64,
    restart_at: usize,
}

const NAMES: [&str; 6] = ["alice", "bob", "carol", "dora", "eve", "frank"];

impl Cast {
    pub(super) async fn arrive(desk: &Desk, seed: u64, mix: Mix) -> Self {
        let people = desk.people(["alice", "bob", "carol", "dora"]).await.to_vec();
        let chats = vec![desk.group([&people[0], &people[1], &people[2]]).await];
        let stale = vec![None; people.len()];
        let mut cast = Self {
            people,
            stale,
            chats,
            sent: vec![],
            messages: vec![],
            groups: vec![],
            mix,
            dice: mixed(seed),
            restart_at: 0,
        };
        cast.restart_at = cast.below(super::INTENTIONS * 3);
        cast
    }

    /// One sequence in three.
    pub(super) fn wants_restart(&self, step: usize) -> bool {
        step == self.restart_at
    }

    fn below(&mut self, n: usize) -> usize {
        self.dice = self.dice.wrapping_add(1);
        usize::try_from(mixed(self.dice) % n as u64).expect("below a usize")
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    fn someone(&mut self) -> usize {
        self.below(self.people.len())
    }

    fn someone_else(&mut self) -> UserId {
        let n = self.someone();
        self.people[n].id()
    }

    fn some_chat(&mut self) -> ConversationId {
        let n = self.below(self.chats.len());
        self.chats[n]
    }

    fn some_users(&mut self, desk: &Desk) -> Vec<UserId> {
        let count = 1 + self.below(3);
        let mut users: Vec<UserId> = (0..count).map(|_| self.someone_else()).collect();
        if self.one_in(12) {
            users.push(desk.make.user("nobody").id);
        }
        users
    }

    pub(super) fn choose(&mut self, desk: &Desk) -> Intention {
        desk.make.clock.advance_seconds(1);
        let who = self.someone();
        if self.below(100) < usize::try_from(self.mix.send).unwrap_or(100) {
            let stale = self.one_in(6);
            return Intention::Send { who, chat: self.some_chat(), stale };
        }
        match self.below(42) {
            40.. => {
                let (pinned, archived) = (Some(self.one_in(2)), self.one_in(2).then_some(true));
                let change = PreferencesChange { pinned, archived, ..PreferencesChange::default() };
                Intention::Prefer { who, chat: self.some_chat(), change }
            }
            38 | 39 => self.some_promotion(),
            36 | 37 => {
                let (name, read_receipts) = (format!("Name {}", self.below(3)), self.one_in(2));
                Intention::Change { who, name, read_receipts }
            }
            28..36 => self.some_mark(),
            16..28 if !self.messages.is_empty() => self.some_change(),
            0 => Intention::Register { name: NAMES[self.below(NAMES.len())].to_owned() },
            1 => self.some_direct(who),
            2 => Intention::Notes { who },
            3 | 4 => self.some_group(desk, who),
            5 if !self.groups.is_empty() => {
                let n = self.below(self.groups.len());
                Intention::GroupRetry { new: self.groups[n].clone() }
            }
            6 | 7 if !self.sent.is_empty() => {
                let n = self.below(self.sent.len());
                Intention::Retry { append: self.sent[n].clone(), other_body: self.one_in(3) }
            }
            8 => Intention::LogOut { who },
            5..=11 => self.some_add(desk, who),
            12 => Intention::Remove { who, chat: self.some_chat(), gone: who },
            _ => {
                let who = if self.one_in(2) { 0 } else { who };
                Intention::Remove { who, chat: self.some_chat(), gone: self.someone() }
            }
        }
    }

    /// Of one of the first messages or of the last, so that much happens to the same.
    fn some_change(&mut self) -> Intention {
        let (count, step) = (self.messages.len(), self.below(self.messages.len().min(2)));
        let n = if self.one_in(2) { step } else { count - 1 - step };
        let (message, author) = self.messages[n];
        let who = if self.one_in(2) { author } else { self.someone() };
        match self.below(12) {
            0..5 => {
                let text = ["one", "two"][self.below(2)].to_owned();
                let version = if self.one_in(3) { Some(1 + self.below(3) as u32) } else { None };
                Intention::Edit { who, message, text, version, stale: self.one_in(6) }
            }
            5 | 6 => Intention::Delete { who, message },
            _ => {
                let emoji = ["👍", ":crab:"][self.below(2)];
                let (is_added, max) = (!self.one_in(2), if self.one_in(2) { 1 } else { 3 });
                Intention::React { who, message, emoji, is_added, max }
            }
        }
    }

    fn some_promotion(&mut self) -> Intention {
        let who = if self.one_in(2) { 0 } else { self.someone() };
        let role = [Role::Owner, Role::Admin, Role::Member][self.below(3)];
        Intention::Promote { who, chat: self.some_chat(), other: self.someone(), role }
    }

    fn some_mark(&mut self) -> Intention {
        let (who, chat, seq) = (self.someone(), self.some_chat(), Seq(self.below(8) as u64));
        match self.below(4) {
            0 => Intention::MarkUnread { who, chat, seq },
            1 => Intention::Mark { who, chat, read: None, delivered: Some(seq) },
            2 => Intention::Mark { who, chat, read: Some(seq.previous()), delivered: Some(seq) },
            _ => Intention::Mark { who, chat, read: Some(seq), delivered: None },
        }
    }

    fn some_direct(&mut self, who: usize) -> Intention {
        // Often the same two.
        let who = if self.one_in(2) { 0 } else { who };
        let step = if self.one_in(2) { 1 } else { 1 + self.below(self.people.len() - 1) };
        Intention::Direct { who, with: (who + step) % self.people.len() }
    }

    fn some_group(&mut self, desk: &Desk, who: usize) -> Intention {
        let users = self.some_users(desk);
        let key = self.one_in(2).then(|| format!("key-{}", self.dice));
        Intention::Group { who, users, key }
    }

    fn some_add(&mut self, desk: &Desk, who: usize) -> Intention {
        // The first of them owns the first group, so that not everything is refused.
        let who = if self.one_in(2) { 0 } else { who };
        let max = if self.one_in(8) { 3 } else { 100 };
        let key = self.one_in(3).then(|| format!("key-{}", self.below(5)));
        Intention::Add { who, chat: self.some_chat(), users: self.some_users(desk), max, key }
    }

    pub(super) async fn perform(&mut self, desk: &Desk, intention: &Intention) -> Outcome {
        let before = desk.log.len();
        let is_silent = || desk.log.len() == before;
        match intention {
            Intention::Register { name } => self.register(desk, name).await,
            Intention::Send { who, chat, stale } => self.send(desk, *who, *chat, *stale).await,
            Intention::Retry { append, other_body } => self.retry(desk, append, *other_body).await,
            Intention::Edit { who, message, text, version, stale } => {
                let author = self.stale[*who].as_ref().filter(|_| *stale).unwrap_or(&self.people[*who]);
                let edit = desk.make.edit(&author.actor, *message, text);
                let edit = EditMessage { version: *version, ..edit };
                Outcome::of(desk.store.edit_message(edit).await, |_| is_silent())
            }
            Intention::Delete { who, message } => {
                let delete = desk.make.deletion(&self.people[*who].actor, *message);
                Outcome::of(desk.store.delete_message(delete).await, |_| is_silent())
            }
            Intention::React { who, message, emoji, is_added, max } => {
                let add = desk.make.reaction(&self.people[*who].actor, *message, emoji);
                let add = AddReaction { user_emoji_max: *max, ..add };
                let answer = if *is_added {
                    desk.store.add_reaction(add).await
                } else {
                    desk.store.remove_reaction(desk.make.taking_back(&add)).await
                };
                Outcome::of(answer, |_| is_silent())
            }
            Intention::Mark { who, chat, read, delivered } => {
                let marks = desk.make.marks(&self.people[*who].actor, *chat, *read, *delivered);
                let mut answers = desk.store.advance_marks(marks).await.expect("refusals are data");
                Outcome::of(answers.remove(0), |_| is_silent())
            }
            Intention::MarkUnread { who, chat, seq } => {
                let mark = desk.make.unread_from(&self.people[*who].actor, *chat, *seq);
                Outcome::of(desk.store.mark_unread(mark).await, |_| is_silent())
            }
            Intention::Change { who, name, read_receipts } => {
                Outcome::of(self.change(desk, *who, name, *read_receipts).await, |()| is_silent())
            }
            Intention::Prefer { who, chat, change } => {
                let (actor, now) = (self.people[*who].actor, desk.make.now());
                let update = UpdatePreferences { actor, conversation: *chat, change: *change, now };
                Outcome::of(desk.store.update_preferences(update).await, |_| is_silent())
            }
            Intention::Direct { who, with } => {
                self.make(desk, desk.make.direct(&self.people[*who].actor, self.people[*with].id())).await
            }
            Intention::Notes { who } => self.make(desk, desk.make.notes(&self.people[*who].actor)).await,
            Intention::Group { who, users, key } => self.make_group(desk, *who, users, key.as_deref()).await,
            Intention::GroupRetry { new } => self.make(desk, new.clone()).await,
            Intention::Add { who, chat, users, max, key } => {
                let request = key.as_ref().map(|key| desk.make.keyed(key, &format!("{chat} {users:?}")));
                let add = desk.make.addition(&self.people[*who].actor, *chat, users);
                let add = AddParticipants { participants_max: *max, request, ..add };
                Outcome::of(desk.store.add_participants(add).await, |_| false)
            }
            Intention::Remove { who, chat, gone } => {
                let remove = desk.make.removal(&self.people[*who].actor, *chat, self.people[*gone].id());
                Outcome::of(desk.store.remove_participant(remove).await, |()| false)
            }
            Intention::Promote { who, chat, other, role } => {
                let update = desk.make.role(&self.people[*who].actor, *chat, self.people[*other].id(), *role);
                Outcome::of(desk.store.update_participant(update).await, |_| is_silent())
            }
            Intention::LogOut { who } => self.log_out(desk, *who).await,
        }
    }

    async fn register(&mut self, desk: &Desk, name: &str) -> Outcome {
        let user = desk.make.user(name);
        let answer = desk.store.insert_user(&user, &desk.make.password()).await;
        if answer.is_ok() {
            self.people.push(desk.log_in(&user).await);
            self.stale.push(None);
        }
        Outcome::of(answer, |()| false)
    }

    async fn change(
        &mut self,
        desk: &Desk,
        who: usize,
        name: &str,
        read_receipts: bool,
    ) -> Result<(), AccountError> {
        let change = UserChange {
            display_name: Some(name.to_owned()),
            settings: SettingsChange { read_receipts: Some(read_receipts), ..SettingsChange::default() },
            ..UserChange::default()
        };
        let answer = desk.store.update_user(desk.make.update(&self.people[who].actor, change)).await;
        if let Ok(user) = &answer {
            self.people[who].user = user.clone();
        }
        answer.map(drop)
    }

    async fn send(&mut self, desk: &Desk, who: usize, chat: ConversationId, stale: bool) -> Outcome {
        let sender = self.stale[who].as_ref().filter(|_| stale).unwrap_or(&self.people[who]);
        let append = desk.make.message(&sender.actor, chat, &format!("message {}", self.dice));
        let answer = desk.store.append_message(append.clone()).await;
        if let Ok(sent) = &answer {
            self.sent.push(append);
            self.messages.push((sent.message.id, who));
        }
        Outcome::of(answer, |sent| sent.replayed)
    }

    async fn retry(&mut self, desk: &Desk, append: &AppendMessage, other_body: bool) -> Outcome {
        let present = self.people.iter().find(|person| person.id() == append.actor.user);
        let mut append = append.clone();
        append.actor = present.map_or(append.actor, |person| person.actor);
        if other_body {
            append.request_mac = desk.make.mac("another body");
        }
        Outcome::of(desk.store.append_message(append).await, |sent| sent.replayed)
    }

    async fn make(&mut self, desk: &Desk, mut new: NewConversation) -> Outcome {
        let present = self.people.iter().find(|person| person.id() == new.actor.user);
        new.actor = present.map_or(new.actor, |person| person.actor);
        let answer = desk.store.insert_conversation(new).await;
        if let Ok(created) = &answer
            && !created.found
        {
            self.chats.push(created.view.conversation.id);
        }
        Outcome::of(answer, |created| created.found)
    }

    async fn make_group(&mut self, desk: &Desk, who: usize, users: &[UserId], key: Option<&str>) -> Outcome {
        let request = key.map(|key| desk.make.keyed(key, key));
        let new = NewConversation { request, ..desk.make.group(&self.people[who].actor, users) };
        let outcome = self.make(desk, new.clone()).await;
        if key.is_some() && matches!(outcome, Outcome::Done) {
            // A retry comes with another id: the server draws one for each request.
            self.groups.push(NewConversation { id: desk.make.group(&new.actor, &[]).id, ..new });
        }
        outcome
    }

    async fn log_out(&mut self, desk: &Desk, who: usize) -> Outcome {
        desk.log_out(&self.people[who]).await;
        let again = desk.log_in(&self.people[who].user).await;
        self.stale[who] = Some(std::mem::replace(&mut self.people[who], again));
        Outcome::of(Ok::<_, ConversationError>(()), |()| false)
    }
}
