//! How far people have read and received, and what is unread.

use serde_json::{Value, json};
use tidings_testkit::actors::{Person, Reply};

use crate::harness::TestServer;

async fn mark(person: &Person, chat: &str, kind: &str, seq: u64) -> Reply {
    person.post(&format!("/api/conversations/{chat}/{kind}"), json!({ "seq": seq })).await
}

/// As every answer over REST has it.
pub async fn unread(person: &Person, chat: &str) -> u64 {
    let alone = person.get(&format!("/api/conversations/{chat}")).await.assert_ok(200)["unread"].clone();
    let by_id = |list: &Value, id: &str| {
        let all = list["conversations"].as_array().unwrap();
        all.iter().find(|one| one[id] == chat).map_or(json!(0), |one| one["unread"].clone())
    };
    let list = person.get("/api/conversations").await.assert_ok(200);
    assert_eq!(by_id(&list, "id"), alone);
    let list = person.get("/api/unread").await.assert_ok(200);
    assert_eq!(by_id(&list, "conversationId"), alone);
    alone.as_u64().unwrap()
}

#[tokio::test]
async fn what_is_read_counts_no_more_and_the_sender_sees_it() {
    let server = TestServer::start().await;
    let [alice, bob] = server.users(["alice", "bob"]).await;
    let chat = alice.direct_with(&bob).await;
    for n in 1..=5 {
        alice.send(&chat, &n.to_string()).await;
    }
    assert_eq!((unread(&alice, &chat).await, unread(&bob, &chat).await), (0, 5));
    let delivered = mark(&bob, &chat, "delivered", 5).await.assert_ok(200);
    assert_eq!(delivered, json!({ "deliveredSeq": 5 }));
    assert_eq!(unread(&bob, &chat).await, 5);
    assert_eq!(mark(&bob, &chat, "read", 3).await.assert_ok(200), json!({ "readSeq": 3, "unread": 2 }));
    assert_eq!(mark(&bob, &chat, "read", 1).await.assert_ok(200), json!({ "readSeq": 3, "unread": 2 }));
    assert_eq!(unread(&bob, &chat).await, 2);
    let seen = alice.get(&format!("/api/conversations/{chat}")).await.assert_ok(200);
    let his = seen["participants"].as_array().unwrap().iter().find(|one| one["userId"] == bob.id.as_str());
    assert_eq!((&his.unwrap()["readSeq"], &his.unwrap()["deliveredSeq"]), (&json!(3), &json!(5)));
    bob.send(&chat, "an answer").await;
    assert_eq!((unread(&alice, &chat).await, unread(&bob, &chat).await), (1, 0));
}

#[tokio::test]
async fn marking_unread_is_for_oneself_alone() {
    let server = TestServer::start().await;
    let [alice, bob] = server.users(["alice", "bob"]).await;
    let chat = alice.direct_with(&bob).await;
    for n in 1..=5 {
        alice.send(&chat, &n.to_string()).await;
    }
    let _ = mark(&bob, &chat, "read", 5).await.assert_ok(200);
    assert_eq!(mark(&bob, &chat, "unread", 4).await.assert_ok(200), json!({ "readSeq": 3, "unread": 2 }));
    assert_eq!(mark(&bob, &chat, "unread", 4).await.assert_ok(200), json!({ "readSeq": 3, "unread": 2 }));
    assert_eq!(unread(&bob, &chat).await, 2);
    let mine = bob.get(&format!("/api/conversations/{chat}")).await.assert_ok(200);
    assert_eq!(mine["me"]["readSeq"], 3);
    let people = mine["participants"].as_array().unwrap();
    let as_others_see = people.iter().find(|one| one["userId"] == bob.id.as_str()).unwrap();
    assert_eq!(as_others_see["readSeq"], 5);
}

#[tokio::test]
async fn everything_unread_is_one_answer() {
    let server = TestServer::start().await;
    let [alice, bob, carol] = server.users(["alice", "bob", "carol"]).await;
    let (first, second) = (alice.direct_with(&bob).await, carol.direct_with(&bob).await);
    let silent = alice.group_with("Silence", &[&bob]).await;
    alice.send(&first, "one").await;
    carol.send(&second, "two").await;
    carol.send(&second, "three").await;
    let list = bob.get("/api/unread").await.assert_ok(200);
    let one = |chat: &str, unread| json!({ "conversationId": chat, "unread": unread, "mentions": 0 });
    assert_eq!(
        list,
        json!({ "unread": 3, "mentions": 0, "conversations": [one(&second, 2), one(&first, 1)] })
    );
    alice.send(&silent, "four").await;
    let _ = alice.remove(&silent, &bob).await;
    assert_eq!(bob.get("/api/unread").await.assert_ok(200), list, "what one has left is not unread");
    let nothing = json!({ "unread": 0, "mentions": 0, "conversations": [] });
    assert_eq!(alice.get("/api/unread").await.assert_ok(200), nothing);
}

#[tokio::test]
async fn marks_that_make_no_sense_are_refused() {
    let server = TestServer::start().await;
    let [alice, bob, eve] = server.users(["alice", "bob", "eve"]).await;
    let group = alice.group_with("Band", &[&bob]).await;
    alice.send(&group, "one").await;
    for kind in ["read", "delivered", "unread"] {
        mark(&eve, &group, kind, 1).await.assert_problem(404, "not_found");
        let refused = mark(&bob, &group, kind, 2).await;
        refused.assert_problem(422, "invalid");
        assert_eq!(refused.pointers(), ["/seq"]);
        let path = format!("/api/conversations/{group}/{kind}");
        bob.post(&path, json!({ "seq": "1" })).await.assert_problem(400, "wrong_type");
        bob.post(&path, json!({ "seq": -1 })).await.assert_problem(400, "wrong_type");
        bob.post(&path, json!({})).await.assert_problem(400, "missing_field");
    }
    let _ = alice.remove(&group, &bob).await;
    for kind in ["read", "delivered", "unread"] {
        mark(&bob, &group, kind, 1).await.assert_problem(403, "not_participant");
    }
}

/// A mark that moves would tell who is still there, and when.
#[tokio::test]
async fn who_has_left_sees_nobody_read_on() {
    let server = TestServer::start().await;
    let [alice, bob, carol] = server.users(["alice", "bob", "carol"]).await;
    let chat = alice.group_with("Band", &[&bob, &carol]).await;
    alice.send(&chat, "one").await;
    let left = carol.post(&format!("/api/conversations/{chat}/leave"), Value::Null).await;
    assert_eq!(left.status, 204);
    let seen = async || {
        let alone = carol.get(&format!("/api/conversations/{chat}")).await.assert_ok(200);
        let listed = carol.get(&format!("/api/conversations/{chat}/participants")).await.assert_ok(200);
        assert_eq!(alone["participants"], listed["participants"]);
        alone
    };
    let before = seen().await;
    let _ = mark(&bob, &chat, "read", 1).await.assert_ok(200);
    alice.send(&chat, "two").await;
    assert_eq!(seen().await, before);
}
