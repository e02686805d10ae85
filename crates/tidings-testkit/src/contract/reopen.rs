//! A store that is closed and opened again gives the same answers and goes on counting.

use tidings_core::events::Event;
use tidings_core::ids::{ConversationId, LogId, Pos, StreamId};
use tidings_core::messages::{Error, HistoryAnchor};
use tidings_core::ports::store::CatchUp;

use super::desk::{ALL, EVERYTHING};
use super::{Desk, Person};

/// A group in which somebody sends, leaves, comes back and sends, so that marks and heads are in many states.
async fn lively(desk: &Desk) -> ([Person; 3], ConversationId) {
    let people = desk.people(["alice", "bob", "carol"]).await;
    let [alice, bob, carol] = &people;
    let chat = desk.group([alice, bob, carol]).await;
    desk.send_many(alice, chat, 3).await;
    desk.send(bob, chat, "bob's").await;
    desk.leave(bob, chat).await;
    desk.leave(carol, chat).await;
    desk.send(alice, chat, "between").await;
    desk.add(alice, chat, [bob]).await;
    desk.send_many(bob, chat, 2).await;
    desk.send(alice, chat, "the last").await;
    (people, chat)
}

/// Everything that can be read of it.
async fn answers(desk: &Desk, people: &[Person; 3], chat: ConversationId) -> Vec<String> {
    let mut answers = vec![
        format!("{:?}", desk.store.log_bounds().await.unwrap()),
        format!("{:?}", desk.store.list_log(LogId(0), ALL).await.unwrap()),
        format!("{:?}", desk.store.load_rosters(&[chat], LogId(0)).await.unwrap()),
        format!("{:?} {:?}", desk.store.epoch(), desk.store.id_secret()),
        format!("{:?}", desk.store.list_revocations(desk.make.now()).await.unwrap()),
    ];
    for person in people {
        let all = CatchUp {
            user: person.id(),
            from: LogId(0),
            through: None,
            done_through: LogId(0),
            page_max: EVERYTHING,
            stream_events_max: ALL,
            streams_max: ALL,
        };
        let stream = StreamId::Conversation(chat);
        answers.extend([
            format!("{:?}", desk.store.find_user(person.user.app, person.id()).await.unwrap()),
            format!("{:?}", desk.view(person, chat).await),
            format!("{:?}", desk.list(person).await),
            format!("{:?}", desk.participants(person, chat).await),
            format!("{:?}", desk.history(person, chat, HistoryAnchor::Latest, ALL).await),
            format!("{:?}", desk.store.list_stream(person.id(), stream, Pos(0), EVERYTHING).await.unwrap()),
            format!("{:?}", desk.store.catch_up(all).await.unwrap()),
        ]);
    }
    answers
}

/// By every read, twice: what was only in memory has been written, and what was written is read alike.
pub async fn everything_is_as_it_was(desk: Desk) {
    let (people, chat) = lively(&desk).await;
    desk.log_out(&people[2]).await;
    let before = answers(&desk, &people, chat).await;
    let desk = desk.reopen().await;
    assert_eq!(answers(&desk, &people, chat).await, before);
    let desk = desk.reopen().await;
    assert_eq!(answers(&desk, &people, chat).await, before);
    assert!(desk.log.is_empty(), "opening publishes nothing");
}

/// From where they were, without a hole and without one given twice.
pub async fn numbers_go_on(desk: Desk) {
    let (people, chat) = lively(&desk).await;
    let (end, view) = (desk.end().await, desk.view(&people[0], chat).await);
    let desk = desk.reopen().await;
    let message = desk.send(&people[0], chat, "again").await;
    let last = view.last_message.expect("a message");
    assert_eq!(
        (message.id.seq, message.ord, message.pos),
        (last.id.seq.next(), last.ord + 1, view.pos.next())
    );
    let events: Vec<Event> = desk.log.all();
    assert_eq!(events[0].log_id, end.next());
    assert_eq!(desk.view(&people[1], chat).await.unread, 2);
}

/// By client id and by idempotency key.
pub async fn retries_find_the_original(desk: Desk) {
    let alice = desk.person("alice").await;
    let chat = desk.group([&alice]).await;
    let append = desk.make.message(&alice.actor, chat, "once");
    let first = desk.store.append_message(append.clone()).await.unwrap();
    let group = || tidings_core::ports::store::NewConversation {
        request: Some(desk.make.keyed("key-1", "crew")),
        ..desk.make.group(&alice.actor, &[])
    };
    let (made, retry) = (desk.store.insert_conversation(group()).await.unwrap(), group());
    let desk = desk.reopen().await;
    let again = desk.silently(desk.store.append_message(append)).await.unwrap();
    assert!(again.replayed);
    assert_eq!(again.message, first.message);
    let found = desk.silently(desk.store.insert_conversation(retry)).await.unwrap();
    assert!(found.found);
    assert_eq!(found.view, made.view);
}

/// Its access tokens may outlive the process.
pub async fn an_ended_session_stays_ended(desk: Desk) {
    let alice = desk.person("alice").await;
    let chat = desk.group([&alice]).await;
    desk.log_out(&alice).await;
    let revocations = desk.store.list_revocations(desk.make.now()).await.unwrap();
    assert_eq!(revocations.len(), 1);
    let desk = desk.reopen().await;
    assert_eq!(desk.store.list_revocations(desk.make.now()).await.unwrap(), revocations);
    let refused = desk.try_send(&alice, chat, "still here?").await;
    assert!(matches!(refused, Err(Error::SessionEnded)), "{refused:?}");
}
