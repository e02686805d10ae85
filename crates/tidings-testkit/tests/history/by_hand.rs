//! Histories written by hand: each has one thing wrong, and the checker names it.

use std::collections::{BTreeSet, HashMap};

use tidings_testkit::history::{
    Attempt, Checker, DeviceRecord, EventBody, HistoryDigest, Id, Message, Outgoing, Place, Records, Report,
    Shown, Stored, StoredStream, Violation, check,
};
use uuid::Uuid;

const GROUP: &str = "group";

/// Alice and Bob are in a group from the beginning; Alice sent three messages, and a device of each shows them.
struct History {
    records: Records,
    stream: StoredStream,
}

fn message(seq: u64) -> Message {
    Message {
        id: format!("m{seq}"),
        seq,
        client_id: Uuid::from_u128(u128::from(seq)),
        sender: "alice".into(),
        text: format!("text {seq}"),
    }
}

fn attempt(seq: u64) -> Attempt {
    let Message { id, client_id, sender, text, .. } = message(seq);
    Attempt {
        message: Outgoing { client_id, conversation: GROUP.into(), sender, text },
        invoked_at: 10 * seq,
        acknowledged_at: Some(10 * seq + 5),
        places: vec![Place { message_id: id, seq, pos: None }],
        refused: None,
        unanswered: 0,
    }
}

fn shown(seq: u64) -> Shown {
    Shown { conversation: GROUP.into(), message: message(seq), was_delivered: true }
}

fn device(user: &str) -> DeviceRecord {
    DeviceRecord {
        device: format!("{user}'s").into(),
        user: user.into(),
        shown: vec![shown(1), shown(2), shown(3)],
        connected_at: Some(1),
        ..DeviceRecord::default()
    }
}

impl History {
    fn clean() -> Self {
        let created = EventBody::Created(vec!["alice".into(), "bob".into()]);
        let mut stream =
            StoredStream { events: vec![(1, created)], head: Some((4, 3)), ..Default::default() };
        for seq in 1..=3 {
            stream.events.push((seq + 1, EventBody::Message(message(seq))));
            stream.history.push(message(seq));
        }
        let attempts = vec![attempt(1), attempt(2), attempt(3)];
        Self { records: Records { attempts, devices: vec![device("alice"), device("bob")] }, stream }
    }

    fn alice(&mut self) -> &mut DeviceRecord {
        &mut self.records.devices[0]
    }

    fn bob(&mut self) -> &mut DeviceRecord {
        &mut self.records.devices[1]
    }

    /// As if message `seq` stood and was shown otherwise.
    fn change(&mut self, seq: u64, change: impl Fn(&mut Message)) {
        let index = usize::try_from(seq).unwrap();
        let EventBody::Message(message) = &mut self.stream.events[index].1 else { unreachable!() };
        change(message);
        change(&mut self.stream.history[index - 1]);
        for device in &mut self.records.devices {
            change(&mut device.shown[index - 1].message);
        }
    }

    /// A fourth message that stands and was shown.
    fn append(&mut self, message: &Message, pos: u64) {
        self.stream.events.push((pos, EventBody::Message(message.clone())));
        self.stream.history.push(message.clone());
        self.stream.head = Some((pos, message.seq));
        for device in &mut self.records.devices {
            device.shown.push(Shown { message: message.clone(), ..shown(4) });
        }
    }

    fn checked(self) -> Report {
        let stored = Stored { conversations: [(Id::from(GROUP), self.stream)].into() };
        check(self.records, &stored)
    }
}

#[track_caller]
fn assert_finds(violations: &[Violation], spoil: impl FnOnce(&mut History)) {
    let mut history = History::clean();
    spoil(&mut history);
    let report = history.checked();
    assert_eq!(report.violations(), violations.iter().copied().collect::<BTreeSet<_>>(), "{report}");
    let first = violations.first().unwrap();
    assert!(report.to_string().contains(&format!("{first}: 1")), "{report}");
}

