//! Reactions: each counts once, and what is on a message is told the same by every read.

use tidings_core::error::Code;
use tidings_core::events::EventBody;
use tidings_core::ids::{MessageId, UserId};
use tidings_core::messages;
use tidings_core::ports::store::AddReaction;
use tidings_core::reactions::{Error, Reaction, USERS_SHOWN};

use super::{Desk, Person};

async fn message_in_group(desk: &Desk) -> ([Person; 2], MessageId) {
    let [alice, bob] = desk.people(["alice", "bob"]).await;
    let chat = desk.group([&alice, &bob]).await;
    let id = desk.send(&alice, chat, "cake?").await.id;
    ([alice, bob], id)
}

fn thumbs(users: &[UserId], mine: bool) -> Reaction {
    Reaction { emoji: "👍".to_owned(), count: users.len() as u64, users: users.to_vec(), mine }
}

/// Both to put it there and to take it away, with one event each, and only one's own.
pub async fn a_reaction_is_there_once(desk: Desk) {
    let ([alice, bob], id) = message_in_group(&desk).await;
    let (there, events) = desk.publishes(desk.react(&bob, id, "👍")).await;
    assert_eq!(there, [thumbs(&[bob.id()], true)]);
    let [event] = &events[..] else { panic!("one event: {events:?}") };
    let EventBody::ReactionAdded(change) = &event.body else { panic!("{event:?}") };
    assert_eq!((event.actor, change.message, &*change.emoji), (bob.id(), id, "👍"));
    assert_eq!((&change.reactions[..], change.count()), (&[thumbs(&[bob.id()], false)][..], 1));
    assert_eq!(desk.silently(desk.react(&bob, id, "👍")).await, there);
    assert_eq!(desk.read(&alice, id).await.reactions, [thumbs(&[bob.id()], false)]);
    assert_eq!(desk.read(&bob, id).await.reactions, there);

    let of = |person: &Person| desk.make.taking_back(&desk.make.reaction(&person.actor, id, "👍"));
    let still = desk.silently(desk.store.remove_reaction(of(&alice))).await.unwrap();
    assert_eq!(still, [thumbs(&[bob.id()], false)], "it is not hers");
    let (left, events) = desk.publishes(desk.store.remove_reaction(of(&bob))).await;
    assert_eq!(left.unwrap(), []);
    assert!(matches!(&events[0].body, EventBody::ReactionRemoved(change) if change.count() == 0));
    assert_eq!(desk.silently(desk.store.remove_reaction(of(&bob))).await.unwrap(), []);
    assert_eq!(desk.read(&bob, id).await.reactions, []);
}

/// When one of the first takes it away, the next one is named.
pub async fn the_first_ten_are_named_and_all_are_counted(desk: Desk) {
    let ([alice, _], id) = message_in_group(&desk).await;
    let mut all = Vec::new();
    for n in 0..USERS_SHOWN + 2 {
        let person = desk.person(&format!("guest{n}")).await;
        desk.add(&alice, id.conversation, [&person]).await;
        all.push(person);
    }
    let mine = desk.send(&alice, id.conversation, "who comes?").await.id;
    for person in &all {
        desk.react(person, mine, "👍").await;
    }
    let ids: Vec<UserId> = all.iter().map(Person::id).collect();
    let shown = |reactions: Vec<Reaction>| {
        let [only] = &reactions[..] else { panic!("{reactions:?}") };
        (only.count, only.users.clone())
    };
    let seen = shown(desk.read(&alice, mine).await.reactions);
    assert_eq!(seen, (ids.len() as u64, ids[..USERS_SHOWN].to_vec()));
    let first = desk.make.reaction(&all[0].actor, mine, "👍");
    let left = desk.store.remove_reaction(desk.make.taking_back(&first)).await.unwrap();
    assert_eq!(shown(left), (ids.len() as u64 - 1, ids[1..=USERS_SHOWN].to_vec()));
}

/// And where it comes back, it is last.
pub async fn the_emoji_that_came_first_is_first(desk: Desk) {
    let ([alice, bob], id) = message_in_group(&desk).await;
    let emoji = |reactions: Vec<Reaction>| -> Vec<String> {
        reactions.into_iter().map(|reaction| reaction.emoji).collect()
    };
    for one in ["🎉", "👍", "🦀"] {
        desk.react(&alice, id, one).await;
    }
    desk.react(&bob, id, "🦀").await;
    assert_eq!(emoji(desk.read(&alice, id).await.reactions), ["🎉", "👍", "🦀"]);
    let first = desk.make.reaction(&alice.actor, id, "🎉");
    desk.store.remove_reaction(desk.make.taking_back(&first)).await.unwrap();
    assert_eq!(emoji(desk.react(&bob, id, "🎉").await), ["👍", "🦀", "🎉"]);
}

/// For one person, and for all together; what is there already may be joined.
pub async fn there_is_room_for_so_many(desk: Desk) {
    let ([alice, bob], id) = message_in_group(&desk).await;
    let add = |person: &Person, emoji: &str| AddReaction {
        emoji_max: 3,
        user_emoji_max: 2,
        ..desk.make.reaction(&person.actor, id, emoji)
    };
    for (person, emoji, taken) in [
        (&alice, "👍", true),
        (&alice, "🎉", true),
        (&alice, "🦀", false),
        (&bob, "🦀", true),
        (&bob, "🔥", false),
        (&bob, "👍", true),
    ] {
        let added = desk.store.add_reaction(add(person, emoji)).await;
        match added {
            Ok(_) => assert!(taken, "{emoji}"),
            Err(Error::Invalid(fields)) => {
                assert_eq!(
                    (fields[0].pointer.as_str(), fields[0].code, taken),
                    ("/emoji", Code::TooMany, false)
                );
            }
            other => panic!("{other:?}"),
        }
    }
}

/// In one batch or in many.
pub async fn of_a_hundred_at_once_each_counts(desk: Desk) {
    let ([alice, _], id) = message_in_group(&desk).await;
    let mut adding = Vec::new();
    let emoji = ["👍", "🎉", "🦀", "🔥"];
    for n in 0..25 {
        let person = desk.person(&format!("guest{n}")).await;
        desk.add(&alice, id.conversation, [&person]).await;
        adding.push(person);
    }
    let id = desk.send(&alice, id.conversation, "everybody!").await.id;
    let adding: Vec<_> = adding
        .iter()
        .flat_map(|person| emoji.map(|one| desk.make.reaction(&person.actor, id, one)))
        .map(|add| {
            let store = desk.store.clone();
            tokio::spawn(async move { store.add_reaction(add).await })
        })
        .collect();
    for one in adding {
        one.await.unwrap().expect("there is room");
    }
    let counts: Vec<u64> = desk.read(&alice, id).await.reactions.iter().map(|one| one.count).collect();
    assert_eq!(counts, [25; 4]);
}

/// And takes none.
pub async fn what_is_gone_has_no_reactions(desk: Desk) {
    let ([alice, bob], id) = message_in_group(&desk).await;
    desk.react(&bob, id, "👍").await;
    desk.try_delete(&alice, id).await.unwrap();
    assert_eq!(desk.read(&bob, id).await.reactions, []);
    let add = desk.make.reaction(&bob.actor, id, "👍");
    for refused in [
        desk.silently(desk.store.add_reaction(add.clone())).await,
        desk.silently(desk.store.remove_reaction(desk.make.taking_back(&add))).await,
    ] {
        assert!(matches!(refused, Err(Error::Message(messages::Error::Deleted))), "{refused:?}");
    }
    assert_eq!(desk.read(&bob, id).await.reactions, []);
}
