//! What signals need to know: who is in, who hides, and when somebody was last seen.

use tidings_core::accounts::{SettingsChange, UserSettings};
use tidings_core::clock::Timestamp;
use tidings_core::conversations::MembershipState;
use tidings_core::limits::PRESENCE_NAMED_MAX;
use tidings_core::ports::store::{UpdateUser, UserChange};

use super::{Desk, Person};

/// With when they were last seen.
pub async fn who_is_in_is_known(desk: Desk) {
    let [alice, bob, carol] = desk.people(["alice", "bob", "carol"]).await;
    let chat = desk.group([&alice, &bob, &carol]).await;
    desk.leave(&carol, chat).await;
    desk.store.set_last_seen(vec![(bob.id(), Timestamp(7))], Timestamp(7)).await.unwrap();
    let mut present = desk.store.list_present(chat).await.unwrap();
    present.sort_by_key(|one| one.last_seen_at);
    let found: Vec<_> = present.iter().map(|one| (one.user, one.last_seen_at)).collect();
    assert_eq!(found, [(alice.id(), None), (bob.id(), Some(Timestamp(7)))]);
    let state = async |person: &Person| {
        let found = desk.store.find_membership(person.id(), chat).await.unwrap();
        found.map(|membership| membership.state)
    };
    assert_eq!(state(&bob).await, Some(MembershipState::Active));
    assert_eq!(state(&carol).await, Some(MembershipState::Left));
    let eve = desk.person("eve").await;
    assert_eq!(state(&eve).await, None);
}

/// Of more than can be named, who they are is enough.
pub async fn of_many_nobody_is_looked_up(desk: Desk) {
    let alice = desk.person("alice").await;
    let chat = desk.group([&alice]).await;
    for n in 0..PRESENCE_NAMED_MAX {
        let fan = desk.person(&format!("fan{n}")).await;
        desk.store.set_last_seen(vec![(fan.id(), Timestamp(7))], Timestamp(7)).await.unwrap();
        desk.add(&alice, chat, [&fan]).await;
    }
    let present = desk.store.list_present(chat).await.unwrap();
    assert_eq!(present.len(), PRESENCE_NAMED_MAX + 1);
    assert!(present.iter().all(|one| one.last_seen_at.is_none()));
}

/// No event tells of it, and it goes forward only, unless a clock had been ahead.
pub async fn when_somebody_was_last_seen_goes_forward(desk: Desk) {
    let [alice, bob] = desk.people(["alice", "bob"]).await;
    desk.silently(async {
        for (at, now, expected) in [(5, 5, 5), (9, 9, 9), (7, 10, 9), (20, 12, 12), (11, 11, 11)] {
            let seen = vec![(alice.id(), Timestamp(at)), (bob.id(), Timestamp(at))];
            desk.store.set_last_seen(seen, Timestamp(now)).await.unwrap();
            let user = desk.store.find_user(alice.user.app, alice.id()).await.unwrap().unwrap();
            assert_eq!(user.last_seen_at, Some(Timestamp(expected)));
        }
    })
    .await;
    let desk = desk.reopen().await;
    let user = desk.store.find_user(bob.user.app, bob.id()).await.unwrap().unwrap();
    assert_eq!(user.last_seen_at, Some(Timestamp(11)));
}

/// Those who would be seen are not looked for.
pub async fn who_hides_is_known(desk: Desk) {
    let [alice, bob, _carol] = desk.people(["alice", "bob", "carol"]).await;
    let change = async |person: &Person, settings: SettingsChange| {
        let change = UserChange { settings, ..UserChange::default() };
        desk.store.update_user(UpdateUser { actor: person.actor, change, now: Timestamp(1) }).await.unwrap();
    };
    assert!(desk.store.list_hidden().await.unwrap().is_empty());
    change(&alice, SettingsChange { typing: Some(false), ..SettingsChange::default() }).await;
    change(&bob, SettingsChange { presence: Some(false), read_receipts: Some(false), typing: None }).await;
    let mut hidden = desk.store.list_hidden().await.unwrap();
    hidden.sort_by_key(|(_, settings)| settings.typing);
    let shown = UserSettings::default();
    let bobs = UserSettings { presence: false, read_receipts: false, ..shown };
    assert_eq!(hidden, [(alice.id(), UserSettings { typing: false, ..shown }), (bob.id(), bobs)]);
    change(&bob, SettingsChange { presence: Some(true), ..SettingsChange::default() }).await;
    assert_eq!(desk.store.list_hidden().await.unwrap().len(), 1, "who hides how far they read is not meant");
}