#[test]
fn a_clean_history_is_clean_and_says_so_in_one_line() {
    let mut history = History::clean();
    history.records.attempts.push(Attempt {
        acknowledged_at: None,
        places: Vec::new(),
        unanswered: 1,
        ..attempt(9)
    });
    let report = history.checked();
    report.assert_clean();
    let line = report.to_string();
    let begin = "acknowledged 3, unknown 1, lost 0, doubled 0, reordered 0, converged in 0 ms";
    assert!(line.starts_with(begin) && !line.contains('\n'), "{line}");
}

#[test]
fn acknowledged_lost() {
    assert_finds(&[Violation::AcknowledgedLost], |history| history.records.attempts.push(attempt(4)));
}

#[test]
fn other_than_acknowledged() {
    for change in [
        |message: &mut Message| message.text = "other".into(),
        |message: &mut Message| message.sender = "bob".into(),
        |message: &mut Message| message.id = "other".into(),
    ] {
        assert_finds(&[Violation::OtherThanAcknowledged], |history| history.change(2, change));
    }
    assert_finds(&[Violation::OtherThanAcknowledged], |history| {
        history.records.attempts[2].places[0].seq = 7;
    });
    assert_finds(&[Violation::OtherThanAcknowledged], |history| {
        history.records.attempts[2].places[0].pos = Some(7);
    });
}

#[test]
fn answers_differ() {
    assert_finds(&[Violation::AnswersDiffer], |history| {
        history.records.attempts[2].places.push(Place { message_id: "m9".into(), seq: 9, pos: None });
    });
}

#[test]
fn place_acknowledged_twice() {
    assert_finds(&[Violation::PlaceAcknowledgedTwice, Violation::AcknowledgedLost], |history| {
        let mut second = attempt(4);
        second.places[0].seq = 3;
        history.records.attempts.push(second);
    });
}

#[test]
fn overtook_acknowledged() {
    assert_finds(&[Violation::OvertookAcknowledged], |history| {
        history.records.attempts[1].invoked_at = 40;
        history.records.attempts[1].acknowledged_at = Some(50);
    });
}

#[test]
fn stored_twice_and_unknown_stored_twice() {
    let again = Message { id: "m4".into(), seq: 4, ..message(3) };
    assert_finds(&[Violation::StoredTwice], |history| history.append(&again, 5));
    assert_finds(&[Violation::UnknownStoredTwice], |history| {
        history.append(&again, 5);
        let attempt = &mut history.records.attempts[2];
        (attempt.acknowledged_at, attempt.places) = (None, Vec::new());
    });
}

#[test]
fn refused_stored() {
    assert_finds(&[Violation::RefusedStored], |history| {
        let attempt = &mut history.records.attempts[2];
        (attempt.acknowledged_at, attempt.places) = (None, Vec::new());
        attempt.refused = Some("forbidden".into());
    });
}

#[test]
fn nobody_sent() {
    assert_finds(&[Violation::NobodySent], |history| history.append(&message(4), 5));
}

#[test]
fn position_twice_and_position_hole() {
    let left = || EventBody::Left("bob".into());
    assert_finds(&[Violation::PositionTwice], |history| history.stream.events.push((4, left())));
    assert_finds(&[Violation::PositionHole], |history| {
        history.stream.events.push((6, left()));
        history.stream.head = Some((6, 3));
    });
}

#[test]
fn sequence_twice_and_sequence_hole() {
    assert_finds(
        &[
            Violation::SequenceTwice,
            Violation::ShownTwice,
            Violation::ShownOtherwise,
            Violation::PlaceAcknowledgedTwice,
        ],
        |history| {
            let twin = Message { seq: 3, ..message(4) };
            history.append(&twin, 5);
            history.bob().shown.pop();
            history.alice().shown[2].message = twin;
            let mut fourth = attempt(4);
            fourth.places[0].seq = 3;
            history.records.attempts.push(fourth);
        },
    );
    assert_finds(&[Violation::SequenceHole], |history| {
        history.append(&message(5), 5);
        history.records.attempts.push(attempt(5));
    });
}

