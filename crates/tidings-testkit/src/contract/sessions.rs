//! Sessions: refresh tokens that rotate, and sessions that end once and for good.

use std::collections::HashSet;

use tidings_core::accounts::{self, PasswordHash};
use tidings_core::clock::Timestamp;
use tidings_core::events::{Event, EventBody};
use tidings_core::idempotency::RequestMac;
use tidings_core::ids::{SessionId, StreamId};
use tidings_core::limits::KNOWN_ADDRESSES_MAX;
use tidings_core::ports::store::{NewSession, PasswordChange, Revocation, Rotation};
use tidings_core::sessions::{Error, RefreshTokenHash, Session};
use uuid::Uuid;

use super::{Desk, Person};

const GRACE_SECONDS: i64 = 30;

struct Device {
    session: Session,
    token: RefreshTokenHash,
}

async fn device(desk: &Desk, name: &str) -> Device {
    let user = desk.person(name).await.user;
    let (session, token) = (desk.make.session(&user), desk.make.refresh_token());
    desk.silently(desk.store.insert_session(desk.make.new_session(&session, token)))
        .await
        .expect("a session");
    Device { session, token }
}

fn rotation(desk: &Desk, session: &Session, presented: RefreshTokenHash, next: RefreshTokenHash) -> Rotation {
    let now = desk.make.now();
    let expires_at = now.plus_seconds(3_600);
    let (grace_from, grace_to) = (now.plus_seconds(-GRACE_SECONDS), now.plus_seconds(GRACE_SECONDS));
    let family = desk.make.family(session.id);
    Rotation { presented, next, family, now, expires_at, grace_from, grace_to }
}

async fn revoked(desk: &Desk) -> Vec<SessionId> {
    let revocations = desk.store.list_revocations(desk.make.now()).await.unwrap();
    revocations.iter().map(|revocation| revocation.session).collect()
}

fn assert_ended(events: &[Event], session: &Session) {
    let [event] = events else { panic!("one event: {events:?}") };
    assert_eq!(event.stream, StreamId::User(session.user));
    assert!(matches!(event.body, EventBody::SessionEnded { session: ended, .. } if ended == session.id));
}

/// Which is the only one that works from then on, and says when it was used.
pub async fn a_refresh_token_becomes_the_next_one(desk: Desk) {
    let phone = device(&desk, "alice").await;
    desk.make.clock.advance_seconds(60);
    let [second, third] = [desk.make.refresh_token(), desk.make.refresh_token()];
    let first = rotation(&desk, &phone.session, phone.token, second);
    let session = desk.silently(desk.store.rotate_refresh_token(first)).await.unwrap();
    let expected = Session { last_used_at: first.now, expires_at: first.expires_at, ..phone.session.clone() };
    assert_eq!(session, expected);
    let session =
        desk.store.rotate_refresh_token(rotation(&desk, &phone.session, second, third)).await.unwrap();
    assert_eq!(session.id, phone.session.id);
}

/// Two tabs, or an answer that was lost.
pub async fn within_the_grace_a_used_token_gives_the_same_next_one(desk: Desk) {
    let phone = device(&desk, "alice").await;
    let next = desk.make.refresh_token();
    let once =
        desk.store.rotate_refresh_token(rotation(&desk, &phone.session, phone.token, next)).await.unwrap();
    desk.make.clock.advance_seconds(GRACE_SECONDS);
    let again = desk
        .silently(desk.store.rotate_refresh_token(rotation(&desk, &phone.session, phone.token, next)))
        .await;
    assert_eq!(again.unwrap().id, once.id);
    let last = desk.make.refresh_token();
    desk.store
        .rotate_refresh_token(rotation(&desk, &phone.session, next, last))
        .await
        .expect("the next one still works");
    assert_eq!(revoked(&desk).await, []);
}

