//! R16 and F18: readers that stop reading. The others are served meanwhile, the server's memory stays bounded, and who
//! reads again is shown everything, in order, on the connection that it has.

use std::time::Instant;

use serde_json::json;
use tidings_testkit::actors::{Device, Person};
use tidings_testkit::scale::scale;

use crate::process::server_process::ServerProcess;

const PEOPLE: usize = 11;
/// Sends on their way at a time.
const IN_FLIGHT: u64 = 16;
/// The tail in memory may hold 64 MiB, and each of those who stopped a queue of a megabyte of frames that all of them
/// share.
const GROWTH_KIB_MAX: u64 = 160 * 1024;

/// A message's text: with what is around it about half a kilobyte on the wire.
fn text(n: u64) -> String {
    format!("{n} {}", "x".repeat(100))
}

/// Takes all messages in order; gives how many pages of a catch-up were among them.
async fn take_all(device: &mut Device, events: u64) -> u64 {
    let (mut next, mut pages) = (0, 0);
    while next < events {
        let event = device.next_event().await;
        match event.name.as_str() {
            "message:new" => {
                assert_eq!(event.body["content"], text(next));
                next += 1;
            }
            "sync:page" => {
                assert_eq!(event.body["skipped"], json!([]));
                pages += 1;
            }
            name => panic!("{name}: {}", event.body),
        }
    }
    pages
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r16_readers_that_stop_cost_the_others_nothing_and_miss_nothing() {
    let events = scale("TIDINGS_R16_EVENTS", 3_000);
    let devices_of_each = scale("TIDINGS_R16_READERS", 30) / (PEOPLE as u64 - 1);
    let dir = tempfile::tempdir().unwrap();
    let server = ServerProcess::start(dir.path());
    let mut people = Vec::new();
    for n in 0..PEOPLE {
        people.push(Person::register(&server.api, &format!("person{n}")).await);
    }
    let (alice, others) = people.split_first().unwrap();
    let hall = alice.group_with("Hall", &others.iter().collect::<Vec<_>>()).await;
    let (mut stopped, mut healthy) = (Vec::new(), alice.connect().await);
    for person in others {
        for _ in 0..devices_of_each {
            stopped.push(person.connect().await);
        }
    }
    let before_kib = server.resident_kib();

    // Nobody reads but one, while so many events pass.
    let reading = tokio::spawn(async move {
        take_all(&mut healthy, events).await;
        healthy
    });
    let (mut sender, begun) = (alice.connect().await, Instant::now());
    let mut waiting = std::collections::VecDeque::new();
    for n in 0..events {
        let body = json!({ "conversationId": hall, "content": text(n) });
        waiting.push_back(sender.begin("message:send", &body).await);
        if n >= IN_FLIGHT {
            let ack = sender.ack(waiting.pop_front().unwrap()).await;
            assert_eq!(ack["ok"], true, "{ack}");
        }
    }
    for id in waiting {
        assert_eq!(sender.ack(id).await["ok"], true);
    }
    let healthy = reading.await.unwrap();
    let passed = begun.elapsed();
    let grown_kib = server.resident_kib().saturating_sub(before_kib);

    // They read again, each on its own connection.
    let (begun, count) = (Instant::now(), stopped.len());
    let tasks: Vec<_> = stopped
        .into_iter()
        .map(|mut device| {
            tokio::spawn(async move {
                let pages = take_all(&mut device, events).await;
                (device, pages)
            })
        })
        .collect();
    let mut caught_up = 0;
    let mut devices = vec![healthy];
    for task in tasks {
        let (device, pages) = task.await.unwrap();
        caught_up += u64::from(pages > 0);
        devices.push(device);
    }
    let converged = begun.elapsed();
    println!(
        "R16 {count} readers that stopped while {events} events passed in {passed:.1?}, {caught_up} caught up from the \
         log: acknowledged {events}, lost 0, doubled 0, reordered 0, converged in {converged:.1?}, memory +{grown_kib} KiB"
    );
    assert!(caught_up > 0, "so many events are more than a queue");
    assert!(grown_kib < GROWTH_KIB_MAX, "{grown_kib} KiB");
    alice.send(&hall, "live").await;
    for device in &mut devices {
        while device.next_event().await.body["content"] != "live" {}
    }
}
