//! R17: a conversation with 10,000 members.

use std::time::{Duration, Instant};

use futures_util::{StreamExt, stream};
use serde_json::{Value, json};
use tidings_testkit::actors::{Device, Person};

use crate::harness::TestServer;

const MEMBERS: usize = 10_000;
/// How many are taken in by one request.
const ADDED_AT_ONCE: usize = 100;
/// Logins and connects at a time.
const COMING_AT_ONCE: usize = 32;

/// Those of the group who are online, each with one device.
struct Crowd {
    devices: Vec<Device>,
}

impl Crowd {
    /// Brings more of `crowd0`, `crowd1`, … online until there are as many.
    async fn grow_to(&mut self, server: &TestServer, count: usize) {
        let coming = (self.devices.len()..count).map(|n| async move {
            Person::login(&server.api, &format!("crowd{n}"), "phone").await.connect().await
        });
        self.devices.extend(stream::iter(coming).buffered(COMING_AT_ONCE).collect::<Vec<_>>().await);
    }

    /// Waits until each has been shown the next event, which has this name; gives the first one's.
    async fn expect(&mut self, name: &str) -> Value {
        let mut first = Value::Null;
        for (n, device) in self.devices.iter_mut().enumerate() {
            let body = device.expect(name).await;
            if n == 0 {
                first = body;
            }
        }
        first
    }
}

/// A group of everybody, and its owner.
async fn group_of_everybody(server: &TestServer, ids: &[String]) -> (Person, String) {
    let owner = server.user("owner").await;
    let body = json!({ "kind": "group", "title": "Town", "userIds": ids[..ADDED_AT_ONCE] });
    let group = owner.post("/api/conversations", body).await.assert_ok(201);
    let group = group["id"].as_str().unwrap().to_owned();
    for ids in ids[ADDED_AT_ONCE..].chunks(ADDED_AT_ONCE) {
        let path = format!("/api/conversations/{group}/participants");
        let _ = owner.post(&path, json!({ "userIds": ids })).await.assert_ok(200);
    }
    (owner, group)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r17_a_group_of_ten_thousand() {
    let mut begun = Instant::now();
    let mut lap = |what: &str| {
        println!("R17 {what}: {:?}", begun.elapsed());
        begun = Instant::now();
    };
    let (mut server, ids) = TestServer::with_people("crowd", MEMBERS - 1, &[]).await;
    lap("10,000 people");
    let (owner, group) = group_of_everybody(&server, &ids).await;
    lap("10,000 joins");
    let view = owner.get(&format!("/api/conversations/{group}")).await.assert_ok(200);
    lap("view");
    assert_eq!(view["participantCount"], MEMBERS);
    let mut listed = 0;
    let mut path = format!("/api/conversations/{group}/participants?limit=100");
    loop {
        let page = owner.get(&path).await.assert_ok(200);
        listed += page["participants"].as_array().unwrap().len();
        let Some(cursor) = page["nextCursor"].as_str() else { break };
        path = format!("/api/conversations/{group}/participants?limit=100&cursor={cursor}");
    }
    assert_eq!(listed, MEMBERS);
    lap("listing all 10,000");
    let mut crowd = Crowd { devices: Vec::new() };
    for online in [20, 200, 2_000] {
        crowd.grow_to(&server, online).await;
        lap(&format!("{online} online"));
        owner.send(&group, "warm").await;
        crowd.expect("message:new").await;
        lap("first send");
        let before = server.stats();
        let mut took = Vec::new();
        for _ in 0..10 {
            let begun = Instant::now();
            owner.send(&group, "hello").await;
            took.push(begun.elapsed());
        }
        for _ in 0..10 {
            crowd.expect("message:new").await;
        }
        took.sort_unstable();
        let after = server.stats();
        println!(
            "R17 {online} online: send p50 {:?}, max {:?}; offers {} look-ups {}",
            took[5],
            took[9],
            after.delivery.offers - before.delivery.offers,
            after.delivery.local_look_ups - before.delivery.local_look_ups
        );
        lap("ten sends shown");
    }
    let newcomer = server.user("newcomer").await;
    lap("register");
    assert_eq!(owner.add(&group, &newcomer).await.code(), "too_many");
    let gone = Person::login(&server.api, "crowd9000", "phone").await;
    lap("login");
    let left = gone.post(&format!("/api/conversations/{group}/leave"), Value::Null).await;
    assert!(left.status.is_success());
    lap("leave");
    crowd.expect("participant:left").await;
    lap("leave shown");
    let _ = owner.add(&group, &newcomer).await.assert_ok(200);
    lap("join");
    crowd.expect("participant:joined").await;
    lap("join shown");
    server.restart().await;
    lap("restart");
    let owner = server.moved(&owner);
    owner.send(&group, "after a restart").await;
    lap("send after restart");
    drop(ids);
    tokio::time::sleep(Duration::from_millis(1)).await;
}
