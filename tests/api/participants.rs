//! `/api/conversations/:id/participants` and `…/leave`.

use reqwest::Method;
use serde_json::{Value, json};
use tidings_testkit::actors::Person;

use crate::harness::TestServer;

#[tokio::test]
async fn a_newcomer_sees_from_their_joining_on() {
    let server = TestServer::start().await;
    let [alice, bob, carol] = server.users(["alice", "bob", "carol"]).await;
    let group = alice.group_with("Band", &[&bob]).await;
    alice.send(&group, "before").await;
    let (mut on_bob, mut on_carol) = (bob.connect().await, carol.connect().await);
    let added = alice.add(&group, &carol).await.assert_ok(200);
    assert_eq!(added["participants"][0]["userId"], carol.id.as_str());
    alice.send(&group, "after").await;
    for device in [&mut on_bob, &mut on_carol] {
        let joined = device.expect("participant:joined").await;
        assert_eq!((&joined["userId"], &joined["by"]), (&json!(carol.id), &json!(alice.id)));
        assert_eq!(joined["historyFromSeq"], 2);
        device.expect_message("after").await;
    }
    assert_eq!(carol.texts(&group).await, ["after"]);
    assert_eq!(bob.texts(&group).await, ["before", "after"]);
    let page = carol.history(&group, "").await;
    assert_eq!((&page["hasMoreBefore"], &page["hasMoreAfter"]), (&json!(false), &json!(false)));
    let view = carol.get(&format!("/api/conversations/{group}")).await.assert_ok(200);
    assert_eq!((&view["unread"], &view["participantCount"]), (&json!(1), &json!(3)));
}

#[tokio::test]
async fn one_who_is_removed_sees_that_and_nothing_after() {
    let server = TestServer::start().await;
    let [alice, bob] = server.users(["alice", "bob"]).await;
    let group = alice.group_with("Band", &[&bob]).await;
    let mut device = bob.connect().await;
    alice.send(&group, "welcome").await;
    assert_eq!(alice.remove(&group, &bob).await.status, 204);
    alice.send(&group, "he is gone").await;
    device.expect_message("welcome").await;
    let left = device.expect("participant:left").await;
    assert_eq!((&left["userId"], &left["by"]), (&json!(bob.id), &json!(alice.id)));
    device.expect_nothing().await;

    assert_eq!(bob.texts(&group).await, ["welcome"], "what was seen stays");
    let view = bob.get(&format!("/api/conversations/{group}")).await.assert_ok(200);
    assert_eq!((&view["me"]["state"], &view["unread"]), (&json!("removed"), &json!(0)));
    assert_eq!((&view["lastMessage"]["content"], &view["lastSeq"]), (&json!("welcome"), &json!(1)));
    assert_eq!(bob.get("/api/conversations").await.assert_ok(200)["conversations"], json!([]));
    bob.try_send(&group, "hello?", "01890a5d-ac96-774b-bcce-b302099a8057")
        .await
        .assert_problem(403, "not_participant");
    bob.add(&group, &bob).await.assert_problem(403, "not_participant");
    assert_eq!(alice.remove(&group, &bob).await.status, 204, "twice is once");
}

#[tokio::test]
async fn one_who_comes_back_has_both_intervals_and_nothing_between() {
    let server = TestServer::start().await;
    let [alice, bob] = server.users(["alice", "bob"]).await;
    let group = alice.group_with("Band", &[&bob]).await;
    alice.send(&group, "one").await;
    assert_eq!(bob.post(&format!("/api/conversations/{group}/leave"), Value::Null).await.status, 204);
    alice.send(&group, "two").await;
    let _ = alice.add(&group, &bob).await.assert_ok(200);
    alice.send(&group, "three").await;
    assert_eq!(bob.texts(&group).await, ["one", "three"]);
    let around = bob.history(&group, "?around=2&limit=10").await;
    assert_eq!(around["messages"].as_array().unwrap().len(), 2);
    assert_eq!(alice.texts(&group).await, ["one", "two", "three"]);
}

#[tokio::test]
async fn roles_decide_who_adds_and_removes() {
    let server = TestServer::start().await;
    let [alice, bob, carol, dave] = server.users(["alice", "bob", "carol", "dave"]).await;
    let group = alice.group_with("Band", &[&bob, &carol]).await;
    bob.add(&group, &dave).await.assert_problem(403, "forbidden");
    bob.remove(&group, &carol).await.assert_problem(403, "forbidden");
    bob.remove(&group, &alice).await.assert_problem(403, "forbidden");
    alice.remove(&group, &dave).await.assert_problem(404, "not_found");
    assert_eq!(bob.remove(&group, &bob).await.status, 204, "removing oneself is leaving");
    let leave = format!("/api/conversations/{group}/leave");
    alice.post(&leave, Value::Null).await.assert_problem(422, "last_owner");
}

