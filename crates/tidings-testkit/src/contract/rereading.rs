//! An event that is read again says what it said when it was committed: one who reads an old join must not see in it
//! how far others have read since.

use std::collections::BTreeMap;

use tidings_core::events::Event;
use tidings_core::ids::{ConversationId, LogId, Pos, StreamId};
use tidings_core::ports::store::CatchUp;

use super::desk::{ALL, EVERYTHING};
use super::{Desk, Person};

/// Everybody, and where they talk.
struct Town {
    people: [Person; 4],
    group: ConversationId,
}

impl Town {
    async fn founded(desk: &Desk) -> Self {
        let people = desk.people(["alice", "bob", "carol", "dora"]).await;
        let [alice, bob, ..] = &people;
        desk.direct(alice, bob).await;
        desk.store.insert_conversation(desk.make.notes(&alice.actor)).await.expect("notes");
        let group = desk.group([alice, bob]).await;
        Self { people, group }
    }

    /// Everything that moves a mark or ends an interval; it may be lived through again and again.
    async fn lives_on(&self, desk: &Desk) {
        let [alice, bob, carol, _] = &self.people;
        desk.make.clock.advance_seconds(60);
        desk.send_many(alice, self.group, 2).await;
        desk.add(alice, self.group, [carol]).await;
        desk.send(carol, self.group, "hello").await;
        desk.send(bob, self.group, "hello carol").await;
        desk.remove(alice, self.group, bob).await;
        desk.send(carol, self.group, "where is bob?").await;
        desk.add(alice, self.group, [bob]).await;
        desk.send(bob, self.group, "back").await;
        desk.leave(carol, self.group).await;
        let direct = desk.direct(alice, bob).await.view.conversation.id;
        desk.send_many(bob, direct, 2).await;
        desk.log_out(&desk.log_in(&alice.user).await).await;
    }
}

/// By every read, to everybody, as often as they like.
pub async fn an_event_is_read_as_it_was_committed(desk: Desk) {
    let town = Town::founded(&desk).await;
    for _ in 0..3 {
        town.lives_on(&desk).await;
        assert_read_as_published(&desk, &town, &desk.log.all()).await;
    }
}

/// Whatever the store had only in memory.
pub async fn also_after_a_restart(desk: Desk) {
    let town = Town::founded(&desk).await;
    town.lives_on(&desk).await;
    let mut published = desk.log.all();
    let desk = desk.reopen().await;
    assert_read_as_published(&desk, &town, &published).await;
    town.lives_on(&desk).await;
    published.extend(desk.log.all());
    assert_read_as_published(&desk, &town, &published).await;
}

async fn assert_read_as_published(desk: &Desk, town: &Town, published: &[Event]) {
    assert_eq!(desk.store.list_log(LogId(0), ALL).await.unwrap(), published, "the log");
    let mut streams: BTreeMap<StreamId, Vec<Event>> = BTreeMap::new();
    for event in published {
        streams.entry(event.stream).or_default().push(event.clone());
    }
    for (stream, events) in &streams {
        let range = desk.store.list_stream_range(*stream, Pos(0), Pos(u64::MAX)).await.unwrap();
        assert_eq!(&range, events, "{stream}");
    }
    for reader in &town.people {
        let name = &reader.user.username;
        for stream in streams.keys() {
            let page = desk.store.list_stream(reader.id(), *stream, Pos(0), EVERYTHING).await;
            if let Ok(page) = page {
                assert_among(page.events, published, name);
            }
        }
        let page = desk.store.catch_up(all_of(reader)).await.unwrap().expect("not too much");
        assert!(page.skipped.is_empty());
        assert_among(page.events, published, name);
    }
}

fn all_of(reader: &Person) -> CatchUp {
    CatchUp {
        user: reader.id(),
        from: LogId(0),
        through: None,
        done_through: LogId(0),
        page_max: EVERYTHING,
        stream_events_max: ALL,
        streams_max: ALL,
    }
}

/// A span tells where the reader stood, not what happened.
fn assert_among(read: Vec<Event>, published: &[Event], reader: &str) {
    assert!(!read.is_empty(), "{reader} has an account at least");
    for event in read {
        let original = published.iter().find(|original| original.log_id == event.log_id);
        assert_eq!(Some(&Event { span: 1, ..event }), original, "as {reader} reads it");
    }
}
