//! Who is writing and who is here: told to who looks, and to nobody else.

use std::time::Duration;

use serde_json::{Value, json};
use tidings_core::clock::Clock as _;
use tidings_core::limits::{PRESENCE_GRACE_MS, TYPING_MS};
use tidings_testkit::actors::{Device, Person};

use crate::harness::TestServer;

async fn ok(device: &mut Device, name: &str, body: Value) -> Value {
    let ack = device.call(name, body).await;
    assert_eq!(ack["ok"], true, "{name}: {ack}");
    ack
}

async fn open(device: &mut Device, chat: &str) -> Value {
    ok(device, "conversation:open", json!({ "conversationId": chat })).await
}

async fn types(device: &mut Device, chat: &str) {
    ok(device, "typing:start", json!({ "conversationId": chat })).await;
}

/// Two of the server's rounds, in which everything that has happened is told.
async fn a_moment() {
    tokio::time::sleep(Duration::from_millis(1_200)).await;
}

/// The next event is that this person is like that.
async fn expect_presence(device: &mut Device, of: &Person, status: &str) -> Value {
    let presence = device.expect("presence:changed").await;
    assert_eq!((&presence["userId"], &presence["status"]), (&json!(of.id), &json!(status)));
    presence
}

const SECONDS_OF_GRACE: i64 = PRESENCE_GRACE_MS / 1000;

#[tokio::test]
async fn who_looks_sees_somebody_write() {
    let server = TestServer::start().await;
    let [alice, bob, carol] = server.users(["alice", "bob", "carol"]).await;
    let group = alice.group_with("Band", &[&bob, &carol]).await;
    let (mut hers, mut her_phone) = (alice.connect().await, alice.connect().await);
    let (mut his, mut carols) = (bob.connect().await, carol.connect().await);
    for device in [&mut hers, &mut her_phone, &mut his] {
        assert_eq!(open(device, &group).await["typing"], json!([]));
    }
    types(&mut hers, &group).await;
    types(&mut hers, &group).await;
    let typing = json!({ "conversationId": group, "userId": alice.id });
    assert_eq!(his.expect("typing:start").await, typing);
    assert_eq!(open(&mut his, &group).await["typing"], json!([alice.id]), "asked again");
    ok(&mut hers, "typing:stop", json!({ "conversationId": group })).await;
    assert_eq!(his.expect("typing:stop").await, typing);

    // She forgets to say that she stopped, and the server does not.
    server.clock.advance_seconds(2);
    types(&mut hers, &group).await;
    his.expect("typing:start").await;
    server.clock.advance_seconds(TYPING_MS / 1000);
    his.expect("typing:stop").await;

    // Her connection breaks in the middle of a word.
    types(&mut hers, &group).await;
    his.expect("typing:start").await;
    ok(&mut her_phone, "conversation:close", json!({ "conversationId": group })).await;
    his.expect_nothing().await;
    drop(hers);
    his.expect("typing:stop").await;
    for device in [&mut his, &mut her_phone, &mut carols] {
        device.expect_nothing().await;
    }
}

#[tokio::test]
async fn only_its_people_open_a_conversation_and_write_where_they_look() {
    let server = TestServer::with_limits(&[("open_conversations_max", 2)]).await;
    let [alice, bob, eve] = server.users(["alice", "bob", "eve"]).await;
    let chat = alice.direct_with(&bob).await;
    let mut hers = alice.connect().await;
    let mut eves = eve.connect().await;
    for id in [chat.as_str(), "0190f5e2-0000-7000-8000-000000000000", "nowhere"] {
        let refused = eves.call("conversation:open", json!({ "conversationId": id })).await;
        assert_eq!((&refused["ok"], &refused["code"]), (&json!(false), &json!("not_found")), "{id}");
    }
    let field = |refused: &Value| {
        let error = &refused["errors"][0];
        (error["pointer"].as_str().unwrap().to_owned(), error["code"].as_str().unwrap().to_owned())
    };
    for name in ["typing:start", "typing:stop"] {
        for device in [&mut hers, &mut eves] {
            let refused = device.call(name, json!({ "conversationId": chat })).await;
            assert_eq!(field(&refused), ("/conversationId".to_owned(), "invalid".to_owned()), "{refused}");
        }
    }
    let groups = [alice.group_with("One", &[]).await, alice.group_with("Two", &[]).await];
    for group in &groups {
        open(&mut hers, group).await;
        open(&mut hers, group).await;
    }
    let refused = hers.call("conversation:open", json!({ "conversationId": chat })).await;
    assert_eq!(field(&refused), ("/conversationId".to_owned(), "too_many".to_owned()), "{refused}");
    for _ in 0..2 {
        ok(&mut hers, "conversation:close", json!({ "conversationId": groups[0] })).await;
    }
    open(&mut hers, &chat).await;
    let refused = hers.call("presence:set", json!({ "status": "offline" })).await;
    assert_eq!(field(&refused), ("/status".to_owned(), "invalid".to_owned()), "{refused}");
}

