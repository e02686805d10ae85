//! `/api/conversations`.

use std::collections::HashSet;

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::TestServer;

#[tokio::test]
async fn a_direct_conversation_is_found_again_by_both() {
    let server = TestServer::start().await;
    let [alice, bob] = server.users(["alice", "bob"]).await;
    let made =
        alice.post("/api/conversations", json!({ "kind": "direct", "userId": bob.id })).await.assert_ok(201);
    assert_eq!(
        (&made["kind"], &made["participantCount"], &made["pos"]),
        (&json!("direct"), &json!(2), &json!(1))
    );
    let found =
        bob.post("/api/conversations", json!({ "kind": "direct", "userId": alice.id })).await.assert_ok(200);
    assert_eq!(found["id"], made["id"]);
    assert_eq!(found["me"]["role"], "member");
    let read =
        alice.get(&format!("/api/conversations/{}", made["id"].as_str().unwrap())).await.assert_ok(200);
    assert_eq!(read, made);
}

#[tokio::test]
async fn twenty_who_begin_at_once_begin_one() {
    let server = TestServer::start().await;
    let [alice, bob] = server.users(["alice", "bob"]).await;
    let mut device = bob.connect().await;
    let tries = (0..20).map(|n| {
        let (me, other) = if n % 2 == 0 { (&alice, &bob) } else { (&bob, &alice) };
        me.post("/api/conversations", json!({ "kind": "direct", "userId": other.id }))
    });
    let replies = futures_util::future::join_all(tries).await;
    assert_eq!(replies.iter().filter(|reply| reply.status == 201).count(), 1);
    let ids: HashSet<_> = replies.iter().map(|reply| reply.body["id"].to_string()).collect();
    assert_eq!(ids.len(), 1);
    device.expect("conversation:created").await;
    device.expect_nothing().await;
}

#[tokio::test]
async fn a_group_has_an_owner_a_title_and_people() {
    let server = TestServer::start().await;
    let [alice, bob, carol] = server.users(["alice", "bob", "carol"]).await;
    let mut device = carol.connect().await;
    let body =
        json!({ "kind": "group", "title": " The band ", "userIds": [bob.id, carol.id, bob.id, alice.id] });
    let made = alice.post("/api/conversations", body).await.assert_ok(201);
    assert_eq!((&made["title"], &made["participantCount"]), (&json!("The band"), &json!(3)));
    assert_eq!((&made["me"]["role"], &made["me"]["state"]), (&json!("owner"), &json!("member")));
    let event = device.expect("conversation:created").await;
    assert_eq!((&event["id"], &event["pos"], &event["span"]), (&made["id"], &json!(1), &json!(1)));
    for derived in ["me", "unread", "mentions", "lastMessage"] {
        assert_eq!(event.get(derived), None, "{derived} differs by viewer");
    }
}

#[tokio::test]
async fn there_is_one_conversation_with_oneself() {
    let server = TestServer::start().await;
    let alice = server.user("alice").await;
    let made = alice.post("/api/conversations", json!({ "kind": "self" })).await.assert_ok(201);
    let found = alice.post("/api/conversations", json!({ "kind": "self" })).await.assert_ok(200);
    assert_eq!(made["id"], found["id"]);
    let reply = alice.post("/api/conversations", json!({ "kind": "direct", "userId": alice.id })).await;
    reply.assert_problem(422, "invalid");
    assert_eq!(reply.pointers(), ["/userId"]);
}

#[tokio::test]
async fn people_who_do_not_exist_are_named() {
    let server = TestServer::start().await;
    let [alice, bob] = server.users(["alice", "bob"]).await;
    let nobody = "01890a5d-ac96-774b-bcce-b302099a8057";
    let reply = alice.post("/api/conversations", json!({ "kind": "direct", "userId": nobody })).await;
    reply.assert_problem(422, "unknown_user");
    assert_eq!(reply.pointers(), ["/userId"]);
    let body = json!({ "kind": "group", "title": "x", "userIds": [bob.id, nobody, "rubbish"] });
    let reply = alice.post("/api/conversations", body).await;
    reply.assert_problem(422, "unknown_user");
    assert_eq!(reply.pointers(), ["/userIds/1", "/userIds/2"]);
    assert_eq!(alice.get("/api/conversations").await.assert_ok(200)["conversations"], json!([]));
}

