//! What happens to a message after it was sent, over REST.

use reqwest::Method;
use serde_json::{Value, json};
use tidings_testkit::actors::{Person, Reply};

use crate::harness::TestServer;

async fn edit(person: &Person, id: &str, body: Value) -> Reply {
    person.request(Method::PATCH, &format!("/api/messages/{id}"), body).await
}

async fn react(person: &Person, id: &str, emoji: &str) -> Reply {
    person.post(&format!("/api/messages/{id}/reactions"), json!({ "emoji": emoji })).await
}

fn id_of(message: &Value) -> String {
    message["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn an_author_edits_and_everybody_in_it_may_see_what_it_said() {
    let server = TestServer::start().await;
    let [alice, bob] = server.users(["alice", "bob"]).await;
    let chat = alice.direct_with(&bob).await;
    let sent = alice.send(&chat, "helo").await;
    let id = id_of(&sent);
    assert_eq!((&sent["editedAt"], &sent["version"]), (&Value::Null, &json!(1)));
    server.clock.advance_seconds(5);
    let edited = edit(&alice, &id, json!({ "content": "hello", "version": 1 })).await.assert_ok(200);
    assert_eq!((&edited["content"], &edited["version"]), (&json!("hello"), &json!(2)));
    assert!(edited["editedAt"].as_str() > edited["createdAt"].as_str());
    assert_eq!(bob.get(&format!("/api/messages/{id}")).await.assert_ok(200), edited);

    // The answer was lost: the same again is answered the same, by PUT as well.
    let body = json!({ "content": "hello", "version": 1 });
    let again = alice.request(Method::PUT, &format!("/api/messages/{id}"), body).await.assert_ok(200);
    assert_eq!(again, edited);
    let stale = edit(&alice, &id, json!({ "content": "hullo", "version": 1 })).await;
    stale.assert_problem(409, "version_stale");
    assert!(stale.body["detail"].as_str().unwrap().contains("version 2"), "{}", stale.text);

    let edits = bob.get(&format!("/api/messages/{id}/edits")).await.assert_ok(200);
    let said: Vec<_> =
        edits["edits"].as_array().unwrap().iter().map(|one| (&one["version"], &one["content"])).collect();
    assert_eq!(said, [(&json!(1), &json!("helo")), (&json!(2), &json!("hello"))]);
    let list = bob.get("/api/conversations").await.assert_ok(200);
    assert_eq!(list["conversations"][0]["lastMessage"], edited);
}

#[tokio::test]
async fn a_deleted_message_leaves_its_place_and_who_did_it() {
    let server = TestServer::start().await;
    let [alice, bob, carol] = server.users(["alice", "bob", "carol"]).await;
    let group = alice.group_with("Band", &[&bob, &carol]).await;
    let sent = bob.send(&group, "a secret").await;
    let id = id_of(&sent);
    let _ = react(&carol, &id, "👍").await.assert_ok(200);
    carol.delete(&format!("/api/messages/{id}")).await.assert_problem(403, "forbidden");
    let left = alice.delete(&format!("/api/messages/{id}")).await.assert_ok(200);
    assert_eq!(left["deletedBy"], alice.id.as_str());
    assert!(left["deletedAt"].is_string());
    for (field, empty) in [("content", json!("")), ("reactions", json!([])), ("metadata", Value::Null)] {
        assert_eq!(left[field], empty, "{field}");
    }
    assert_eq!((&left["seq"], &left["senderId"]), (&sent["seq"], &sent["senderId"]));
    assert_eq!(alice.delete(&format!("/api/messages/{id}")).await.assert_ok(200), left, "twice is once");
    assert_eq!(bob.history(&group, "").await["messages"], json!([left]));
    assert_eq!(bob.get(&format!("/api/messages/{id}/edits")).await.assert_ok(200)["edits"], json!([]));
    edit(&bob, &id, json!({ "content": "back" })).await.assert_problem(409, "message_deleted");
    react(&bob, &id, "👍").await.assert_problem(409, "message_deleted");
}

#[tokio::test]
async fn who_was_removed_sees_no_more_of_it_than_they_saw_then() {
    let server = TestServer::start().await;
    let [alice, bob, carol] = server.users(["alice", "bob", "carol"]).await;
    let group = alice.group_with("Band", &[&bob, &carol]).await;
    let id = id_of(&alice.send(&group, "we meet at eight").await);
    let gone = id_of(&alice.send(&group, "and my number is 555").await);
    let _ = react(&carol, &id, "👍").await.assert_ok(200);
    let message = format!("/api/messages/{id}");
    let before = bob.get(&message).await.assert_ok(200);
    alice.remove(&group, &bob).await;

    let _ = edit(&alice, &id, json!({ "content": "we meet at nine, without bob" })).await.assert_ok(200);
    let _ = react(&alice, &id, "🤫").await.assert_ok(200);
    let _ = alice.delete(&format!("/api/messages/{gone}")).await.assert_ok(200);

    assert_eq!(bob.get(&message).await.assert_ok(200), before);
    let edits = bob.get(&format!("{message}/edits")).await.assert_ok(200);
    assert_eq!(edits["edits"].as_array().unwrap().len(), 1, "{edits}");
    let stream = format!("/api/sync?stream=conversation:{group}&after=0");
    let conversation = format!("/api/conversations/{group}");
    for url in [&conversation, &format!("{conversation}/messages"), &stream] {
        let answer = bob.get(url).await.assert_ok(200).to_string();
        for secret in ["without bob", "🤫", "555"] {
            assert!(!answer.contains(secret), "{secret} in {answer}");
        }
    }
    let left = bob.get(&format!("/api/messages/{gone}")).await.assert_ok(200);
    assert!(left["deletedAt"].is_string(), "{left}");
    let carols = carol.get(&message).await.assert_ok(200);
    assert_eq!(carols["content"], "we meet at nine, without bob");
}

#[tokio::test]
async fn people_react_and_each_sees_their_own() {
    let server = TestServer::start().await;
    let [alice, bob] = server.users(["alice", "bob"]).await;
    let chat = alice.direct_with(&bob).await;
    let id = id_of(&alice.send(&chat, "cake?").await);
    let hers = react(&alice, &id, "👍").await.assert_ok(200);
    assert_eq!(
        hers["reactions"],
        json!([{ "emoji": "👍", "count": 1, "userIds": [alice.id], "mine": true }])
    );
    let his = react(&bob, &id, "👍").await.assert_ok(200);
    assert_eq!(react(&bob, &id, "👍").await.assert_ok(200), his, "twice is once");
    let seen = alice.history(&chat, "").await["messages"][0]["reactions"].clone();
    let both = json!([{ "emoji": "👍", "count": 2, "userIds": [alice.id, bob.id], "mine": true }]);
    assert_eq!(seen, both);
    // A heart without its variation selector is the same heart; what the host draws itself has a name.
    for emoji in ["\u{2764}", "\u{2764}\u{FE0F}", ":party_parrot:"] {
        let _ = react(&bob, &id, emoji).await.assert_ok(200);
    }
    let path = format!("/api/messages/{id}/reactions/%E2%9D%A4");
    let left = bob.delete(&path).await.assert_ok(200);
    assert_eq!(bob.delete(&path).await.assert_ok(200), left, "twice is once");
    let emoji: Vec<_> =
        left["reactions"].as_array().unwrap().iter().map(|one| one["emoji"].clone()).collect();
    assert_eq!(emoji, ["👍", ":party_parrot:"]);
}

#[tokio::test]
async fn what_is_no_emoji_and_what_is_too_much_is_refused_by_name() {
    let server = TestServer::with_limits(&[("user_emoji_max", 2), ("message_versions_max", 2)]).await;
    let alice = server.user("alice").await;
    let chat = alice.group_with("Notes", &[]).await;
    let id = id_of(&alice.send(&chat, "one").await);
    for text in ["", "ok", "👍👍", "<b>", ":Big:", "\u{202E}"] {
        let refused = react(&alice, &id, text).await;
        refused.assert_problem(422, "invalid");
        assert_eq!(refused.pointers(), ["/emoji"], "{text:?}");
    }
    for emoji in ["👍", "🎉"] {
        let _ = react(&alice, &id, emoji).await.assert_ok(200);
    }
    let refused = react(&alice, &id, "🦀").await;
    refused.assert_problem(422, "invalid");
    assert_eq!(refused.body["errors"][0]["code"], "too_many");
    alice.delete(&format!("/api/messages/{id}/reactions/%FF")).await.assert_problem(422, "invalid");

    for (content, pointer) in [(json!(" "), "/content"), (json!("x".repeat(20_000)), "/content")] {
        let refused = edit(&alice, &id, json!({ "content": content })).await;
        refused.assert_problem(422, "invalid");
        assert_eq!(refused.pointers(), [pointer]);
    }
    edit(&alice, &id, json!({ "content": "x", "metadata": {} })).await.assert_problem(400, "unknown_field");
    edit(&alice, &id, json!({ "content": "x", "version": -1 })).await.assert_problem(400, "wrong_type");
    let _ = edit(&alice, &id, json!({ "content": "two" })).await.assert_ok(200);
    let refused = edit(&alice, &id, json!({ "content": "three" })).await;
    assert_eq!(refused.body["errors"][0]["code"], "too_many", "{}", refused.text);
}

/// A stranger, a newcomer and an id of nothing get word for word the same.
#[tokio::test]
async fn who_may_not_read_a_message_may_not_touch_it() {
    let server = TestServer::start().await;
    let [alice, bob, eve] = server.users(["alice", "bob", "eve"]).await;
    let group = alice.group_with("Band", &[]).await;
    let id = id_of(&alice.send(&group, "before").await);
    let _ = alice.add(&group, &bob).await.assert_ok(200);
    let mut answers = Vec::new();
    for (person, id) in [(&eve, &*id), (&bob, &*id), (&alice, "nothing")] {
        for reply in [
            edit(person, id, json!({ "content": "mine" })).await,
            person.delete(&format!("/api/messages/{id}")).await,
            react(person, id, "👍").await,
            person.delete(&format!("/api/messages/{id}/reactions/%F0%9F%91%8D")).await,
            person.get(&format!("/api/messages/{id}/edits")).await,
        ] {
            reply.assert_problem(404, "not_found");
            answers.push(reply.body["detail"].clone());
        }
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
    let own = id_of(&bob.send(&group, "mine").await);
    edit(&alice, &own, json!({ "content": "hers" })).await.assert_problem(403, "forbidden");
    let _ = alice.remove(&group, &bob).await;
    edit(&bob, &own, json!({ "content": "still" })).await.assert_problem(403, "not_participant");
}
