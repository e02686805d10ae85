//! Users: names that are given once, and who finds them.

use tidings_core::accounts::{Error, SettingsChange, User, UserSettings};
use tidings_core::events::EventBody;
use tidings_core::ids::{AppId, Pos, StreamId};
use tidings_core::ports::store::UserChange;

use super::{Desk, Person};

fn with_email(user: User, email: &str) -> User {
    User { email: Some(email.to_owned()), ..user }
}

/// By each of the three, with everything that was given, and nobody else.
pub async fn a_new_user_is_found_by_id_username_and_email(desk: Desk) {
    let user = User {
        external_id: Some("host-17".to_owned()),
        first_name: Some("Alice".to_owned()),
        last_name: Some("Æther".to_owned()),
        display_name: "Alice 🌊".to_owned(),
        avatar_url: Some("/a.png".to_owned()),
        ..with_email(desk.make.user("alice"), "alice@example.org")
    };
    desk.arrive(user.clone()).await;
    let find = |login: &'static str| desk.store.find_credentials(AppId::DEFAULT, login);
    let by_name = find("alice").await.unwrap().expect("by username");
    let by_email = find("alice@example.org").await.unwrap().expect("by e-mail");
    assert_eq!(desk.store.find_user(AppId::DEFAULT, user.id).await.unwrap(), Some(user.clone()));
    assert_eq!((&by_name.user, &by_email.user), (&user, &user));
    assert_eq!((by_name.password_hash, by_email.password_hash), (desk.make.password(), desk.make.password()));
    assert!(find("bob").await.unwrap().is_none());
    assert!(find("bob@example.org").await.unwrap().is_none());
    let nobody = desk.make.user("nobody").id;
    assert_eq!(desk.store.find_user(AppId::DEFAULT, nobody).await.unwrap(), None);
}

/// The second gets a refusal and leaves nothing.
pub async fn a_username_is_given_once(desk: Desk) {
    desk.person("alice").await;
    let second = with_email(desk.make.user("alice"), "other@example.org");
    let refused = desk.silently(desk.store.insert_user(&second, &desk.make.password())).await;
    assert!(matches!(refused, Err(Error::UsernameTaken)), "{refused:?}");
    assert_eq!(desk.store.find_user(AppId::DEFAULT, second.id).await.unwrap(), None);
    assert!(desk.store.find_credentials(AppId::DEFAULT, "other@example.org").await.unwrap().is_none());
}

/// Those without one do not stand in each other's way.
pub async fn an_email_address_is_given_once(desk: Desk) {
    desk.arrive(with_email(desk.make.user("alice"), "a@example.org")).await;
    let second = with_email(desk.make.user("bob"), "a@example.org");
    let refused = desk.silently(desk.store.insert_user(&second, &desk.make.password())).await;
    assert!(matches!(refused, Err(Error::EmailTaken)), "{refused:?}");
    desk.people(["bob", "carol"]).await;
}

/// Whichever it is, the others are told.
pub async fn of_two_that_want_one_name_at_once_one_gets_it(desk: Desk) {
    let wanting: Vec<User> = (0..8).map(|_| desk.make.user("alice")).collect();
    let tries = wanting.clone().into_iter().map(|user| {
        let (store, password) = (desk.store.clone(), desk.make.password());
        tokio::spawn(async move { store.insert_user(&user, &password).await })
    });
    let mut winners = Vec::new();
    for (n, outcome) in tries.collect::<Vec<_>>().into_iter().enumerate() {
        match outcome.await.unwrap() {
            Ok(()) => winners.push(wanting[n].id),
            Err(error) => assert!(matches!(error, Error::UsernameTaken), "{error:?}"),
        }
    }
    let found = desk.store.find_credentials(AppId::DEFAULT, "alice").await.unwrap().expect("somebody");
    assert_eq!(winners, [found.user.id]);
    assert_eq!(desk.log.len(), 1, "one event for the one that won");
}

/// The same names in another app are other people.
pub async fn another_app_has_its_own_users(desk: Desk) {
    let ours = desk.arrive(with_email(desk.make.user("alice"), "a@example.org")).await.user;
    let app = AppId(2);
    let theirs = User { app, ..with_email(desk.make.user("alice"), "a@example.org") };
    desk.arrive(theirs.clone()).await;
    assert_eq!(desk.store.find_user(app, ours.id).await.unwrap(), None);
    assert_eq!(desk.store.find_user(AppId::DEFAULT, theirs.id).await.unwrap(), None);
    assert_eq!(desk.store.find_user(app, theirs.id).await.unwrap(), Some(theirs.clone()));
    for login in ["alice", "a@example.org"] {
        let found = |app| desk.store.find_credentials(app, login);
        assert_eq!(found(AppId::DEFAULT).await.unwrap().expect("ours").user, ours);
        assert_eq!(found(app).await.unwrap().expect("theirs").user, theirs);
        assert!(found(AppId(3)).await.unwrap().is_none());
    }
}