/// A next one that this server's secret did not derive is not a retry.
pub async fn a_used_token_with_another_next_one_ends_the_session(desk: Desk) {
    let phone = device(&desk, "alice").await;
    let [next, foreign] = [desk.make.refresh_token(), desk.make.refresh_token()];
    desk.store.rotate_refresh_token(rotation(&desk, &phone.session, phone.token, next)).await.unwrap();
    let reused = desk.store.rotate_refresh_token(rotation(&desk, &phone.session, phone.token, foreign));
    let (reused, events) = desk.publishes(reused).await;
    assert!(matches!(reused, Err(Error::Reused(_))), "{reused:?}");
    assert_ended(&events, &phone.session);
}

/// Somebody copied it: the session ends with its event and revocation, and its newest token is worth nothing.
pub async fn a_token_used_again_after_the_grace_ends_the_session(desk: Desk) {
    let phone = device(&desk, "alice").await;
    let next = desk.make.refresh_token();
    desk.store.rotate_refresh_token(rotation(&desk, &phone.session, phone.token, next)).await.unwrap();
    desk.make.clock.advance_seconds(GRACE_SECONDS + 1);
    let reused = desk.store.rotate_refresh_token(rotation(&desk, &phone.session, phone.token, next));
    let (reused, events) = desk.publishes(reused).await;
    assert!(matches!(reused, Err(Error::Reused(_))), "{reused:?}");
    assert_ended(&events, &phone.session);
    assert_eq!(revoked(&desk).await, [phone.session.id]);
    for token in [phone.token, next] {
        let fresh = desk.make.refresh_token();
        let refused = desk
            .silently(desk.store.rotate_refresh_token(rotation(&desk, &phone.session, token, fresh)))
            .await;
        assert!(matches!(refused, Err(Error::Ended)), "{refused:?}");
    }
}

/// Somebody copied a token and used it twice, so that its owner has one that is neither the present nor the one before.
pub async fn a_token_from_long_before_ends_the_session(desk: Desk) {
    let phone = device(&desk, "alice").await;
    let [second, third, fourth] = std::array::from_fn(|_| desk.make.refresh_token());
    for (presented, next) in [(phone.token, second), (second, third)] {
        desk.store.rotate_refresh_token(rotation(&desk, &phone.session, presented, next)).await.unwrap();
    }
    let reused = desk.store.rotate_refresh_token(rotation(&desk, &phone.session, phone.token, second));
    let (reused, events) = desk.publishes(reused).await;
    assert!(matches!(reused, Err(Error::Reused(_))), "{reused:?}");
    assert_ended(&events, &phone.session);
    let refused = desk.store.rotate_refresh_token(rotation(&desk, &phone.session, third, fourth));
    assert!(matches!(desk.silently(refused).await, Err(Error::Ended)));
}

/// Nothing comes of either.
pub async fn an_unknown_or_expired_token_is_refused(desk: Desk) {
    let phone = device(&desk, "alice").await;
    let [unknown, next] = [desk.make.refresh_token(), desk.make.refresh_token()];
    let family = desk.make.family(SessionId(Uuid::nil()));
    let foreign = Rotation { family, ..rotation(&desk, &phone.session, unknown, next) };
    let refused = desk.silently(desk.store.rotate_refresh_token(foreign)).await;
    assert!(matches!(refused, Err(Error::RefreshTokenInvalid)), "{refused:?}");
    desk.make.clock.advance_seconds(31 * 24 * 3_600);
    let refused = desk
        .silently(desk.store.rotate_refresh_token(rotation(&desk, &phone.session, phone.token, next)))
        .await;
    assert!(matches!(refused, Err(Error::RefreshTokenExpired)), "{refused:?}");
    assert_eq!(revoked(&desk).await, [], "an expired session has nothing to revoke");
}

/// The tabs of a browser that wakes up.
pub async fn of_many_that_rotate_one_token_at_once_all_get_the_same(desk: Desk) {
    let phone = device(&desk, "alice").await;
    let next = desk.make.refresh_token();
    let rotation = rotation(&desk, &phone.session, phone.token, next);
    let tabs: Vec<_> = (0..8)
        .map(|_| {
            let store = desk.store.clone();
            tokio::spawn(async move { store.rotate_refresh_token(rotation).await })
        })
        .collect();
    for tab in tabs {
        assert_eq!(tab.await.unwrap().expect("within the grace").id, phone.session.id);
    }
    assert_eq!(revoked(&desk).await, []);
}

