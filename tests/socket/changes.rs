//! What happens to a message after it was sent, on every device: live, and after having been away.

use serde_json::json;
use tidings_testkit::actors::{Device, Received};

use crate::harness::TestServer;

fn names(events: &[Received]) -> Vec<&str> {
    events.iter().map(|event| event.name.as_str()).collect()
}

async fn ok(device: &mut Device, name: &str, body: serde_json::Value) -> serde_json::Value {
    let ack = device.call(name, body).await;
    assert_eq!(ack["ok"], true, "{name}: {ack}");
    ack
}

#[tokio::test]
async fn an_edit_a_reaction_and_a_deletion_reach_every_device() {
    let server = TestServer::start().await;
    let [alice, bob] = server.users(["alice", "bob"]).await;
    let chat = alice.direct_with(&bob).await;
    let (mut hers, mut his) = (alice.connect().await, bob.connect().await);
    let message = hers.send(&chat, "helo").await;
    let id = message["id"].as_str().unwrap();
    hers.expect_message("helo").await;
    his.expect_message("helo").await;

    let edit = json!({ "messageId": id, "content": "hello", "version": 1 });
    let edited = ok(&mut hers, "message:edit", edit.clone()).await["message"].clone();
    assert_eq!(ok(&mut hers, "message:edit", edit).await["message"], edited, "twice is once");
    let frame = his.expect("message:edited").await;
    for field in ["id", "content", "version", "editedAt", "seq", "clientMessageId"] {
        assert_eq!(frame[field], edited[field], "{field}");
    }
    hers.expect("message:edited").await;

    let reaction = json!({ "messageId": id, "emoji": "👍" });
    let ack = ok(&mut his, "reaction:add", reaction.clone()).await;
    assert_eq!(ack["reactions"], json!([{ "emoji": "👍", "count": 1, "userIds": [bob.id], "mine": true }]));
    ok(&mut his, "reaction:add", reaction.clone()).await;
    let frame = hers.expect("reaction:added").await;
    for (field, value) in [
        ("messageId", json!(id)),
        ("conversationId", json!(chat)),
        ("seq", json!(1)),
        ("userId", json!(bob.id)),
        ("emoji", json!("👍")),
        ("count", json!(1)),
    ] {
        assert_eq!(frame[field], value, "{field}");
    }
    his.expect("reaction:added").await;
    ok(&mut his, "reaction:remove", reaction).await;
    assert_eq!(hers.expect("reaction:removed").await["count"], 0);
    his.expect("reaction:removed").await;

    let left = ok(&mut hers, "message:delete", json!({ "messageId": id })).await["message"].clone();
    assert_eq!(left["content"], "");
    let frame = his.expect("message:deleted").await;
    assert_eq!(frame["messageId"], id);
    assert_eq!((&frame["deletedBy"], &frame["deletedAt"]), (&left["deletedBy"], &left["deletedAt"]));
    hers.expect("message:deleted").await;
    for device in [&mut hers, &mut his] {
        device.expect_nothing().await;
    }
    let refused = his.call("message:edit", json!({ "messageId": id, "content": "mine" })).await;
    assert_eq!(refused["code"], "forbidden");
}

/// From the tail in memory, and from the store after a restart: what is said of one thing is said once.
#[tokio::test]
async fn a_device_that_was_away_is_told_how_things_stand() {
    for is_restarted in [false, true] {
        let mut server = TestServer::start().await;
        let [alice, bob] = server.users(["alice", "bob"]).await;
        let chat = alice.direct_with(&bob).await;
        let mut hers = alice.connect().await;
        let id = |message: &serde_json::Value| message["id"].as_str().unwrap().to_owned();
        let (one, two) = (id(&hers.send(&chat, "one").await), id(&hers.send(&chat, "two").await));
        let token = bob.connect().await.drop_connection();
        for text in ["first", "second", "third"] {
            ok(&mut hers, "message:edit", json!({ "messageId": one, "content": text })).await;
        }
        for emoji in ["👍", "🎉"] {
            ok(&mut hers, "reaction:add", json!({ "messageId": one, "emoji": emoji })).await;
        }
        ok(&mut hers, "reaction:add", json!({ "messageId": two, "emoji": "👍" })).await;
        let three = id(&hers.send(&chat, "three").await);
        ok(&mut hers, "message:edit", json!({ "messageId": three, "content": "3" })).await;
        ok(&mut hers, "reaction:add", json!({ "messageId": three, "emoji": "👍" })).await;
        ok(&mut hers, "message:delete", json!({ "messageId": three })).await;
        if is_restarted {
            server.restart().await;
        }
        let replayed = server.moved(&bob).resume(&token).await.expect_ready().await;
        let expected = [
            "message:edited",
            "reactions:changed",
            "reaction:added",
            "message:new",
            "stream:advanced",
            "message:deleted",
            "sync:page",
        ];
        assert_eq!(names(&replayed), expected, "restarted: {is_restarted}");
        let [edited, changed, added, new, _, deleted, _] = &replayed[..] else { panic!("{replayed:?}") };
        assert_eq!((&edited.body["content"], &edited.body["version"]), (&json!("third"), &json!(4)));
        let reactions = changed.body["reactions"].as_array().unwrap();
        let emoji: Vec<_> = reactions.iter().map(|one| one["emoji"].clone()).collect();
        assert_eq!(emoji, ["👍", "🎉"]);
        assert!(reactions[0].get("mine").is_none(), "it is the same for everybody");
        assert_eq!(added.body["messageId"], two);
        assert_eq!((&new.body["content"], &new.body["id"]), (&json!(""), &json!(three)));
        assert!(new.body["deletedAt"].is_string(), "what it said is nobody's any more");
        assert_eq!(deleted.body["messageId"], three);
    }
}

