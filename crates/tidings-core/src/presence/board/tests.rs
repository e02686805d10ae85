use parking_lot::Mutex;
use uuid::Uuid;

use super::*;

const START: Timestamp = Timestamp(1_000_000);

/// Who is here, as the test says.
#[derive(Default)]
struct Here(Mutex<HashMap<UserId, Status>>);

impl Screens for Here {
    fn signal(&self, _: &Signal, _: &[ConversationId], _: Option<UserId>) {}

    fn status(&self, user: UserId) -> Status {
        self.0.lock().get(&user).copied().unwrap_or(Status::Offline)
    }

    fn shows(&self, _: ConversationId, _: UserId) -> bool {
        false
    }

    fn close_for(&self, _: ConversationId, _: UserId) {}

    fn tell_missed(&self) {}
}

/// A board, and a world that it looks at.
#[derive(Default)]
struct Desk {
    here: Here,
    hidden: Hidden,
    board: Board,
}

fn user(n: u128) -> UserId {
    UserId(Uuid::from_u128(n))
}

fn conversation(n: u128) -> ConversationId {
    ConversationId(Uuid::from_u128(n))
}

fn present(n: u128) -> Present {
    Present { user: user(n), last_seen_at: None }
}

impl Desk {
    fn looks_at(&mut self, conversation: ConversationId, people: impl IntoIterator<Item = u128>) {
        assert!(!self.board.begin(conversation));
        let few = Loaded::Few(people.into_iter().map(present).collect());
        let Self { here, hidden, board } = self;
        board.load(&Eyes { screens: here, hidden, now: START }, conversation, few);
    }

    fn comes(&mut self, n: u128) {
        self.here.0.lock().insert(user(n), Status::Online);
        self.board.arrived(user(n));
    }

    fn goes(&mut self, n: u128, now: Timestamp) {
        self.here.0.lock().remove(&user(n));
        self.board.departed(user(n), Status::Online, now);
        self.board.touch(user(n));
    }

    fn joins(&mut self, conversation: ConversationId, n: u128) {
        let Self { here, hidden, board } = self;
        board.joined(&Eyes { screens: here, hidden, now: START }, conversation, present(n));
    }

    /// Who is told to be how.
    fn news(&mut self, now: Timestamp) -> Vec<(UserId, Status)> {
        let Self { here, hidden, board } = self;
        let news = board.take_news(&Eyes { screens: here, hidden, now });
        let told = news.signals.into_iter().map(|(signal, _)| match signal {
            Signal::PresenceChanged(presence) => (presence.user, presence.status),
            other => panic!("{other:?}"),
        });
        told.collect()
    }

    /// Nothing is kept of conversations at which nobody looks, nor of their people.
    fn assert_empty(&self) {
        let Board { watched, people, touched, large, .. } = &self.board;
        assert!(watched.is_empty() && people.is_empty() && touched.is_empty() && large.is_empty());
    }
}

#[test]
fn who_comes_back_within_the_grace_was_never_away() {
    let mut desk = Desk::default();
    desk.comes(1);
    desk.looks_at(conversation(1), [1, 2]);
    desk.goes(1, START);
    assert_eq!(desk.news(START.plus_ms(PRESENCE_GRACE_MS - 1)), []);
    desk.comes(1);
    assert_eq!(desk.news(START.plus_ms(2 * PRESENCE_GRACE_MS)), []);
    desk.goes(1, START.plus_ms(3 * PRESENCE_GRACE_MS));
    assert_eq!(desk.news(START.plus_ms(4 * PRESENCE_GRACE_MS - 1)), []);
    assert_eq!(desk.news(START.plus_ms(4 * PRESENCE_GRACE_MS)), [(user(1), Status::Offline)]);
}

/// R20.
#[test]
fn a_clock_that_goes_back_ends_the_grace() {
    let mut desk = Desk::default();
    desk.comes(1);
    desk.looks_at(conversation(1), [1]);
    desk.goes(1, START);
    assert_eq!(desk.news(START.plus_ms(-3_600_000)), [(user(1), Status::Offline)]);
    assert!(desk.board.due.is_empty() && desk.board.gone.is_empty());
}

#[test]
fn who_joins_and_leaves_while_the_store_is_asked_is_taken_in() {
    let mut desk = Desk::default();
    let room = conversation(1);
    desk.comes(3);
    assert!(!desk.board.begin(room));
    desk.joins(room, 3);
    desk.board.left(room, user(1));
    desk.joins(room, 4);
    desk.board.left(room, user(4));
    let Desk { here, hidden, board } = &mut desk;
    // The store answers as of before.
    let loaded = Loaded::Few(vec![present(1), present(2)]);
    board.load(&Eyes { screens: here, hidden, now: START }, room, loaded);
    let seen = board.seen(room);
    let shown: HashSet<_> = seen.presence.iter().map(|one| one.user).collect();
    assert_eq!((shown, seen.online), (HashSet::from([user(2), user(3)]), 1));
}

#[test]
fn a_group_that_grows_too_large_is_counted_and_forgotten_by_name() {
    let mut desk = Desk::default();
    let room = conversation(1);
    for n in 0..10 {
        desk.comes(n);
    }
    desk.looks_at(room, 0..PRESENCE_NAMED_MAX as u128);
    assert_eq!(desk.board.seen(room).presence.len(), PRESENCE_NAMED_MAX);
    desk.joins(room, 1_000);
    let seen = desk.board.seen(room);
    assert_eq!((seen.presence.len(), seen.online), (0, 10));
    assert!(desk.board.people.is_empty() && desk.board.touched.is_empty());
    assert_eq!(desk.board.next_large(START.plus_ms(1)), None, "it was just counted");
    let later = START.plus_ms(PRESENCE_COUNTED_MS);
    assert_eq!(desk.board.next_large(later), Some(room));
    assert!(!desk.board.counted(room, 10) && desk.board.counted(room, 11));
    desk.board.close(room, later);
    assert_eq!(desk.board.next_large(later.plus_ms(1)), None, "remembered for who looks again");
    assert!(desk.board.begin(room), "as here");
    desk.board.close(room, later);
    assert_eq!(desk.board.next_large(later.plus_ms(PRESENCE_COUNTED_MS)), None);
    desk.assert_empty();
}

#[test]
fn what_nobody_looks_at_is_forgotten() {
    let mut desk = Desk::default();
    desk.looks_at(conversation(1), [1, 2]);
    desk.looks_at(conversation(2), [2, 3]);
    assert!(desk.board.begin(conversation(2)), "a second screen");
    desk.comes(2);
    desk.board.close(conversation(1), START);
    desk.board.close(conversation(2), START);
    assert_eq!(desk.news(START), [(user(2), Status::Online)]);
    desk.board.left(conversation(2), user(3));
    desk.board.close(conversation(2), START);
    desk.assert_empty();
}
