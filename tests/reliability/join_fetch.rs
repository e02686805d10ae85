//! R18: the race of joining, connecting and fetching (F10, F20, F32). Messages are sent all the while; somebody who has
//! never been here connects, with a token or without, reads the window before, meanwhile or after, is taken into the
//! group or put out of it in the middle, and merges what came by `pos`. Nothing is missing, doubled or out of order.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures_util::{StreamExt, stream};
use serde_json::json;
use tidings_testkit::actors::{ClientIds, Device, Person};
use tidings_testkit::history::{
    Answer, Id, Messenger, Outgoing, Plan, Real, Recorder, Report, Stored, StoredStream, Workload, check,
};
use tidings_testkit::scale::{scale, seeds};
use tokio::sync::Notify;
use uuid::Uuid;

use super::screen::Screen;
use super::town::{Town, add_all};
use crate::harness::TestServer;

/// Who come at a time.
const COMING_AT_ONCE: usize = 4;
const SENDERS: usize = 3;
/// Sends that one of them has in flight.
const LANES: usize = 4;
/// Who are there at a time, where nobody leaves by themselves.
const STAY_AT_MOST: usize = 20;
/// So many messages come after somebody has come, before they go.
const STAYS_FOR: u64 = 3;
/// Members who are away: with them a group keeps a list of those who are here.
const LARGE: usize = 300;

/// How somebody comes.
#[derive(Debug, Clone, Copy)]
enum Coming {
    /// Without a token: live first, then the window.
    WindowAfter,
    /// The present token, the window, and then a connection.
    WindowBefore,
    /// The present token, and the window while the connection is made and replayed.
    WindowMeanwhile,
    /// A connection without a token, and taken in while it is made.
    AddedMeanwhile,
    /// A connection with a token, and taken in while it is replayed.
    AddedWhileReplayed,
    /// A connection with a token, and put out while it is replayed.
    RemovedWhileReplayed,
}

const COMINGS: [Coming; 6] = [
    Coming::WindowAfter,
    Coming::WindowBefore,
    Coming::WindowMeanwhile,
    Coming::AddedMeanwhile,
    Coming::AddedWhileReplayed,
    Coming::RemovedWhileReplayed,
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r18_who_comes_in_the_middle_misses_nothing() {
    for crowd in [0, LARGE] {
        let rounds = usize::try_from(scale("TIDINGS_R18_ROUNDS", 60)).unwrap();
        let race = Race::begin(crowd, rounds).await;
        let report = race.run().await;
        println!("R18 {rounds} who come into a group of {}: {report}", crowd + SENDERS);
        report.assert_clean();
        assert_eq!((report.unknown, report.gaps), (0, 0), "{report}");
        assert!(report.acknowledged > rounds as u64, "there was a load: {report}");
    }
}

/// One message and one connection at the same instant, and nothing before for a while: the token is the tail's very
/// end. The members of a large group have never been here, so the list of those who are is being made while it goes
/// out.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r18_a_message_and_a_connection_at_the_same_instant() {
    let race = Race::begin(LARGE, 0).await;
    let mut rng = fastrand::Rng::with_seed(scale("TIDINGS_SEED", 1));
    let mut there = Vec::new();
    for number in 0..LARGE {
        let (person, mut screen) = race.comer(number, "at once").await;
        let since = present_token(&person).await;
        screen.load().await;
        let sending = async {
            tokio::time::sleep(Duration::from_micros(rng.u64(..5_000))).await;
            race.send_one(&race.owner).await
        };
        let (mut device, seq) = tokio::join!(person.resume(&since), sending);
        screen.show_through(&mut device, seq.expect("an answer")).await;
        there.push((screen, device));
        // Each costs the machine a little; all of them at once are another test's matter.
        if there.len() > STAY_AT_MOST {
            let (screen, device) = there.swap_remove(rng.usize(..there.len()));
            screen.end(device);
        }
    }
    for (mut screen, mut device) in there {
        screen.show_through(&mut device, LARGE as u64).await;
        screen.end(device);
    }
    let report = check(race.recorder.take(), &race.read_stored().await);
    println!("R18 {LARGE} messages, each with a connection at the same instant: {report}");
    report.assert_clean();
    assert_eq!((report.acknowledged, report.unknown, report.gaps), (LARGE as u64, 0, 0), "{report}");
}