#[test]
fn sequence_against_position() {
    assert_finds(&[Violation::SequenceAgainstPosition], |history| {
        let (second, third) = (history.stream.events[2].1.clone(), history.stream.events[3].1.clone());
        (history.stream.events[2].1, history.stream.events[3].1) = (third, second);
    });
}

#[test]
fn history_lacks_and_stream_lacks() {
    assert_finds(&[Violation::HistoryLacks, Violation::AcknowledgedLost], |history| {
        history.append(&message(4), 5);
        history.records.attempts.push(attempt(4));
        history.stream.history.pop();
        history.stream.head = Some((5, 3));
        history.records.devices.iter_mut().for_each(|device| {
            device.shown.pop();
        });
    });
    assert_finds(&[Violation::StreamLacks], |history| {
        history.append(&message(4), 5);
        history.records.attempts.push(attempt(4));
        history.stream.events.pop();
        history.stream.head = Some((4, 4));
    });
}

#[test]
fn head_differs() {
    assert_finds(&[Violation::HeadDiffers], |history| history.stream.head = Some((4, 2)));
    assert_finds(&[Violation::HeadDiffers], |history| history.stream.head = Some((3, 3)));
}

#[test]
fn never_delivered() {
    assert_finds(&[Violation::NeverDelivered], |history| {
        history.alice().shown[2].was_delivered = false;
        history.bob().shown.pop();
    });
}

#[test]
fn not_shown_and_not_caught_up() {
    assert_finds(&[Violation::NotShown], |history| drop(history.bob().shown.remove(1)));
    assert_finds(&[Violation::NotShown], |history| drop(history.bob().shown.pop()));
    assert_finds(&[Violation::NotCaughtUp], |history| {
        history.bob().shown.pop();
        history.bob().connected_at = Some(31);
    });
    assert_finds(&[Violation::NotCaughtUp], |history| {
        history.bob().shown.pop();
        history.bob().connected_at = None;
    });
}

#[test]
fn a_device_that_ended_is_owed_what_lies_before_its_last_message() {
    let mut history = History::clean();
    history.bob().shown.pop();
    history.bob().has_ended = true;
    history.checked().assert_clean();
    assert_finds(&[Violation::NotShown], |history| {
        history.bob().shown.remove(1);
        history.bob().has_ended = true;
    });
}

#[test]
fn a_device_that_begins_later_is_owed_what_comes_after() {
    let mut history = History::clean();
    history.bob().begins_after = HashMap::from([(GROUP.into(), 2)]);
    history.bob().shown = vec![shown(3)];
    history.checked().assert_clean();
}

#[test]
fn shown_twice_and_shown_out_of_order() {
    assert_finds(&[Violation::ShownTwice], |history| history.bob().shown.push(shown(2)));
    assert_finds(&[Violation::ShownOutOfOrder], |history| history.bob().shown.swap(1, 2));
}

#[test]
fn shown_to_stranger() {
    assert_finds(&[Violation::ShownToStranger], |history| {
        history.stream.events[0].1 = EventBody::Created(vec!["alice".into()]);
        history.bob().shown.truncate(1);
    });
    // Removed, and shown one message more than was theirs; and a newcomer who is shown the one before.
    assert_finds(&[Violation::ShownToStranger], |history| {
        history.stream.events.insert(3, (4, EventBody::Left("bob".into())));
        history.stream.events[4].0 = 5;
        history.stream.head = Some((5, 3));
    });
    assert_finds(&[Violation::ShownToStranger], |history| {
        history.stream.events[0].1 = EventBody::Created(vec!["alice".into()]);
        history.stream.events.insert(2, (3, EventBody::Joined("bob".into())));
        history.stream.events[3].0 = 4;
        history.stream.events[4].0 = 5;
        history.stream.head = Some((5, 3));
    });
}

#[test]
fn who_was_out_and_in_again_is_owed_both_times() {
    let mut history = History::clean();
    history.stream.events.insert(2, (3, EventBody::Left("bob".into())));
    history.stream.events[3].0 = 4;
    history.stream.events.insert(4, (5, EventBody::Joined("bob".into())));
    history.stream.events[5].0 = 6;
    history.stream.head = Some((6, 3));
    history.bob().shown.remove(1);
    history.checked().assert_clean();
}