#[tokio::test]
async fn who_looks_sees_somebody_come_look_away_and_go() {
    let server = TestServer::start().await;
    let [alice, bob, carol] = server.users(["alice", "bob", "carol"]).await;
    let (chat, group) = (alice.direct_with(&bob).await, alice.group_with("Band", &[&bob, &carol]).await);
    let (mut his, mut carols) = (bob.connect().await, carol.connect().await);
    open(&mut his, &chat).await;
    let seen = open(&mut his, &group).await;
    assert_eq!(seen["onlineCount"], 2);
    let status = |seen: &Value, of: &Person| {
        let all = seen["presence"].as_array().unwrap().iter();
        all.clone().find(|one| one["userId"] == of.id.as_str()).unwrap()["status"].clone()
    };
    let statuses = [&alice, &bob, &carol].map(|person| status(&seen, person));
    assert_eq!(statuses, [json!("offline"), json!("online"), json!("online")]);

    // Once, though he looks at two conversations with her.
    let (mut hers, mut her_phone) = (alice.connect().await, alice.connect().await);
    assert_eq!(expect_presence(&mut his, &alice, "online").await["lastSeenAt"], Value::Null);
    ok(&mut hers, "presence:set", json!({ "status": "away" })).await;
    a_moment().await;
    his.expect_nothing().await;
    ok(&mut her_phone, "presence:set", json!({ "status": "away" })).await;
    expect_presence(&mut his, &alice, "away").await;
    ok(&mut her_phone, "presence:set", json!({ "status": "online" })).await;
    expect_presence(&mut his, &alice, "online").await;

    // A tunnel: she is back before anybody notices.
    drop((hers, her_phone));
    a_moment().await;
    server.clock.advance_seconds(SECONDS_OF_GRACE - 1);
    a_moment().await;
    let hers = alice.connect().await;
    server.clock.advance_seconds(SECONDS_OF_GRACE);
    a_moment().await;
    his.expect_nothing().await;
    let gone_at = server.clock.now().rfc3339();
    drop(hers);
    a_moment().await;
    server.clock.advance_seconds(SECONDS_OF_GRACE);
    let gone = expect_presence(&mut his, &alice, "offline").await;
    assert_eq!(gone["lastSeenAt"], gone_at);
    let user = format!("/api/users/{}", alice.id);
    a_moment().await;
    assert_eq!(bob.get(&user).await.assert_ok(200)["lastSeenAt"], gone_at);
    carols.expect_nothing().await;

    let alice = alice.login_again("laptop").await;
    let hide = json!({ "settings": { "presence": false } });
    let me = alice.request(reqwest::Method::PATCH, "/api/users/me", hide).await.assert_ok(200);
    assert_eq!(me["lastSeenAt"], gone_at, "she knows it herself");
    assert_eq!(expect_presence(&mut his, &alice, "offline").await["lastSeenAt"], Value::Null);
    assert_eq!(bob.get(&user).await.assert_ok(200)["lastSeenAt"], Value::Null);
    let mut hers = alice.connect().await;
    a_moment().await;
    his.expect_nothing().await;
    assert_eq!(status(&open(&mut his, &group).await, &alice), "offline");
    let show = json!({ "settings": { "presence": true, "typing": false } });
    let _ = alice.request(reqwest::Method::PATCH, "/api/users/me", show).await.assert_ok(200);
    expect_presence(&mut his, &alice, "online").await;
    open(&mut hers, &group).await;
    types(&mut hers, &group).await;
    his.expect_nothing().await;
}

/// Who hides is hidden from the first moment after a restart too, and when somebody was last seen is not forgotten.
#[tokio::test]
async fn a_restart_forgets_nobody() {
    let mut server = TestServer::start().await;
    let [alice, bob] = server.users(["alice", "bob"]).await;
    let chat = alice.direct_with(&bob).await;
    let hide = json!({ "settings": { "presence": false } });
    let _ = bob.request(reqwest::Method::PATCH, "/api/users/me", hide).await.assert_ok(200);
    let _hers = alice.connect().await;
    let stopped_at = server.clock.now().rfc3339();
    server.restart().await;
    let (alice, bob) = (server.moved(&alice), server.moved(&bob));
    let (mut hers, mut his) = (alice.connect().await, bob.connect().await);
    let person = |seen: &Value, of: &Person| {
        seen["presence"]
            .as_array()
            .unwrap()
            .iter()
            .find(|one| one["userId"] == of.id.as_str())
            .unwrap()
            .clone()
    };
    assert_eq!(person(&open(&mut hers, &chat).await, &bob)["status"], "offline");
    drop(hers);
    let user = bob.get(&format!("/api/users/{}", alice.id)).await.assert_ok(200);
    assert_eq!(user["lastSeenAt"], stopped_at);
    open(&mut his, &chat).await;
}