/// Devices that come and go as fast as they can, and people who are let in and out as fast as they can, in a group that
/// is small and in one that is large.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r18_everybody_comes_and_goes_at_once() {
    for seed in seeds("TIDINGS_R18_SEEDS", 2) {
        let plan = Plan {
            groups: 1,
            visitors: 6,
            churn_every: 2,
            stay_arrivals_max: 3,
            away_max: Duration::from_millis(3),
            ..Plan::small(18 + seed)
        };
        let (server, crowd) = TestServer::with_people("crowd", LARGE, &[]).await;
        let report = Workload::run(Arc::new(Town::at(&server.api, crowd)), plan).await;
        println!("R18 everybody at once, seed {seed}: {report}");
        report.assert_clean();
        assert!(report.acknowledged > 300 && report.gaps == 0, "{report}");
    }
}

/// A group in which messages are sent, and those who come to it.
struct Race {
    server: TestServer,
    real: Real,
    recorder: Recorder,
    owner: Id,
    senders: Vec<Id>,
    group: Id,
    comers: usize,
    crowd: usize,
    /// The last message that was acknowledged.
    acknowledged: AtomicU64,
    sent: Notify,
    is_over: AtomicBool,
}

impl Race {
    async fn begin(crowd: usize, comers: usize) -> Self {
        let (server, ids) = TestServer::with_people("comer", crowd + comers, &[]).await;
        let real = Real::at(&server.api.url);
        let owner = real.user("owner").await;
        let mut senders = Vec::new();
        for n in 0..SENDERS - 1 {
            senders.push(real.user(&format!("sender{n}")).await);
        }
        let group = real.group(&owner, &senders).await;
        senders.push(Id::clone(&owner));
        add_all(&Person::login(&server.api, "owner", "desk").await, &group, &ids[..crowd]).await;
        Self {
            server,
            real,
            recorder: Recorder::default(),
            owner,
            senders,
            group,
            comers,
            crowd,
            acknowledged: AtomicU64::new(0),
            sent: Notify::new(),
            is_over: AtomicBool::new(false),
        }
    }

    async fn run(&self) -> Report {
        let lanes = self.senders.iter().flat_map(|sender| std::iter::repeat_n(sender, LANES));
        let sending = futures_util::future::join_all(lanes.map(|sender| self.send(sender)));
        let comings = async {
            let coming = |(n, coming): (usize, &Coming)| self.come(self.crowd + n, *coming);
            let comings = stream::iter(COMINGS.iter().cycle().take(self.comers).enumerate()).map(coming);
            let took: Vec<Duration> = comings.buffer_unordered(COMING_AT_ONCE).collect().await;
            self.is_over.store(true, Ordering::Relaxed);
            took.into_iter().max().unwrap_or_default()
        };
        let (_, converged) = tokio::join!(sending, comings);
        let mut report = check(self.recorder.take(), &self.read_stored().await);
        report.converged = converged;
        report
    }

    async fn send(&self, sender: &Id) {
        while !self.is_over.load(Ordering::Relaxed) {
            if let Some(seq) = self.send_one(sender).await {
                self.acknowledged.fetch_max(seq, Ordering::Relaxed);
                self.sent.notify_waiters();
            }
        }
    }

    async fn send_one(&self, sender: &Id) -> Option<u64> {
        let client_id = Uuid::now_v7_for_tests().parse().unwrap();
        let (conversation, sender) = (Id::clone(&self.group), Id::clone(sender));
        let message = Outgoing { client_id, conversation, sender, text: client_id.to_string() };
        self.recorder.invoke(&message);
        let answer = self.real.send(&message).await;
        self.recorder.answer(client_id, &answer);
        match answer {
            Answer::Acknowledged(place) => Some(place.seq),
            Answer::Refused(_) | Answer::Unknown => None,
        }
    }

    /// Somebody who has never been here, and what their device shows.
    async fn comer(&self, number: usize, how: &str) -> (Person, Screen) {
        let person = Person::login(&self.server.api, &format!("comer{number}"), "phone").await;
        let name = Id::from(format!("comer{number}/{how}"));
        let log = self.recorder.device(name, person.id.as_str().into(), HashMap::new());
        let screen = Screen::new(person.clone(), Id::clone(&self.group), log);
        (person, screen)
    }