/// Position 1.
pub async fn a_new_user_is_the_first_event_of_their_own_stream(desk: Desk) {
    let user = desk.make.user("alice");
    let password = desk.make.password();
    let (stored, events) = desk.publishes(desk.store.insert_user(&user, &password)).await;
    stored.unwrap();
    let [event] = &events[..] else { panic!("one event: {events:?}") };
    assert_eq!((event.stream, event.pos, event.span), (StreamId::User(user.id), Pos(1), 1));
    assert_eq!((event.actor, event.at), (user.id, user.created_at));
    assert_eq!(event.body, EventBody::UserRegistered(user));
}

/// Once; and everybody sees the new name from then on.
pub async fn a_changed_account_is_told_to_ones_own_devices(desk: Desk) {
    let [alice, bob] = desk.people(["alice", "bob"]).await;
    let chat = desk.group([&bob, &alice]).await;
    let change = UserChange {
        display_name: Some("Alice L.".to_owned()),
        last_name: Some(Some("Liddell".to_owned())),
        avatar_url: Some(Some("https://example.org/a.png".to_owned())),
        settings: SettingsChange { read_receipts: Some(false), typing: Some(false), presence: None },
        ..UserChange::default()
    };
    let update = desk.make.update(&alice.actor, change);
    let (user, events) = desk.publishes(desk.store.update_user(update.clone())).await;
    let expected = User {
        display_name: "Alice L.".to_owned(),
        last_name: Some("Liddell".to_owned()),
        avatar_url: Some("https://example.org/a.png".to_owned()),
        settings: UserSettings { read_receipts: false, typing: false, presence: true },
        ..alice.user.clone()
    };
    assert_eq!(user.unwrap(), expected);
    let [event] = &events[..] else { panic!("one event: {events:?}") };
    assert_eq!((event.stream, event.actor), (StreamId::User(alice.id()), alice.id()));
    assert_eq!(event.body, EventBody::UserUpdated(expected.clone()));
    assert_eq!(desk.silently(desk.store.update_user(update)).await.unwrap(), expected);
    let seen = desk.participants(&bob, chat).await;
    assert!(seen.iter().any(|one| one.user == expected));
    let away = UserChange { last_name: Some(None), avatar_url: Some(None), ..UserChange::default() };
    let user = desk.store.update_user(desk.make.update(&alice.actor, away)).await.unwrap();
    assert_eq!((user.last_name, user.avatar_url, user.display_name), (None, None, expected.display_name));
    desk.log_out(&alice).await;
    let late = desk.make.update(&alice.actor, UserChange::default());
    let refused = desk.silently(desk.store.update_user(late)).await;
    assert!(matches!(refused, Err(Error::SessionEnded)), "{refused:?}");
}

/// By the beginnings of all their names, also after they have changed; in their own app.
pub async fn a_user_is_found_by_the_beginnings_of_their_names(desk: Desk) {
    let [alice, alina, bob] = desk.people(["alice", "alina", "bob"]).await;
    let search = async |words: &[&str]| -> Vec<String> {
        let words = words.iter().map(|word| (*word).to_owned()).collect();
        let found = desk.store.search_users(alice.user.app, words, String::new()).await.unwrap();
        let mut names: Vec<_> = found.into_iter().map(|user| user.username).collect();
        names.sort();
        names
    };
    assert_eq!(search(&["ali"]).await, ["alice", "alina"]);
    assert_eq!(search(&["lice"]).await, [""; 0], "not in the middle");
    let rename = async |person: &Person, display_name: &str, last_name: Option<&str>| {
        let (display_name, last_name) =
            (Some(display_name.to_owned()), last_name.map(|name| Some(name.to_owned())));
        let change = UserChange { display_name, last_name, ..UserChange::default() };
        desk.store.update_user(desk.make.update(&person.actor, change)).await.unwrap();
    };
    rename(&bob, "Robert Liddell", Some("Alison")).await;
    rename(&alina, "Alina Liddell", None).await;
    assert_eq!(search(&["ali"]).await, ["alice", "alina", "bob"]);
    assert_eq!(search(&["lidd", "rob"]).await, ["bob"]);
    assert_eq!(search(&["liddell", "ali"]).await, ["alina", "bob"]);
    rename(&bob, "Bob", None).await;
    assert_eq!(search(&["rob"]).await, [""; 0], "what they were called is forgotten");
    let app = AppId(alice.user.app.0 + 1);
    let elsewhere = desk.store.search_users(app, vec!["ali".to_owned()], "alice".to_owned()).await.unwrap();
    assert!(elsewhere.is_empty());
}