#[test]
fn shown_not_stored_and_shown_otherwise() {
    assert_finds(&[Violation::ShownNotStored], |history| history.bob().shown.push(shown(4)));
    assert_finds(&[Violation::ShownNotStored], |history| {
        history.bob().shown.push(Shown { conversation: "elsewhere".into(), ..shown(1) });
    });
    assert_finds(&[Violation::ShownOtherwise], |history| {
        history.bob().shown[1].message.text = "other".into();
    });
}

#[test]
fn read_mark_went_back() {
    assert_finds(&[Violation::ReadMarkWentBack], |history| {
        history.bob().read_marks = vec![(GROUP.into(), 1), (GROUP.into(), 3), (GROUP.into(), 2)];
    });
}

/// The second round begins where the first ended.
fn second_round(checker: &mut Checker, messages: &[Message], records: Records) {
    let (pos, seq) = checker.through(&GROUP.into());
    assert_eq!((pos, seq), (4, 3));
    let events = (pos + 1..).zip(messages.iter().cloned().map(EventBody::Message)).collect();
    let stream = StoredStream { events, history: messages.to_vec(), head: None };
    checker.check_round(records, &Stored { conversations: [(Id::from(GROUP), stream)].into() });
}

fn after_first_round(spoil: impl FnOnce(&mut History)) -> Checker {
    let mut history = History::clean();
    spoil(&mut history);
    let mut checker = Checker::default();
    checker
        .check_round(history.records, &Stored { conversations: [(Id::from(GROUP), history.stream)].into() });
    assert!(checker.report().is_clean(), "{}", checker.report());
    checker
}

#[test]
fn what_is_open_after_a_round_is_known_in_the_next() {
    let unanswered =
        |seq| Attempt { acknowledged_at: None, places: Vec::new(), unanswered: 1, ..attempt(seq) };
    // It stood in the first round; the answer to the retry comes in the second.
    let mut checker = after_first_round(|history| history.records.attempts[2] = unanswered(3));
    second_round(&mut checker, &[], Records { attempts: vec![attempt(3)], devices: Vec::new() });
    let report = checker.finish();
    report.assert_clean();
    assert_eq!((report.acknowledged, report.retried, report.unknown), (3, 1, 0));

    // It stood in the first round, and stands again in the second.
    let mut checker = after_first_round(|history| history.records.attempts[2] = unanswered(3));
    let again = Message { id: "m4".into(), seq: 4, ..message(3) };
    second_round(&mut checker, &[again], Records::default());
    assert_eq!(checker.finish().violations(), [Violation::UnknownStoredTwice].into());

    // Acknowledged in the first round, and standing again in the second: nobody sent that.
    let mut checker = after_first_round(|_| {});
    let again = Message { id: "m4".into(), seq: 4, ..message(3) };
    second_round(&mut checker, &[again], Records::default());
    assert_eq!(checker.finish().violations(), [Violation::NobodySent].into());
}

#[test]
fn devices_go_on_from_round_to_round() {
    let mut checker = after_first_round(|_| {});
    let bob = DeviceRecord { shown: vec![shown(3), shown(4)], ..device("bob") };
    let alice = DeviceRecord { shown: Vec::new(), ..device("alice") };
    let records = Records { attempts: vec![attempt(4)], devices: vec![bob, alice] };
    second_round(&mut checker, &[message(4)], records);
    assert_eq!(checker.finish().violations(), [Violation::ShownTwice, Violation::NotShown].into());
}

#[test]
fn history_changed() {
    let mut read = HistoryDigest::default();
    (1..=3).for_each(|seq| read.push(&message(seq)));
    let mut checker = after_first_round(|_| {});
    checker.check_digest(&GROUP.into(), &read);
    assert!(checker.report().is_clean());
    read.push(&message(4));
    checker.check_digest(&GROUP.into(), &read);
    assert_eq!(checker.finish().violations(), [Violation::HistoryChanged].into());
}