    /// Waits until so many more messages have been acknowledged; gives the last one's number.
    async fn more(&self, count: u64) -> u64 {
        let wanted = self.acknowledged.load(Ordering::Relaxed) + count;
        loop {
            let sent = self.sent.notified();
            let now = self.acknowledged.load(Ordering::Relaxed);
            if now >= wanted {
                return now;
            }
            sent.await;
        }
    }

    /// Somebody comes, stays for a few messages, goes away, comes back by the token, and goes for good. Gives how long
    /// it took from the first connection until everything was shown.
    async fn come(&self, number: usize, coming: Coming) -> Duration {
        let (person, mut screen) = self.comer(number, &format!("{coming:?}")).await;
        let id = Id::from(person.id.as_str());
        let begun = Instant::now();
        let mut device = self.connect(&mut screen, &person, &id, coming).await;
        if matches!(coming, Coming::RemovedWhileReplayed) {
            screen.show_until_put_out(&mut device).await;
            let took = begun.elapsed();
            screen.end(device);
            return took;
        }
        screen.show_through(&mut device, self.acknowledged.load(Ordering::Relaxed)).await;
        let took = begun.elapsed();
        screen.show_through(&mut device, self.more(STAYS_FOR).await).await;
        let since = screen.leave(device);
        self.more(STAYS_FOR).await;
        let mut device = person.resume(&since).await;
        screen.show_through(&mut device, self.more(STAYS_FOR).await).await;
        screen.end(device);
        took
    }

    async fn connect(&self, screen: &mut Screen, person: &Person, id: &Id, coming: Coming) -> Device {
        let cold = || person.open(json!({ "token": person.token }));
        match coming {
            Coming::WindowAfter => {
                self.add(id).await;
                let mut device = cold().await;
                screen.show_until_ready(&mut device).await;
                screen.load().await;
                device
            }
            Coming::WindowBefore => {
                self.add(id).await;
                let since = present_token(person).await;
                self.more(STAYS_FOR).await;
                screen.load().await;
                self.more(STAYS_FOR).await;
                person.resume(&since).await
            }
            Coming::WindowMeanwhile => {
                self.add(id).await;
                let since = present_token(person).await;
                self.more(STAYS_FOR).await;
                let (device, ()) = tokio::join!(person.resume(&since), screen.load());
                device
            }
            Coming::AddedMeanwhile => {
                let (mut device, ()) = tokio::join!(cold(), self.add(id));
                screen.show_until_ready(&mut device).await;
                screen.load().await;
                device
            }
            Coming::AddedWhileReplayed => {
                let since = present_token(person).await;
                let (device, ()) = tokio::join!(person.resume(&since), self.add(id));
                device
            }
            Coming::RemovedWhileReplayed => {
                self.add(id).await;
                let since = present_token(person).await;
                screen.load().await;
                self.more(10 * STAYS_FOR).await;
                let (device, removed) =
                    tokio::join!(person.resume(&since), self.real.remove(&self.owner, &self.group, id));
                removed.expect("an answer");
                device
            }
        }
    }

    async fn add(&self, id: &Id) {
        self.real.add(&self.owner, &self.group, id).await.expect("an answer");
    }

    /// What stands, as the owner reads it.
    async fn read_stored(&self) -> Stored {
        let (mut stream, mut pos, mut seq) = (StoredStream::default(), 0, 0);
        loop {
            let page = self.real.stream(&self.owner, &self.group, pos).await.expect("an answer");
            stream.events.extend(page.events.into_iter().map(|event| (event.pos, event.body)));
            pos = stream.events.last().map_or(pos, |(pos, _)| *pos);
            if !page.has_more {
                break;
            }
        }
        loop {
            let page = self.real.history(&self.owner, &self.group, seq).await.expect("an answer");
            seq = page.messages.last().map_or(seq, |message| message.seq);
            stream.history.extend(page.messages);
            if !page.has_more {
                break;
            }
        }
        Stored { conversations: [(Id::clone(&self.group), stream)].into() }
    }
}

async fn present_token(person: &Person) -> String {
    person.get("/api/sync").await.assert_ok(200)["next"].as_str().unwrap().to_owned()
}
