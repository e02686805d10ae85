//! R17: a conversation with 10,000 members.

use std::sync::Arc;
use std::time::Instant;

use futures_util::{StreamExt, stream};
use serde_json::{Value, json};
use tidings_testkit::actors::{Person, Received};
use tidings_testkit::history::{Plan, Workload};
use tidings_testkit::scale::scale;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::town::{Town, add_all};
use crate::harness::TestServer;

const MEMBERS: usize = 10_000;
/// Logins and connects at a time.
const COMING_AT_ONCE: usize = 32;
const SENDS: usize = 10;

/// Most are away; some send, come and go, begin cold, join and are removed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r17_the_promise_is_kept_in_a_group_of_ten_thousand() {
    let plan = Plan { groups: 1, members: 6, members_in_group: 6, visitors: 4, ..Plan::small(17) };
    let crowd = MEMBERS - plan.members - plan.visitors;
    let (server, ids) = TestServer::with_people("crowd", crowd, &[]).await;
    let report = Workload::run(Arc::new(Town::at(&server.api, ids)), plan).await;
    println!("R17, 10,000 members: {report}");
    report.assert_clean();
    assert!(report.acknowledged > 500 && report.refused > 0, "{report}");
    assert_eq!(report.gaps, 0, "nothing needless without a fault: {report}");
}

/// What an operation costs depends on who is online, and not on who is a member.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r17_what_ten_thousand_members_cost() {
    let (mut server, ids) = TestServer::with_people("crowd", MEMBERS - 2, &[]).await;
    let [owner, newcomer] = server.users(["owner", "newcomer"]).await;
    let group = owner.group_with("Town", &[]).await;
    let since = owner.get("/api/sync").await.assert_ok(200)["next"].as_str().unwrap().to_owned();
    timed("10,000 joins", add_all(&owner, &group, &ids)).await;

    let mut crowd = Crowd { screens: Vec::new() };
    for online in [20, 200, scale("TIDINGS_R17_ONLINE", 1_000)] {
        let online = usize::try_from(online).unwrap();
        timed(&format!("{online} come online"), crowd.grow_to(&server, online)).await;
        measure_sends(&server, &owner, &group, &mut crowd).await;
    }
    let _ = timed("a join", owner.add(&group, &newcomer)).await.assert_ok(200);
    let joined = timed("until it is shown", crowd.expect("participant:joined")).await;
    assert_eq!(joined["userId"], newcomer.id.as_str());
    let path = format!("/api/conversations/{group}/leave");
    let left = timed("a leaving", newcomer.post(&path, Value::Null)).await;
    assert!(left.status.is_success(), "{}", left.text);
    assert_eq!(crowd.expect("participant:left").await["userId"], newcomer.id.as_str());
    drop(crowd);

    check_reads(&owner, &group, &since).await;
    timed("a restart", server.restart()).await;
    let owner = server.moved(&owner);
    timed("a send that loads the roster", owner.send(&group, "after a restart")).await;
}

async fn measure_sends(server: &TestServer, owner: &Person, group: &str, crowd: &mut Crowd) {
    // The first one after people have come looks for them.
    owner.send(group, "hello").await;
    crowd.expect("message:new").await;
    let before = server.stats();
    let (mut took, begun) = (Vec::new(), Instant::now());
    for _ in 0..SENDS {
        let begun = Instant::now();
        owner.send(group, "hello").await;
        took.push(begun.elapsed());
    }
    for _ in 0..SENDS {
        crowd.expect("message:new").await;
    }
    let (converged, after, online) = (begun.elapsed(), server.stats(), crowd.screens.len());
    took.sort_unstable();
    println!(
        "R17 {SENDS} sends with {online} online: answered after {:?} (median) to {:?}, shown everywhere after {converged:?}",
        took[SENDS / 2],
        took[SENDS - 1]
    );
    let offers = after.delivery.offers - before.delivery.offers;
    let look_ups = after.delivery.local_look_ups - before.delivery.local_look_ups;
    assert_eq!((offers, look_ups), ((SENDS * online) as u64, 0), "only who is online is looked at");
    assert_eq!(after.hub.frames_encoded - before.hub.frames_encoded, SENDS as u64);
    assert_eq!(after.hub.frames_given - before.hub.frames_given, offers);
    let reads = |stats: &tidings_server::stats::Stats| stats.store.reads + stats.store.delivery_reads;
    assert_eq!(reads(&after), reads(&before));
}

/// What a client reads of the group.
async fn check_reads(owner: &Person, group: &str, since: &str) {
    let path = format!("/api/conversations/{group}");
    let view = timed("the conversation", owner.get(&path)).await.assert_ok(200);
    assert_eq!(view["participantCount"], MEMBERS - 1);
    assert_eq!(view["participants"].as_array().unwrap().len(), 20);
    let listed = timed("all participants, page by page", count_participants(owner, &path)).await;
    assert_eq!(listed, MEMBERS - 1);
    let page = timed("a cold catch-up", owner.get(&format!("/api/sync?since={since}"))).await.assert_ok(200);
    assert_eq!(page["events"], json!([]));
    assert_eq!(page["skipped"][0]["stream"], format!("conversation:{group}"), "more than a replay holds");
}

async fn count_participants(person: &Person, path: &str) -> usize {
    let (mut listed, mut query) = (0, String::new());
    loop {
        let page = person.get(&format!("{path}/participants?limit=100{query}")).await.assert_ok(200);
        listed += page["participants"].as_array().unwrap().len();
        match page["nextCursor"].as_str() {
            Some(cursor) => query = format!("&cursor={cursor}"),
            None => return listed,
        }
    }
}

async fn timed<T>(what: &str, does: impl Future<Output = T>) -> T {
    let begun = Instant::now();
    let done = does.await;
    println!("R17 {what}: {:?}", begun.elapsed());
    done
}

/// Those of the group who are online, each with one device that is read all the while.
struct Crowd {
    screens: Vec<UnboundedReceiver<Received>>,
}

impl Crowd {
    /// Brings more of `crowd0`, `crowd1`, … online until there are as many.
    async fn grow_to(&mut self, server: &TestServer, count: usize) {
        let coming = (self.screens.len()..count).map(|n| async move {
            let mut device = Person::login(&server.api, &format!("crowd{n}"), "phone").await.connect().await;
            let (show, screen) = unbounded_channel();
            tokio::spawn(async move {
                // Until the crowd goes home, or the connection ends, which the crowd then misses.
                while let Some(event) = device.event_or_end().await {
                    if show.send(event).is_err() {
                        return;
                    }
                }
            });
            screen
        });
        self.screens.extend(stream::iter(coming).buffered(COMING_AT_ONCE).collect::<Vec<_>>().await);
    }

    /// Waits until each has been shown the next event, which has this name; gives the first one's.
    async fn expect(&mut self, name: &str) -> Value {
        let mut first = Value::Null;
        for (n, screen) in self.screens.iter_mut().enumerate() {
            let event = screen.recv().await.expect("an open connection");
            assert_eq!(event.name, name, "{}", event.body);
            if n == 0 {
                first = event.body;
            }
        }
        first
    }
}
