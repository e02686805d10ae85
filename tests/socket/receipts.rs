//! Receipts on every device: at once, together where many come, and after having been away.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tidings_testkit::actors::{Device, Person, Reply};

use crate::api::receipts::unread;
use crate::harness::TestServer;

async fn read(device: &mut Device, chat: &str, seq: u64) -> Value {
    let ack = device.call("messages:read", json!({ "conversationId": chat, "seq": seq })).await;
    assert_eq!(ack["ok"], true, "{ack}");
    ack
}

#[tokio::test]
async fn everybody_sees_how_far_somebody_has_read() {
    let server = TestServer::start().await;
    let [alice, bob] = server.users(["alice", "bob"]).await;
    let chat = alice.direct_with(&bob).await;
    let (mut hers, mut his) = (alice.connect().await, bob.connect().await);
    for n in 1..=3 {
        hers.send(&chat, &n.to_string()).await;
        hers.expect("message:new").await;
        his.expect("message:new").await;
    }
    let delivered = json!({ "conversationId": chat, "seq": 3 });
    let ack = his.call("messages:delivered", delivered).await;
    assert_eq!((&ack["ok"], &ack["deliveredSeq"]), (&json!(true), &json!(3)));
    let ack = read(&mut his, &chat, 2).await;
    assert_eq!((&ack["readSeq"], &ack["unread"]), (&json!(2), &json!(1)));
    assert_eq!(unread(&bob, &chat).await, 1, "the same number everywhere");
    for device in [&mut hers, &mut his] {
        for (name, seq) in [("messages:delivered", 3), ("messages:read", 2)] {
            let frame = device.expect(name).await;
            assert_eq!(frame["stream"], format!("conversation:{chat}"));
            assert_eq!(frame["conversationId"], chat);
            let mark = &frame["marks"][0];
            assert_eq!((&mark["userId"], &mark["seq"]), (&json!(bob.id), &json!(seq)));
            assert!(mark["at"].is_string());
        }
    }
    read(&mut his, &chat, 1).await;
    for device in [&mut hers, &mut his] {
        device.expect_nothing().await;
    }
}

/// The first at once, the others together, half a second after.
#[tokio::test]
async fn receipts_of_one_moment_are_told_together() {
    const PEOPLE: usize = 17;
    let server = TestServer::start().await;
    let alice = server.user("alice").await;
    let mut fans = Vec::new();
    for n in 0..PEOPLE {
        fans.push(server.user(&format!("fan{n}")).await);
    }
    let group = alice.group_with("Fans", &fans.iter().collect::<Vec<_>>()).await;
    let mut watching = alice.connect().await;
    watching.send(&group, "hello").await;
    watching.expect("message:new").await;
    let begun = Instant::now();
    let reading: Vec<_> = fans
        .iter()
        .map(|fan| {
            let (fan, path) = (fan.clone(), format!("/api/conversations/{group}/read"));
            tokio::spawn(async move { fan.post(&path, json!({ "seq": 1 })).await.assert_ok(200) })
        })
        .collect();
    for one in reading {
        assert_eq!(one.await.unwrap(), json!({ "readSeq": 1, "unread": 0 }), "each is told after the commit");
    }
    assert!(begun.elapsed() >= Duration::from_millis(500), "they have waited for each other");
    let (mut told, mut frames) = (0, 0);
    while told < PEOPLE {
        told += watching.expect("messages:read").await["marks"].as_array().unwrap().len();
        frames += 1;
    }
    assert_eq!((told, frames), (PEOPLE, 3), "one, then eight and eight");
    watching.expect_nothing().await;
}

/// Marking unread, and everything in a large group: nobody else is told, but one's own devices are, also later.
#[tokio::test]
async fn ones_own_marks_reach_ones_own_devices() {
    let mut server = TestServer::start().await;
    let [alice, bob] = server.users(["alice", "bob"]).await;
    let chat = alice.direct_with(&bob).await;
    let token = bob.connect().await.drop_connection();
    let (mut hers, mut phone, mut tablet) = (alice.connect().await, bob.connect().await, bob.connect().await);
    hers.send(&chat, "hello").await;
    read(&mut phone, &chat, 1).await;
    let path = format!("/api/conversations/{chat}/unread");
    assert_eq!(
        bob.post(&path, json!({ "seq": 1 })).await.assert_ok(200),
        json!({ "readSeq": 0, "unread": 1 })
    );
    for device in [&mut phone, &mut tablet] {
        device.expect("message:new").await;
        assert_eq!(device.expect("messages:read").await["marks"][0]["seq"], 1);
        let own = device.expect("messages:read").await;
        assert_eq!(own["stream"], format!("user:{}", bob.id));
        assert_eq!(own["conversationId"], chat);
        let mark = &own["marks"][0];
        assert_eq!((&mark["userId"], &mark["seq"]), (&json!(bob.id), &json!(0)));
    }
    hers.expect("message:new").await;
    hers.expect("messages:read").await;
    hers.expect_nothing().await;
    for is_restarted in [false, true] {
        if is_restarted {
            server.restart().await;
        }
        let replayed = server.moved(&bob).resume(&token).await.expect_ready().await;
        let names: Vec<_> = replayed.iter().map(|event| event.name.as_str()).collect();
        assert_eq!(names, ["message:new", "messages:read", "messages:read", "sync:page"]);
        assert_eq!(replayed[2].body["marks"][0]["seq"], 0);
    }
}