#[tokio::test]
async fn a_group_whose_answer_was_lost_is_not_made_twice() {
    let server = TestServer::start().await;
    let [alice, bob] = server.users(["alice", "bob"]).await;
    let create = |title: &str, who: &tidings_testkit::actors::Person| {
        let body = json!({ "kind": "group", "title": title, "userIds": [bob.id] }).to_string().into_bytes();
        let (api, token) = (who.api.clone(), who.token.clone());
        async move {
            let headers = [("content-type", "application/json"), ("idempotency-key", "try-1")];
            api.request_raw(Method::POST, "/api/conversations", Some(&token), Some(body), &headers).await
        }
    };
    let made = create("Band", &alice).await.assert_ok(201);
    let again = create("Band", &alice).await;
    assert_eq!(again.headers["idempotent-replayed"], "true");
    assert_eq!(again.assert_ok(200)["id"], made["id"]);
    create("Choir", &alice).await.assert_problem(422, "idempotency_key_reused");
    assert_ne!(
        create("Band", &bob).await.assert_ok(201)["id"],
        made["id"],
        "another user's key is another key"
    );
    server.clock.advance_seconds(24 * 3600 + 1);
    let alice = alice.login_again("later").await;
    assert_ne!(create("Band", &alice).await.assert_ok(201)["id"], made["id"], "a day later it is forgotten");
}

#[tokio::test]
async fn a_stranger_finds_nothing_and_is_told_nothing() {
    let server = TestServer::start().await;
    let [alice, bob, eve] = server.users(["alice", "bob", "eve"]).await;
    let chat = alice.direct_with(&bob).await;
    let message = alice.send(&chat, "secret").await;
    let id = message["id"].as_str().unwrap();
    for path in [
        format!("/api/conversations/{chat}"),
        format!("/api/conversations/{chat}/messages"),
        format!("/api/conversations/{chat}/participants"),
        format!("/api/messages/{id}"),
        format!("/api/sync?stream=conversation:{chat}&after=0"),
        format!("/api/sync?stream=user:{}&after=0", alice.id),
    ] {
        let foreign = eve.get(&path).await;
        foreign.assert_problem(404, "not_found");
        let absent = eve.get(&path.replace(&chat, "01890a5d-ac96-874b-bcce-b302099a8057")).await;
        assert_eq!(foreign.body["detail"], absent.body["detail"], "{path}");
    }
    eve.try_send(&chat, "hi", "01890a5d-ac96-774b-bcce-b302099a8057").await.assert_problem(404, "not_found");
    eve.post(&format!("/api/conversations/{chat}/leave"), Value::Null).await.assert_problem(404, "not_found");
    eve.add(&chat, &eve).await.assert_problem(404, "not_found");
}

#[tokio::test]
async fn the_list_shows_the_latest_first_and_what_is_unread() {
    let server = TestServer::start().await;
    let [alice, bob, carol] = server.users(["alice", "bob", "carol"]).await;
    let (with_bob, with_carol) = (alice.direct_with(&bob).await, alice.direct_with(&carol).await);
    bob.send(&with_bob, "one").await;
    bob.send(&with_bob, "two").await;
    let list = alice.get("/api/conversations").await.assert_ok(200);
    let shown: Vec<_> = list["conversations"].as_array().unwrap().iter().collect();
    assert_eq!(shown.iter().map(|c| c["id"].as_str().unwrap()).collect::<Vec<_>>(), [&with_bob, &with_carol]);
    assert_eq!((&shown[0]["unread"], &shown[1]["unread"]), (&json!(2), &json!(0)));
    assert_eq!(shown[0]["lastMessage"]["content"], "two");
    assert_eq!(shown[1]["lastMessage"], Value::Null);
    assert_eq!(list["nextCursor"], Value::Null);

    // Answering is reading.
    alice.send(&with_bob, "three").await;
    let read = alice.get(&format!("/api/conversations/{with_bob}")).await.assert_ok(200);
    assert_eq!((&read["unread"], &read["me"]["readSeq"]), (&json!(0), &json!(3)));
    let theirs = bob.get(&format!("/api/conversations/{with_bob}")).await.assert_ok(200);
    assert_eq!((&theirs["unread"], &theirs["me"]["readSeq"]), (&json!(1), &json!(2)));
}