/// One event, one revocation; the second call is a success that does nothing.
pub async fn ending_a_session_twice_is_once(desk: Desk) {
    let [alice] = desk.people(["alice"]).await;
    let ((), events) = desk.publishes(desk.log_out(&alice)).await;
    assert_ended(&events, &alice.session);
    let until = desk.make.now().plus_seconds(660);
    assert!(matches!(events[0].body, EventBody::SessionEnded { tokens_until, .. } if tokens_until == until));
    desk.make.clock.advance_seconds(5);
    desk.silently(desk.log_out(&alice)).await;
    let revocations = desk.store.list_revocations(desk.make.now()).await.unwrap();
    assert_eq!(revocations, [Revocation { session: alice.session.id, until }]);
}

/// Also not by naming it.
pub async fn nobody_ends_another_ones_session(desk: Desk) {
    let [alice, mallory] = desk.people(["alice", "mallory"]).await;
    let as_mallory = Person { session: alice.session.clone(), ..mallory.clone() };
    desk.silently(desk.log_out(&as_mallory)).await;
    assert_eq!(revoked(&desk).await, []);
    desk.group([&alice]).await;
}

/// Or a stolen device, ended from another one, would end all the others a moment later.
pub async fn one_whose_session_has_ended_ends_no_other(desk: Desk) {
    let alice = desk.person("alice").await;
    let stolen = desk.log_in(&alice.user).await;
    desk.log_out(&stolen).await;
    let now = desk.make.now();
    let ending = desk.store.end_session(stolen.actor, alice.session.id, now, now);
    let refused = desk.silently(ending).await;
    assert!(matches!(refused, Err(Error::Ended)), "{refused:?}");
    let refused = desk.silently(desk.store.end_all_sessions(stolen.actor, now, now)).await;
    assert!(matches!(refused, Err(Error::Ended)), "{refused:?}");
    assert_eq!(list(&desk, &alice).await, [alice.session.id]);
}

/// After that no token of the session is about.
pub async fn a_revocation_matters_until_its_tokens_expire(desk: Desk) {
    let [alice, bob] = desk.people(["alice", "bob"]).await;
    desk.log_out(&alice).await;
    desk.make.clock.advance_seconds(600);
    desk.log_out(&bob).await;
    let mut both = revoked(&desk).await;
    both.sort_unstable();
    let mut expected = [alice.session.id, bob.session.id];
    expected.sort_unstable();
    assert_eq!(both, expected);
    desk.make.clock.advance_seconds(61);
    assert_eq!(revoked(&desk).await, [bob.session.id]);
}

/// Whatever it asks, the transaction itself looks.
pub async fn an_ended_session_changes_nothing_any_more(desk: Desk) {
    use tidings_core::conversations::Error as Conversations;
    use tidings_core::messages::Error as Messages;
    let [alice, bob, carol] = desk.people(["alice", "bob", "carol"]).await;
    let chat = desk.group([&alice, &bob]).await;
    desk.log_out(&alice).await;
    desk.silently(async {
        let sent = desk.try_send(&alice, chat, "still here?").await;
        assert!(matches!(sent, Err(Messages::SessionEnded)), "{sent:?}");
        let made = desk.store.insert_conversation(desk.make.group(&alice.actor, &[bob.id()])).await;
        assert!(matches!(made, Err(Conversations::SessionEnded)), "{made:?}");
        let added = desk.try_add(&alice, chat, [&carol]).await;
        assert!(matches!(added, Err(Conversations::SessionEnded)), "{added:?}");
        let removed = desk.try_remove(&alice, chat, &bob).await;
        assert!(matches!(removed, Err(Conversations::SessionEnded)), "{removed:?}");
    })
    .await;
    let tablet = desk.log_in(&alice.user).await;
    desk.send(&tablet, chat, "another login works").await;
}