/// Four messages, of which Bob has read one: the next mark of his waits.
async fn bob_reads_one() -> (TestServer, Person, Device, String) {
    let server = TestServer::start().await;
    let [alice, bob] = server.users(["alice", "bob"]).await;
    let chat = alice.direct_with(&bob).await;
    let mut his = bob.connect().await;
    for n in 1..=4 {
        alice.send(&chat, &n.to_string()).await;
    }
    read(&mut his, &chat, 1).await;
    (server, bob, his, chat)
}

async fn begin(device: &mut Device, event: &str, chat: &str, seq: u64) -> u64 {
    device.begin(event, &json!({ "conversationId": chat, "seq": seq })).await
}

async fn mark_unread(person: &Person, chat: &str, seq: u64) -> Reply {
    person.post(&format!("/api/conversations/{chat}/unread"), json!({ "seq": seq })).await
}

/// A read that is still being gathered came before, and must not undo it.
#[tokio::test]
async fn marking_unread_is_not_undone_by_a_read_that_waits() {
    let (_server, bob, mut his, chat) = bob_reads_one().await;
    let mut other = bob.connect().await;
    let waiting = begin(&mut his, "messages:read", &chat, 4).await;
    let also_waiting = begin(&mut other, "messages:read", &chat, 4).await;
    // A connection's events are taken in their order: when this is answered, the other one waits.
    his.call("sync", json!({})).await;
    other.call("sync", json!({})).await;
    let marked = mark_unread(&bob, &chat, 3).await.assert_ok(200);
    assert_eq!(marked, json!({ "readSeq": 2, "unread": 2 }));
    for (device, waiting) in [(&mut his, waiting), (&mut other, also_waiting)] {
        let ack = device.ack(waiting).await;
        assert_eq!((&ack["readSeq"], &ack["unread"]), (&json!(4), &json!(0)), "that was before");
    }
    let now = bob.get(&format!("/api/conversations/{chat}")).await.assert_ok(200);
    assert_eq!((&now["me"]["readSeq"], &now["unread"]), (&json!(2), &json!(2)));
}

/// And not the other way round: what is read after it stays read.
#[tokio::test]
async fn a_read_after_marking_unread_stands() {
    let (_server, bob, mut his, chat) = bob_reads_one().await;
    let waiting = begin(&mut his, "messages:read", &chat, 4).await;
    his.call("sync", json!({})).await;
    let _ = mark_unread(&bob, &chat, 3).await.assert_ok(200);
    let again = begin(&mut his, "messages:read", &chat, 4).await;
    for ack in [his.ack(waiting).await, his.ack(again).await] {
        assert_eq!((&ack["readSeq"], &ack["unread"]), (&json!(4), &json!(0)));
    }
    assert_eq!(unread(&bob, &chat).await, 0);
}

#[tokio::test]
async fn a_read_that_waits_outlives_an_unread_that_is_refused() {
    let (_server, bob, mut his, chat) = bob_reads_one().await;
    let waiting = begin(&mut his, "messages:read", &chat, 4).await;
    his.call("sync", json!({})).await;
    mark_unread(&bob, &chat, 0).await.assert_problem(422, "invalid");
    assert_eq!(his.ack(waiting).await["readSeq"], 4);
}

#[tokio::test]
async fn a_mark_that_makes_no_sense_refuses_no_other() {
    let (_server, bob, mut his, chat) = bob_reads_one().await;
    let right = begin(&mut his, "messages:read", &chat, 3).await;
    let wrong = begin(&mut his, "messages:read", &chat, 999).await;
    let received = begin(&mut his, "messages:delivered", &chat, 4).await;
    assert_eq!(his.ack(right).await["readSeq"], 3);
    assert_eq!(his.ack(wrong).await["code"], "invalid");
    assert_eq!(his.ack(received).await["deliveredSeq"], 4);
    let now = bob.get(&format!("/api/conversations/{chat}")).await.assert_ok(200);
    assert_eq!((&now["me"]["readSeq"], &now["me"]["deliveredSeq"]), (&json!(3), &json!(4)));
}
