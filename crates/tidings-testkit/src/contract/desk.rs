//! The store under test, with people at it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use tidings_core::accounts::User;
use tidings_core::conversations::{
    ConversationFilter, ConversationView, CreatedConversation, Error as ConversationError, Participant,
};
use tidings_core::events::Event;
use tidings_core::ids::{ConversationId, LogId, MessageId, UserId};
use tidings_core::messages::{Error as MessageError, HistoryAnchor, HistoryPage, Message};
use tidings_core::ports::event_log::{EventLog, Tailed};
use tidings_core::ports::store::{PageMax, Store};
use tidings_core::reactions::{Error as ReactionError, Reaction};
use tidings_core::sessions::{Actor, Session};

use super::DataSet;
use crate::builders::Values;

/// More than any page of these stories.
pub(super) const ALL: usize = 1_000;
/// The same, for pages of events.
pub(super) const EVERYTHING: PageMax = PageMax::events(ALL);

/// The only one.
pub(super) fn only(events: &[Event]) -> &Event {
    let [event] = events else { panic!("one event: {events:?}") };
    event
}

/// A store, what it has published, and what it takes to ask something of it.
pub struct Desk {
    data_set: Box<dyn DataSet>,
    /// The store under test.
    pub store: Arc<dyn Store>,
    /// What it has published since it was last opened.
    pub log: Arc<Recorder>,
    /// Values for it.
    pub make: Values,
}

/// Somebody with an account and a session.
#[derive(Debug, Clone)]
pub struct Person {
    /// The account.
    pub user: User,
    /// The login.
    pub session: Session,
    /// Who asks with a token of it.
    pub actor: Actor,
}

impl Person {
    /// The account's id.
    #[must_use]
    pub fn id(&self) -> UserId {
        self.user.id
    }
}

/// A log that remembers everything, in the order in which it was published.
#[derive(Debug, Default)]
pub struct Recorder(Mutex<Vec<Arc<Event>>>);

impl Recorder {
    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Event>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Everything so far.
    #[must_use]
    pub fn all(&self) -> Vec<Event> {
        self.lock().iter().map(|event| Event::clone(event)).collect()
    }

    /// What came after the first `count` events.
    #[must_use]
    pub fn since(&self, count: usize) -> Vec<Event> {
        self.lock().iter().skip(count).map(|event| Event::clone(event)).collect()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }
}

#[async_trait]
impl EventLog for Recorder {
    fn publish(&self, events: Vec<Arc<Event>>) {
        self.lock().extend(events);
    }

    async fn tail(&self, _after: LogId) -> Tailed {
        Tailed::Behind
    }
}

impl Desk {
    /// A new store on an empty data set.
    pub async fn open(data_set: impl DataSet) -> Self {
        Self::open_seeded(Box::new(data_set), 1).await
    }

    pub(super) async fn open_seeded(data_set: Box<dyn DataSet>, seed: u64) -> Self {
        Self::open_with(data_set, Values::seeded(seed)).await
    }

    /// Closes the store and opens it again.
    #[must_use]
    pub async fn reopen(self) -> Self {
        let Self { data_set, store, make, .. } = self;
        drop(store);
        Self::open_with(data_set, make).await
    }

    /// Leaves the store and opens what another data set holds, which came from this one.
    #[must_use]
    pub async fn reopen_on(self, data_set: impl DataSet) -> Self {
        drop(self.store);
        Self::open_with(Box::new(data_set), self.make).await
    }

    async fn open_with(data_set: Box<dyn DataSet>, make: Values) -> Self {
        let log = Arc::new(Recorder::default());
        let recorder: Arc<dyn EventLog> = Arc::<Recorder>::clone(&log);
        let store = data_set.open(recorder).await;
        Self { data_set, store, log, make }
    }

    /// People of these names.
    pub async fn people<const N: usize>(&self, names: [&str; N]) -> [Person; N] {
        let mut people = Vec::new();
        for name in names {
            people.push(self.person(name).await);
        }
        people.try_into().expect("as many people as names")
    }

    /// Somebody of this name.
    pub async fn person(&self, name: &str) -> Person {
        self.arrive(self.make.user(name)).await
    }

    /// An account and a login for this user.
    pub async fn arrive(&self, user: User) -> Person {
        self.store.insert_user(&user, &self.make.password()).await.expect("an account");
        self.log_in(&user).await
    }

    /// One more login.
    pub async fn log_in(&self, user: &User) -> Person {
        let session = self.make.session(user);
        self.store
            .insert_session(self.make.new_session(&session, self.make.refresh_token()))
            .await
            .expect("a session");
        Person { user: user.clone(), actor: self.make.actor(&session), session }
    }

    /// A group of these people; its owner first.
    pub async fn group<const N: usize>(&self, people: [&Person; N]) -> ConversationId {
        let others: Vec<UserId> = people[1..].iter().map(|person| person.id()).collect();
        let new = self.make.group(&people[0].actor, &others);
        self.store.insert_conversation(new).await.expect("a group").view.conversation.id
    }

    /// What these two talk in.
    pub async fn direct(&self, one: &Person, other: &Person) -> CreatedConversation {
        let new = self.make.direct(&one.actor, other.id());
        self.store.insert_conversation(new).await.expect("a direct conversation")
    }

    /// Sends, as it must be possible.
    pub async fn send(&self, sender: &Person, chat: ConversationId, text: &str) -> Message {
        let message = self.try_send(sender, chat, text).await.expect("the message is taken");
        assert_eq!(message.content, text);
        message
    }

    /// Sends `count` messages.
    pub async fn send_many(&self, sender: &Person, chat: ConversationId, count: usize) {
        for n in 0..count {
            self.send(sender, chat, &format!("{} {n}", sender.user.username)).await;
        }
    }