/// Whose history begins with their joining is not told of what was before, and is not left with a gap either.
#[tokio::test]
async fn a_newcomer_is_not_told_what_happens_to_older_messages() {
    let mut server = TestServer::start().await;
    let [alice, bob, carol] = server.users(["alice", "bob", "carol"]).await;
    let group = alice.group_with("Band", &[&carol]).await;
    let old = alice.send(&group, "a secret").await["id"].clone();
    let _ = alice.add(&group, &bob).await.assert_ok(200);
    let (mut his, mut carols) = (bob.connect().await, carol.connect().await);
    let token = bob.connect().await.drop_connection();
    let mut hers = alice.connect().await;
    ok(&mut hers, "message:edit", json!({ "messageId": old, "content": "another secret" })).await;
    ok(&mut hers, "reaction:add", json!({ "messageId": old, "emoji": "🤫" })).await;
    ok(&mut hers, "message:delete", json!({ "messageId": old })).await;
    hers.send(&group, "hello").await;
    for name in ["message:edited", "reaction:added", "message:deleted"] {
        carols.expect(name).await;
        let frame = his.expect("stream:advanced").await;
        let mut fields: Vec<_> = frame.as_object().unwrap().keys().map(String::as_str).collect();
        fields.sort_unstable();
        assert_eq!(fields, ["at", "next", "pos", "span", "stream"], "nothing of its own");
    }
    let live = his.expect_message("hello").await;

    let stream = format!("/api/sync?stream=conversation:{group}&after=3");
    for is_restarted in [false, true] {
        if is_restarted {
            server.restart().await;
        }
        let bob = server.moved(&bob);
        let replayed = bob.resume(&token).await.expect_ready().await;
        assert_eq!(names(&replayed), ["stream:advanced", "message:new", "sync:page"]);
        assert_eq!((&replayed[0].body["span"], &replayed[1].body["pos"]), (&json!(3), &live["pos"]));
        let gap = bob.get(&stream).await.assert_ok(200);
        assert!(!gap.to_string().contains("secret") && !gap.to_string().contains("🤫"), "{gap}");
        assert_eq!(gap["events"].as_array().unwrap().last().unwrap()["pos"], live["pos"]);
    }
}

/// Also by a node that has not seen them come in.
#[tokio::test]
async fn a_newcomer_is_not_told_after_a_restart_either() {
    let mut server = TestServer::start().await;
    let [alice, bob] = server.users(["alice", "bob"]).await;
    let group = alice.group_with("Band", &[]).await;
    let old = alice.send(&group, "a secret").await["id"].clone();
    let _ = alice.add(&group, &bob).await.assert_ok(200);
    server.restart().await;
    let (mut hers, mut his) = (server.moved(&alice).connect().await, server.moved(&bob).connect().await);
    ok(&mut hers, "message:edit", json!({ "messageId": old, "content": "another secret" })).await;
    hers.expect("message:edited").await;
    his.expect("stream:advanced").await;
    his.expect_nothing().await;
}

/// One commit of hundreds of reactions is a frame or a few, and not hundreds to each of hundreds.
#[tokio::test]
async fn a_storm_of_reactions_is_told_together() {
    const PEOPLE: usize = 60;
    let names: Vec<String> = (0..PEOPLE).map(|n| format!("fan{n}")).collect();
    let server = TestServer::start().await;
    let alice = server.user("alice").await;
    let mut fans = Vec::new();
    for name in &names {
        fans.push(server.user(name).await);
    }
    let group = alice.group_with("Fans", &fans.iter().collect::<Vec<_>>()).await;
    let mut watching = alice.connect().await;
    let id = watching.send(&group, "Encore?").await["id"].clone();
    watching.expect_message("Encore?").await;
    let path = format!("/api/messages/{}/reactions", id.as_str().unwrap());
    let reacting: Vec<_> = fans
        .iter()
        .map(|fan| {
            let (fan, path) = (fan.clone(), path.clone());
            tokio::spawn(async move { fan.post(&path, json!({ "emoji": "🎸" })).await.status })
        })
        .collect();
    for one in reacting {
        assert_eq!(one.await.unwrap(), 200);
    }
    let (mut count, mut frames) = (0, 0);
    while count < PEOPLE as u64 {
        let event = watching.next_event().await;
        let reaction = match event.name.as_str() {
            "reaction:added" => &event.body,
            "reactions:changed" => &event.body["reactions"][0],
            name => panic!("{name}: {}", event.body),
        };
        assert_eq!(reaction["emoji"], "🎸");
        count = reaction["count"].as_u64().unwrap();
        frames += 1;
    }
    assert_eq!(count, PEOPLE as u64);
    assert!(frames < PEOPLE, "{frames} frames for {PEOPLE} reactions");
    watching.expect_nothing().await;
}