/// From the moment in which they are out.
#[tokio::test]
async fn who_was_removed_sees_nobody_any_more() {
    let server = TestServer::start().await;
    let [alice, bob, carol] = server.users(["alice", "bob", "carol"]).await;
    let group = alice.group_with("Band", &[&bob, &carol]).await;
    let (mut his, mut carols) = (bob.connect().await, carol.connect().await);
    open(&mut his, &group).await;
    open(&mut carols, &group).await;
    let _ = alice.remove(&group, &bob).await;
    his.expect("participant:left").await;
    carols.expect("participant:left").await;
    types(&mut carols, &group).await;
    let mut hers = alice.connect().await;
    expect_presence(&mut carols, &alice, "online").await;
    a_moment().await;
    his.expect_nothing().await;
    let refused = his.call("conversation:open", json!({ "conversationId": group })).await;
    assert_eq!(refused["code"], "not_participant");
    let refused = his.call("typing:start", json!({ "conversationId": group })).await;
    assert_eq!(refused["ok"], false);

    // Who comes in is seen by who looks.
    let dora = server.user("dora").await;
    let mut doras = dora.connect().await;
    let _ = alice.add(&group, &dora).await.assert_ok(200);
    for device in [&mut hers, &mut carols, &mut doras] {
        device.expect("participant:joined").await;
    }
    let seen = open(&mut carols, &group).await;
    assert_eq!((seen["presence"].as_array().unwrap().len(), &seen["onlineCount"]), (3, &json!(3)));
    drop(doras);
    a_moment().await;
    server.clock.advance_seconds(SECONDS_OF_GRACE);
    expect_presence(&mut carols, &dora, "offline").await;
}

#[tokio::test]
async fn in_a_large_group_people_are_counted() {
    const PEOPLE: usize = 101;
    let (server, ids) = TestServer::with_people("fan", PEOPLE, &[("user_ids_max", 200)]).await;
    let [alice, bob] = server.users(["alice", "bob"]).await;
    let title = json!({ "kind": "group", "title": "Fans", "userIds": ids });
    let created = alice.post("/api/conversations", title).await.assert_ok(201);
    let group = created["id"].as_str().unwrap();
    let _ = alice.add(group, &bob).await.assert_ok(200);
    let mut hers = alice.connect().await;
    let seen = open(&mut hers, group).await;
    assert_eq!((&seen["presence"], &seen["onlineCount"]), (&json!([]), &json!(1)));
    let mut his = bob.connect().await;
    server.clock.advance_seconds(5);
    let counted = hers.expect("presence:counted").await;
    assert_eq!(counted, json!({ "conversationId": group, "onlineCount": 2 }));
    open(&mut his, group).await;
    types(&mut his, group).await;
    assert_eq!(hers.expect("typing:start").await["userId"], bob.id);
    drop(his);
    hers.expect("typing:stop").await;
    a_moment().await;
    server.clock.advance_seconds(5);
    assert_eq!(hers.expect("presence:counted").await["onlineCount"], 1);
}

/// Whatever is sent without waiting for answers: to who may not look nothing is said, and of them nothing is shown.
#[tokio::test]
async fn who_does_not_wait_gets_in_no_sooner() {
    let server = TestServer::start().await;
    let [alice, bob, carol, eve] = server.users(["alice", "bob", "carol", "eve"]).await;
    let group = alice.group_with("Band", &[&bob, &carol]).await;
    let _ = alice.remove(&group, &carol).await;
    let (mut his, mut carols, mut eves) = (bob.connect().await, carol.connect().await, eve.connect().await);
    open(&mut his, &group).await;
    let body = json!({ "conversationId": group });
    for (device, code) in [(&mut carols, "not_participant"), (&mut eves, "not_found")] {
        for _ in 0..20 {
            let mut begun = Vec::new();
            for name in ["conversation:open", "conversation:open", "typing:start", "conversation:open"] {
                begun.push((name, device.begin(name, &body).await));
            }
            for (name, id) in begun {
                let ack = device.ack(id).await;
                let expected = if name == "typing:start" { "invalid" } else { code };
                assert_eq!(ack["code"], expected, "{name}: {ack}");
            }
        }
    }
    his.expect_nothing().await;

    // Who may is counted once, however it is said, and not any more when they are gone.
    for _ in 0..20 {
        let mut hers = alice.connect().await;
        let mut begun = Vec::new();
        for name in ["conversation:open", "conversation:close", "conversation:open", "conversation:open"] {
            begun.push(hers.begin(name, &body).await);
        }
        for id in begun {
            assert_eq!(hers.ack(id).await["ok"], true);
        }
        let mut other = alice.connect().await;
        other.begin("conversation:open", &body).await;
    }
    ok(&mut his, "conversation:close", body).await;
    let begun = std::time::Instant::now();
    while server.stats().watched > 0 {
        assert!(begun.elapsed() < Duration::from_secs(20), "somebody still looks");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
