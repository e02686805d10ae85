//! A server that stops under many sockets: each is told in its turn, so that they do not come back all at once, and
//! none of them misses anything.

use std::time::{Duration, Instant};

use tidings_testkit::actors::{Device, Person};
use tokio::sync::oneshot;

use crate::harness::TestServer;

const PEOPLE: usize = 50;
const DEVICES_OF_EACH: usize = 20;
/// What the gateway spreads the end of many sockets over.
const SPREAD: Duration = Duration::from_secs(5);

/// Shows texts until the last one, over as many connections as it takes; gives them and when the first one ended.
async fn show(
    person: Person,
    mut device: Device,
    back: oneshot::Receiver<()>,
    last: &str,
) -> (Vec<String>, Instant) {
    let mut texts = Vec::new();
    while let Some(event) = device.event_or_end().await {
        texts.extend(event.body["content"].as_str().map(str::to_owned));
    }
    let ended_at = Instant::now();
    assert_ne!(device.ended, Some("disconnect"), "a stock client comes back by itself");
    back.await.unwrap();
    let mut device = person.resume(&device.drop_connection()).await;
    while texts.last().is_none_or(|text| text != last) {
        let event = device.next_event().await;
        texts.extend(event.body["content"].as_str().map(str::to_owned));
    }
    (texts, ended_at)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_sockets_are_told_to_go_over_five_seconds_and_miss_nothing() {
    let (mut server, _) = TestServer::with_people("p", PEOPLE, &[]).await;
    let mut people = Vec::new();
    for n in 0..PEOPLE {
        people.push(Person::login(&server.api, &format!("p{n}"), "phone").await);
    }
    let (alice, others) = people.split_first().unwrap();
    let hall = alice.group_with("Hall", &others.iter().collect::<Vec<_>>()).await;
    alice.send(&hall, "hello").await;
    let (mut devices, mut backs) = (Vec::new(), Vec::new());
    for person in &people {
        for _ in 0..DEVICES_OF_EACH {
            let (back, is_back) = oneshot::channel();
            backs.push(back);
            devices.push(tokio::spawn(show(person.clone(), person.connect().await, is_back, "welcome back")));
        }
    }
    for n in 0..20 {
        alice.send(&hall, &n.to_string()).await;
    }
    let stopping = Instant::now();
    server.restart_there().await;
    let stopped = stopping.elapsed();
    alice.send(&hall, "welcome back").await;
    for back in backs {
        back.send(()).unwrap();
    }
    let (mut first, mut last) = (None::<Instant>, stopping);
    let expected: Vec<String> = (0..20).map(|n| n.to_string()).chain(["welcome back".to_owned()]).collect();
    for device in devices {
        let (texts, ended_at) = device.await.unwrap();
        assert_eq!(texts, expected);
        first = Some(first.map_or(ended_at, |first| first.min(ended_at)));
        last = last.max(ended_at);
    }
    let spread = last.duration_since(first.unwrap());
    println!("{} sockets told over {spread:?}, stopped after {stopped:?}", PEOPLE * DEVICES_OF_EACH);
    assert!(spread > SPREAD - Duration::from_millis(200), "{spread:?}");
    assert!(stopped < SPREAD * 2, "{stopped:?}");
}