#[tokio::test]
async fn the_list_comes_in_pages_and_by_kind() {
    let server = TestServer::start().await;
    let alice = server.user("alice").await;
    let mut groups = Vec::new();
    for n in 0..7 {
        groups.push(alice.group_with(&format!("group {n}"), &[]).await);
    }
    let _ = alice.post("/api/conversations", json!({ "kind": "self" })).await.assert_ok(201);
    groups.reverse();
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = alice.get(&format!("/api/conversations?kind=group&limit=3{cursor}")).await.assert_ok(200);
        let ids = page["conversations"].as_array().unwrap().iter();
        seen.extend(ids.map(|conversation| conversation["id"].as_str().unwrap().to_owned()));
        match page["nextCursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(seen, groups);
    for (query, code) in [("limit=0", "invalid"), ("limit=1000", "invalid"), ("kind=room", "invalid")] {
        alice.get(&format!("/api/conversations?{query}")).await.assert_problem(422, code);
    }
    alice.get("/api/conversations?q=").await.assert_problem(422, "invalid");
    alice.get("/api/conversations?archived=perhaps").await.assert_problem(422, "invalid");
    alice.get("/api/conversations?colour=red").await.assert_problem(400, "unknown_field");
    assert!(alice.get("/api/conversations?cursor=rubbish").await.status.is_client_error());
}

#[tokio::test]
async fn what_one_has_chosen_is_on_all_ones_devices_and_nobody_elses() {
    let server = TestServer::start().await;
    let [alice, bob] = server.users(["alice", "bob"]).await;
    let (tea, band) = (alice.group_with("Tea", &[&bob]).await, alice.group_with("Band", &[&bob]).await);
    let (mut phone, mut bobs) = (alice.connect().await, bob.connect().await);
    let away = alice.connect().await.drop_connection();
    let path = format!("/api/conversations/{tea}/preferences");
    let put = async |body: Value| alice.request(Method::PUT, &path, body).await;
    let chosen = json!({ "mutedUntil": "2030-01-31T12:00:00.000Z", "pinned": true, "archived": false, "notify": "mentions" });
    let partly = json!({ "mutedUntil": "2030-01-31T13:00:00+01:00", "pinned": true, "notify": "mentions" });
    assert_eq!(put(partly.clone()).await.assert_ok(200), chosen);
    assert_eq!(put(partly).await.assert_ok(200), chosen);
    let told = phone.expect("preferences:updated").await;
    assert_eq!(
        (&told["conversationId"], &told["pinned"], &told["stream"]),
        (&json!(tea), &json!(true), &json!(format!("user:{}", alice.id)))
    );
    let unmuted = put(json!({ "mutedUntil": null, "archived": true })).await.assert_ok(200);
    assert_eq!((&unmuted["mutedUntil"], &unmuted["pinned"]), (&Value::Null, &json!(true)));
    phone.expect("preferences:updated").await;
    phone.expect_nothing().await;
    bobs.expect_nothing().await;
    let replayed = alice.resume(&away).await.expect_ready().await;
    let names: Vec<_> = replayed.iter().map(|event| event.name.as_str()).collect();
    assert_eq!(names, ["preferences:updated", "sync:page"], "the last of them");
    assert_eq!(replayed[0].body["archived"], true);

    let list = async |query: &str| -> Vec<String> {
        let list = alice.get(&format!("/api/conversations{query}")).await.assert_ok(200);
        let conversations = list["conversations"].as_array().unwrap().iter();
        conversations.map(|one| one["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(list("").await, [tea.clone(), band.clone()], "it is pinned");
    assert_eq!(list("?archived=true").await, std::slice::from_ref(&tea));
    assert_eq!(list("?archived=false").await, std::slice::from_ref(&band));
    assert_eq!(list("?q=%20BAN").await, std::slice::from_ref(&band));
    assert_eq!(list("?q=bob").await, [""; 0]);
    let direct = alice.direct_with(&bob).await;
    assert_eq!(list("?q=bob").await, [direct]);
    assert_eq!(bob.get(&format!("/api/conversations/{tea}")).await.assert_ok(200)["me"]["pinned"], false);
    for (body, code, pointer) in [
        (json!({ "mutedUntil": "tomorrow" }), "invalid", "/mutedUntil"),
        (json!({ "notify": "loudly" }), "invalid", "/notify"),
        (json!({ "pinned": "yes" }), "wrong_type", "/pinned"),
        (json!({ "colour": "red" }), "unknown_field", "/colour"),
    ] {
        let refused = put(body).await;
        assert_eq!((refused.code(), &refused.body["errors"][0]["pointer"]), (code, &json!(pointer)));
    }
    let eve = server.user("eve").await;
    eve.request(Method::PUT, &path, json!({})).await.assert_problem(404, "not_found");
}
