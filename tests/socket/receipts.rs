//! Receipts on every device: at once, together where many come, and after having been away.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tidings_testkit::actors::Device;

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

/// A read that is still being gathered came before, and must not undo it.
#[tokio::test]
async fn marking_unread_is_not_undone_by_a_read_that_waits() {
    let server = TestServer::start().await;
    let [alice, bob] = server.users(["alice", "bob"]).await;
    let chat = alice.direct_with(&bob).await;
    let mut his = bob.connect().await;
    for n in 1..=4 {
        alice.send(&chat, &n.to_string()).await;
    }
    read(&mut his, &chat, 1).await;
    let waiting = his.begin("messages:read", &json!({ "conversationId": chat, "seq": 4 })).await;
    // A connection's events are taken in their order: when this is answered, the other one waits.
    his.call("sync", json!({})).await;
    let path = format!("/api/conversations/{chat}/unread");
    let marked = bob.post(&path, json!({ "seq": 3 })).await.assert_ok(200);
    assert_eq!(marked["unread"], 3, "nothing of what waits has been written");
    let ack = his.ack(waiting).await;
    assert_eq!((&ack["readSeq"], &ack["unread"]), (&json!(2), &json!(2)));
}