    /// Sends.
    pub async fn try_send(
        &self,
        sender: &Person,
        chat: ConversationId,
        text: &str,
    ) -> Result<Message, MessageError> {
        let sent = self.store.append_message(self.make.message(&sender.actor, chat, text)).await?;
        assert!(!sent.replayed, "this client id was never used before");
        Ok(Message::clone(&sent.message))
    }

    /// Edits, as it must be possible.
    pub async fn edit(&self, author: &Person, id: MessageId, text: &str) -> Message {
        self.try_edit(author, id, text).await.expect("the edit is taken")
    }

    /// Edits.
    pub async fn try_edit(
        &self,
        author: &Person,
        id: MessageId,
        text: &str,
    ) -> Result<Message, MessageError> {
        self.store.edit_message(self.make.edit(&author.actor, id, text)).await
    }

    /// Deletes.
    pub async fn try_delete(&self, person: &Person, id: MessageId) -> Result<Message, MessageError> {
        self.store.delete_message(self.make.deletion(&person.actor, id)).await
    }

    /// Puts an emoji on a message.
    pub async fn try_react(
        &self,
        person: &Person,
        id: MessageId,
        emoji: &str,
    ) -> Result<Vec<Reaction>, ReactionError> {
        self.store.add_reaction(self.make.reaction(&person.actor, id, emoji)).await
    }

    /// Puts an emoji on a message, as it must be possible.
    pub async fn react(&self, person: &Person, id: MessageId, emoji: &str) -> Vec<Reaction> {
        self.try_react(person, id, emoji).await.expect("the reaction is taken")
    }

    /// The message as somebody who may read it does.
    pub async fn read(&self, viewer: &Person, id: MessageId) -> Message {
        self.store.find_message(viewer.id(), id).await.expect("a look").expect("theirs to read")
    }

    /// Adds people, as it must be possible.
    pub async fn add<const N: usize>(
        &self,
        actor: &Person,
        chat: ConversationId,
        people: [&Person; N],
    ) -> Vec<Participant> {
        self.try_add(actor, chat, people).await.expect("they come in")
    }

    /// Adds people.
    pub async fn try_add<const N: usize>(
        &self,
        actor: &Person,
        chat: ConversationId,
        people: [&Person; N],
    ) -> Result<Vec<Participant>, ConversationError> {
        let users = people.map(Person::id);
        self.store.add_participants(self.make.addition(&actor.actor, chat, &users)).await
    }

    /// Removes somebody, as it must be possible.
    pub async fn remove(&self, actor: &Person, chat: ConversationId, gone: &Person) {
        self.try_remove(actor, chat, gone).await.expect("they go");
    }

    /// Removes somebody.
    pub async fn try_remove(
        &self,
        actor: &Person,
        chat: ConversationId,
        gone: &Person,
    ) -> Result<(), ConversationError> {
        self.store.remove_participant(self.make.removal(&actor.actor, chat, gone.id())).await
    }

    /// Leaves, as it must be possible.
    pub async fn leave(&self, person: &Person, chat: ConversationId) {
        self.remove(person, chat, person).await;
    }

    /// Ends somebody's session.
    pub async fn log_out(&self, person: &Person) {
        let now = self.make.now();
        let ended = self.store.end_session(person.actor, person.session.id, now, now.plus_seconds(660)).await;
        ended.expect("the session ends");
    }

    /// The conversation as one of its people sees it.
    pub async fn view(&self, viewer: &Person, chat: ConversationId) -> ConversationView {
        self.find_view(viewer, chat).await.expect("one of its people")
    }

    /// The conversation, if the viewer may see it.
    pub async fn find_view(&self, viewer: &Person, chat: ConversationId) -> Option<ConversationView> {
        self.store.find_conversation(viewer.id(), chat).await.expect("a look")
    }

    /// The conversations that the viewer is in.
    pub async fn list(&self, viewer: &Person) -> Vec<ConversationView> {
        let filter = ConversationFilter::default();
        let page = self.store.list_conversations(viewer.id(), filter, None, ALL).await.expect("a list");
        assert_eq!(page.next, None, "a story has fewer conversations than this");
        page.conversations
    }

    /// Who is in, as the viewer sees it.
    pub async fn participants(&self, viewer: &Person, chat: ConversationId) -> Vec<Participant> {
        let page =
            self.store.list_participants(viewer.id(), chat, None, ALL).await.expect("one of its people");
        assert_eq!(page.next, None, "a story has fewer people than this");
        page.participants
    }

    /// A page of history.
    pub async fn history(
        &self,
        viewer: &Person,
        chat: ConversationId,
        anchor: HistoryAnchor,
        limit: usize,
    ) -> HistoryPage {
        self.store.list_messages(viewer.id(), chat, anchor, limit).await.expect("one of its people")
    }

    /// Everything that the viewer may read, by `seq`.
    pub async fn seqs(&self, viewer: &Person, chat: ConversationId) -> Vec<u64> {
        let page = self.history(viewer, chat, HistoryAnchor::Latest, ALL).await;
        page.messages.iter().map(|message| message.id.seq.0).collect()
    }

    /// What one intention published, beside its answer.
    pub async fn publishes<T>(&self, intention: impl Future<Output = T>) -> (T, Vec<Event>) {
        let before = self.log.len();
        let answer = intention.await;
        (answer, self.log.since(before))
    }

    /// An intention that publishes nothing.
    pub async fn silently<T>(&self, intention: impl Future<Output = T>) -> T {
        let (answer, published) = self.publishes(intention).await;
        assert_eq!(published, [], "nothing may be published here");
        answer
    }

    /// The end of the log.
    pub async fn end(&self) -> LogId {
        self.store.log_bounds().await.expect("the bounds").0
    }
}
