//! The law: applying an intention's events to the state before gives the state after, over all nouns.
//!
//! The state before is a [`State`] that has grown by [`apply`] alone; the state after is read back through the ports
//! ([`views`]). So a forgotten event, a wrong mark in one and a number that is not dense all show, at the intention
//! that did it. Sessions, keys and idempotency rows are excepted.
//!
//! A failure prints its seed and the intentions that led to it. A new event finds its effect missing in [`apply`]
//! (it does not compile); a new intention is one more line in `intentions.rs`.

mod apply;
mod intentions;
pub mod views;

use std::collections::BTreeMap;
use std::thread;

use tidings_core::ids::{LogId, StreamId};

pub use apply::{State, apply};
use intentions::{Cast, Mix, Outcome};

use super::{DataSet, Desk};

/// Intentions in one sequence.
const INTENTIONS: usize = 40;

/// Sequences that are told at least; more where something has not happened in them, up to
const SEQUENCES: u64 = 100;
/// so many.
const SEQUENCES_MAX: u64 = 500;

/// More coming and going than talking.
pub async fn events_give_the_state_of_quiet_groups<D: DataSet>(data_set: impl Fn() -> D) {
    hold(data_set, 0, Mix { send: 25 }).await;
}

/// Mostly talking.
pub async fn events_give_the_state_of_busy_groups<D: DataSet>(data_set: impl Fn() -> D) {
    hold(data_set, 1_000, Mix { send: 50 }).await;
}

async fn hold<D: DataSet>(data_set: impl Fn() -> D, first_seed: u64, mix: Mix) {
    let mut seen: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    let mut told = 0;
    while told < SEQUENCES || !missing(&seen).is_empty() {
        assert!(told < SEQUENCES_MAX, "no sequence has told of {:?}: {seen:?}", missing(&seen));
        let mut story = Story { seed: first_seed + told, intentions: Vec::new() };
        Box::pin(tell(data_set(), mix, &mut story, &mut seen)).await;
        told += 1;
    }
    eprintln!("{told} sequences: {seen:?}");
}

/// What has happened so far; printed when it ends badly.
struct Story {
    seed: u64,
    intentions: Vec<String>,
}

impl Drop for Story {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("the law is broken with seed {}, by the last of these:", self.seed);
            for (n, intention) in self.intentions.iter().enumerate() {
                eprintln!("{n:3}. {intention}");
            }
        }
    }
}

async fn tell(
    data_set: impl DataSet,
    mix: Mix,
    story: &mut Story,
    seen: &mut BTreeMap<(&'static str, &'static str), usize>,
) {
    let mut desk = Desk::open_seeded(Box::new(data_set), story.seed).await;
    let mut cast = Cast::arrive(&desk, story.seed, mix).await;
    let mut state = State::default();
    let mut published = desk.log.all();
    published.iter().for_each(|event| apply(&mut state, event));
    for step in 0..INTENTIONS {
        let intention = cast.choose(&desk);
        story.intentions.push(format!("{intention:?}"));
        let (outcome, events) = desk.publishes(cast.perform(&desk, &intention)).await;
        *seen.entry((intention.name(), outcome.name())).or_default() += 1;
        if !matches!(outcome, Outcome::Done) {
            assert_eq!(events, [], "{outcome:?}, and yet it published");
        }
        let recorded = desk.store.list_log(state.log, events.len() + 1).await.unwrap();
        assert_eq!(recorded, events, "the log holds what was published");
        events.iter().for_each(|event| apply(&mut state, event));
        published.extend_from_slice(&events);
        let mut touched: Vec<_> = events.iter().map(|event| event.stream).collect();
        touched.extend(intention.conversation().map(StreamId::Conversation));
        views::assert_streams_match(&desk, &state, &touched, step).await;
        if cast.wants_restart(step) {
            desk = desk.reopen().await;
            story.intentions.push("(closed and opened again)".to_owned());
            views::assert_everything_matches(&desk, &state).await;
        }
    }
    views::assert_everything_matches(&desk, &state).await;
    let recorded = desk.store.list_log(LogId(0), published.len() + 1).await.unwrap();
    let expected: Vec<_> = published.iter().map(|event| state.as_read_now(event)).collect();
    assert_eq!(recorded, expected, "and still does after all that happened since");
}

/// What has not happened yet: a law that is held against nothing holds always.
fn missing(seen: &BTreeMap<(&str, &str), usize>) -> Vec<(&'static str, &'static str)> {
    TO_BE_TOLD.iter().filter(|told| !seen.contains_key(*told)).copied().collect()
}

const TO_BE_TOLD: &[(&str, &str)] = &[
    ("send", "done"),
    ("send", "not_participant"),
    ("send", "session_ended"),
    ("send", "not_found"),
    ("retry", "again"),
    ("edit", "done"),
    ("edit", "again"),
    ("edit", "forbidden"),
    ("edit", "not_found"),
    ("edit", "not_participant"),
    ("edit", "message_deleted"),
    ("edit", "version_stale"),
    ("edit", "session_ended"),
    ("delete", "done"),
    ("delete", "again"),
    ("delete", "forbidden"),
    ("delete", "not_found"),
    ("react", "done"),
    ("react", "again"),
    ("react", "not_found"),
    ("react", "not_participant"),
    ("react", "message_deleted"),
    ("react", "invalid"),
    ("take back", "done"),
    ("take back", "again"),
    ("change", "done"),
    ("change", "again"),
    ("mark", "done"),
    ("mark", "again"),
    ("mark", "not_found"),
    ("mark", "invalid"),
    ("mark unread", "done"),
    ("mark unread", "again"),
    ("mark unread", "not_found"),
    ("mark unread", "invalid"),
    ("retry with another body", "client_message_id_reused"),
    ("add", "done"),
    ("add", "forbidden"),
    ("add", "fixed_participants"),
    ("add", "unknown_user"),
    ("add", "too_many"),
    ("add", "idempotency_key_reused"),
    ("remove", "done"),
    ("remove", "forbidden"),
    ("leave", "done"),
    ("leave", "last_owner"),
    ("direct", "done"),
    ("direct", "again"),
    ("group", "done"),
    ("group", "unknown_user"),
    ("group retry", "again"),
    ("notes", "done"),
    ("register", "done"),
    ("register", "username_taken"),
    ("prefer", "done"),
    ("prefer", "again"),
    ("prefer", "not_found"),
    ("prefer", "not_participant"),
    ("promote", "done"),
    ("promote", "again"),
    ("promote", "forbidden"),
    ("promote", "not_found"),
    ("log out", "done"),
];