/// Each with its event and its revocation; what has ended already is not among them.
pub async fn all_sessions_end_at_once(desk: Desk) {
    let alice = desk.person("alice").await;
    let [phone, tablet] = [desk.log_in(&alice.user).await, desk.log_in(&alice.user).await];
    desk.log_out(&tablet).await;
    let now = desk.make.now();
    let end_all = || desk.store.end_all_sessions(alice.actor, now, now.plus_seconds(660));
    let (ended, events) = desk.publishes(end_all()).await;
    let expected = HashSet::from([alice.session.id, phone.session.id]);
    assert_eq!(ended.unwrap().into_iter().collect::<HashSet<_>>(), expected);
    assert_eq!(events.len(), 2);
    assert_eq!(revoked(&desk).await.len(), 3);
    assert_eq!(list(&desk, &alice).await, []);
    let refused = desk.silently(end_all()).await;
    assert!(matches!(refused, Err(Error::Ended)), "its own is among them: {refused:?}");
}

/// However its clock stood: one that took its time while the session was alive may be written after one that took it
/// later.
pub async fn a_refresh_that_comes_after_the_end_is_refused(desk: Desk) {
    for by_password in [false, true] {
        let alice = desk.person(if by_password { "alice" } else { "bob" }).await;
        let session = desk.make.session(&alice.user);
        let token = desk.make.refresh_token();
        desk.store.insert_session(desk.make.new_session(&session, token)).await.unwrap();
        let early = rotation(&desk, &session, token, desk.make.refresh_token());
        let change = PasswordChange { now: session.expires_at, ..change(&desk, &alice, "the new one") };
        let ended = if by_password {
            desk.store.change_password(change).await.unwrap()
        } else {
            desk.store.end_all_sessions(alice.actor, change.now, change.tokens_until).await.unwrap()
        };
        assert!(ended.contains(&session.id), "by the password: {by_password}");
        let refused = desk.silently(desk.store.rotate_refresh_token(early)).await;
        assert!(matches!(refused, Err(Error::Ended)), "{refused:?}");
    }
}

/// Last used first, and only the user's own.
pub async fn the_list_has_what_is_alive(desk: Desk) {
    let [alice, _bob] = desk.people(["alice", "bob"]).await;
    desk.make.clock.advance_seconds(1);
    let [phone, gone] = [desk.log_in(&alice.user).await, desk.log_in(&alice.user).await];
    desk.log_out(&gone).await;
    assert_eq!(list(&desk, &alice).await, [phone.session.id, alice.session.id]);
    let listed = desk.store.list_sessions(alice.id(), desk.make.now()).await.unwrap();
    assert_eq!(listed.first(), Some(&phone.session), "whole");
    desk.make.clock.advance_seconds(30 * 24 * 3600 - 1);
    assert_eq!(list(&desk, &alice).await, [phone.session.id], "the other one has expired");
}

/// And the one that was used longest ago makes room, with its event and its revocation.
pub async fn a_user_has_a_bounded_number_of_sessions(desk: Desk) {
    let alice = desk.person("alice").await;
    desk.make.clock.advance_seconds(1);
    let phone = desk.log_in(&alice.user).await;
    desk.make.clock.advance_seconds(1);
    let session = desk.make.session(&alice.user);
    let new = NewSession { sessions_max: 2, ..desk.make.new_session(&session, desk.make.refresh_token()) };
    let (ended, events) = desk.publishes(desk.store.insert_session(new)).await;
    assert_eq!(ended.unwrap(), [alice.session.id]);
    assert_ended(&events, &alice.session);
    assert_eq!(revoked(&desk).await, [alice.session.id]);
    assert_eq!(list(&desk, &alice).await, [session.id, phone.session.id]);
}