#[tokio::test]
async fn a_direct_conversation_keeps_its_people() {
    let server = TestServer::start().await;
    let [alice, bob, carol] = server.users(["alice", "bob", "carol"]).await;
    let chat = alice.direct_with(&bob).await;
    alice.add(&chat, &carol).await.assert_problem(422, "fixed_participants");
    alice.remove(&chat, &bob).await.assert_problem(422, "fixed_participants");
    let leave = format!("/api/conversations/{chat}/leave");
    alice.post(&leave, Value::Null).await.assert_problem(422, "fixed_participants");
}

#[tokio::test]
async fn nobody_is_added_when_one_does_not_exist_and_adding_twice_is_once() {
    let server = TestServer::start().await;
    let [alice, bob] = server.users(["alice", "bob"]).await;
    let group = alice.group_with("Band", &[]).await;
    let path = format!("/api/conversations/{group}/participants");
    let nobody = "01890a5d-ac96-774b-bcce-b302099a8057";
    let reply = alice.post(&path, json!({ "userIds": [bob.id, nobody] })).await;
    reply.assert_problem(422, "unknown_user");
    assert_eq!(reply.pointers(), ["/userIds/1"]);
    assert_eq!(alice.get(&path).await.assert_ok(200)["participants"].as_array().unwrap().len(), 1);

    let _ = alice.add(&group, &bob).await.assert_ok(200);
    let mut device = bob.connect().await;
    let again = alice.add(&group, &bob).await.assert_ok(200);
    assert_eq!(again["participants"][0]["userId"], bob.id.as_str());
    device.expect_nothing().await;
    alice.post(&path, json!({ "userIds": [] })).await.assert_problem(422, "invalid");
}

#[tokio::test]
async fn participants_come_in_pages() {
    let server = TestServer::start().await;
    let [alice, bob, carol] = server.users(["alice", "bob", "carol"]).await;
    let group = alice.group_with("Band", &[&bob, &carol]).await;
    let path = format!("/api/conversations/{group}/participants");
    let first = alice.get(&format!("{path}?limit=2")).await.assert_ok(200);
    let cursor = first["nextCursor"].as_str().unwrap();
    let second = alice.get(&format!("{path}?limit=2&cursor={cursor}")).await.assert_ok(200);
    assert_eq!(second["nextCursor"], Value::Null);
    let mut names: Vec<_> = [first, second]
        .iter()
        .flat_map(|page| page["participants"].as_array().unwrap().clone())
        .map(|participant| participant["user"]["username"].as_str().unwrap().to_owned())
        .collect();
    names.sort();
    assert_eq!(names, ["alice", "bob", "carol"]);
}

#[tokio::test]
async fn owners_give_roles_and_the_roles_count() {
    let server = TestServer::start().await;
    let [alice, bob, carol] = server.users(["alice", "bob", "carol"]).await;
    let group = alice.group_with("Band", &[&bob, &carol]).await;
    let mut device = carol.connect().await;
    let give = async |giver: &Person, to: &Person, role: &str| {
        let path = format!("/api/conversations/{group}/participants/{}", to.id);
        giver.request(Method::PATCH, &path, json!({ "role": role })).await
    };
    let rubbish = carol.send(&group, "rubbish").await["id"].as_str().unwrap().to_owned();
    device.expect_message("rubbish").await;
    bob.delete(&format!("/api/messages/{rubbish}")).await.assert_problem(403, "forbidden");
    give(&bob, &bob, "owner").await.assert_problem(403, "forbidden");
    let participant = give(&alice, &bob, "admin").await.assert_ok(200);
    assert_eq!((&participant["userId"], &participant["role"]), (&json!(bob.id), &json!("admin")));
    let frame = device.expect("participant:updated").await;
    for (field, value) in [("userId", &bob.id), ("by", &alice.id), ("conversationId", &group)] {
        assert_eq!(frame[field], value.as_str(), "{field}");
    }
    assert_eq!(frame["role"], "admin");
    let _ = give(&alice, &bob, "admin").await.assert_ok(200);
    device.expect_nothing().await;

    let _ = bob.delete(&format!("/api/messages/{rubbish}")).await.assert_ok(200);
    device.expect("message:deleted").await;
    give(&alice, &alice, "member").await.assert_problem(422, "last_owner");
    let _ = give(&alice, &bob, "owner").await.assert_ok(200);
    let _ = give(&bob, &alice, "member").await.assert_ok(200);
    give(&alice, &bob, "member").await.assert_problem(403, "forbidden");

    let refused = give(&bob, &carol, "boss").await;
    refused.assert_problem(422, "invalid");
    assert_eq!(refused.pointers(), ["/role"]);
    let nobody = format!("/api/conversations/{group}/participants/nobody");
    bob.request(Method::PATCH, &nobody, json!({ "role": "admin" })).await.assert_problem(404, "not_found");
    let chat = alice.direct_with(&bob).await;
    let path = format!("/api/conversations/{chat}/participants/{}", bob.id);
    let fixed = alice.request(Method::PATCH, &path, json!({ "role": "owner" })).await;
    fixed.assert_problem(422, "fixed_participants");
}