/// In one commit; the session that asks stays.
pub async fn a_new_password_ends_the_other_sessions(desk: Desk) {
    let alice = desk.person("alice").await;
    let phone = desk.log_in(&alice.user).await;
    let change = change(&desk, &alice, "the new one");
    let (ended, events) = desk.publishes(desk.store.change_password(change.clone())).await;
    assert_eq!(ended.unwrap(), [phone.session.id]);
    assert_ended(&events, &phone.session);
    assert_eq!(list(&desk, &alice).await, [alice.session.id]);
    assert_eq!(desk.store.find_password(alice.id()).await.unwrap(), Some(change.new));
}

/// Of two at once one wins; one whose session has ended changes nothing.
pub async fn a_password_is_changed_by_who_knows_the_present_one(desk: Desk) {
    let [alice, bob] = desk.people(["alice", "bob"]).await;
    let [one, other] = ["one", "other"].map(|new| change(&desk, &alice, new));
    desk.silently(desk.store.change_password(one.clone())).await.unwrap();
    let refused = desk.silently(desk.store.change_password(other)).await;
    assert!(matches!(refused, Err(accounts::Error::WrongPassword)), "{refused:?}");
    assert_eq!(desk.store.find_password(alice.id()).await.unwrap(), Some(one.new));
    desk.log_out(&bob).await;
    let refused = desk.silently(desk.store.change_password(change(&desk, &bob, "late"))).await;
    assert!(matches!(refused, Err(accounts::Error::SessionEnded)), "{refused:?}");
}

/// Or a copied password would let somebody in a moment after it was worth nothing.
pub async fn a_login_by_a_password_that_was_just_changed_is_refused(desk: Desk) {
    let alice = desk.person("alice").await;
    let login = || {
        let session = desk.make.session(&alice.user);
        let new = desk.make.new_session(&session, desk.make.refresh_token());
        NewSession { shown: Some(desk.make.password()), ..new }
    };
    desk.store.insert_session(login()).await.expect("it is the present one");
    desk.store.change_password(change(&desk, &alice, "the new one")).await.unwrap();
    let refused = desk.silently(desk.store.insert_session(login())).await;
    assert!(matches!(refused, Err(accounts::Error::BadCredentials)), "{refused:?}");
    assert_eq!(list(&desk, &alice).await, [alice.session.id]);
}

fn change(desk: &Desk, person: &Person, new: &str) -> PasswordChange {
    let now = desk.make.now();
    PasswordChange {
        actor: person.actor,
        known: desk.make.password(),
        new: PasswordHash(new.to_owned()),
        now,
        tokens_until: now.plus_seconds(660),
    }
}

async fn list(desk: &Desk, person: &Person) -> Vec<SessionId> {
    let sessions = desk.store.list_sessions(person.id(), desk.make.now()).await.unwrap();
    sessions.iter().map(|session| session.id).collect()
}

/// Those that were used last, by each user for themselves.
pub async fn an_address_that_was_used_is_known(desk: Desk) {
    let [alice, bob] = desk.people(["alice", "bob"]).await;
    let address = |n: usize| RequestMac([u8::try_from(n).unwrap() + 10; 16]);
    let log_in = async |n: usize| {
        let now = Timestamp(desk.make.now().0 + n as i64);
        let session = Session { created_at: now, ..desk.make.session(&alice.user) };
        let new =
            NewSession { address: address(n), ..desk.make.new_session(&session, desk.make.refresh_token()) };
        desk.store.insert_session(new).await.unwrap();
    };
    let knows =
        async |person: &Person, n| desk.store.is_known_address(person.id(), address(n)).await.unwrap();
    assert!(!knows(&alice, 0).await);
    log_in(0).await;
    assert!(knows(&alice, 0).await && !knows(&bob, 0).await);
    for n in 1..KNOWN_ADDRESSES_MAX {
        log_in(n).await;
    }
    // The first has gone for the newest, but for one that was used again.
    log_in(KNOWN_ADDRESSES_MAX).await;
    assert!(!knows(&alice, 0).await && knows(&alice, 1).await && knows(&alice, KNOWN_ADDRESSES_MAX).await);
}
