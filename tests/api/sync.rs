//! `GET /api/sync`.

use serde_json::{Value, json};

use crate::harness::TestServer;

fn names(page: &Value) -> Vec<String> {
    let events = page["events"].as_array().unwrap();
    events.iter().map(|event| event["event"].as_str().unwrap().to_owned()).collect()
}

fn contents(page: &Value) -> Vec<String> {
    let events = page["events"].as_array().unwrap().iter();
    events.filter_map(|event| event["content"].as_str().map(str::to_owned)).collect()
}

#[tokio::test]
async fn a_device_without_a_socket_asks_for_what_it_has_missed() {
    let server = TestServer::start().await;
    let [alice, bob] = server.users(["alice", "bob"]).await;
    let begin = bob.get("/api/sync").await.assert_ok(200);
    assert_eq!(
        (&begin["events"], &begin["hasMore"], &begin["reset"]),
        (&json!([]), &json!(false), &Value::Null)
    );
    let chat = alice.direct_with(&bob).await;
    alice.send(&chat, "one").await;
    alice.send(&chat, "two").await;

    let since = |page: &Value| format!("/api/sync?since={}", page["next"].as_str().unwrap());
    let page = bob.get(&since(&begin)).await.assert_ok(200);
    assert_eq!(names(&page), ["conversation:created", "message:new", "message:new"]);
    assert_eq!(contents(&page), ["one", "two"]);
    assert!(page["events"].as_array().unwrap().iter().all(|event| event.get("next").is_none()));
    let nothing = bob.get(&since(&page)).await.assert_ok(200);
    assert_eq!(nothing["events"], json!([]));
}

#[tokio::test]
async fn pages_follow_one_another_without_a_seam() {
    let server = TestServer::start().await;
    let [alice, bob] = server.users(["alice", "bob"]).await;
    let begin = bob.get("/api/sync").await.assert_ok(200);
    let chats = [alice.direct_with(&bob).await, alice.group_with("Band", &[&bob]).await];
    for n in 0..20 {
        alice.send(&chats[n % 2], &n.to_string()).await;
    }
    let mut next = begin["next"].as_str().unwrap().to_owned();
    let (mut seen, mut pages) = (Vec::new(), 0);
    loop {
        let page = bob.get(&format!("/api/sync?since={next}&limit=3")).await.assert_ok(200);
        seen.extend(contents(&page));
        pages += 1;
        // What happens meanwhile comes after.
        alice.send(&chats[0], &format!("meanwhile {pages}")).await;
        next = page["next"].as_str().unwrap().to_owned();
        if page["hasMore"] == json!(false) {
            break;
        }
    }
    assert_eq!(seen, (0..20).map(|n| n.to_string()).collect::<Vec<_>>());
    assert_eq!(pages, 8);
    let rest = bob.get(&format!("/api/sync?since={next}")).await.assert_ok(200);
    assert_eq!(contents(&rest), (1..=8).map(|n| format!("meanwhile {n}")).collect::<Vec<_>>());
}

#[tokio::test]
async fn after_a_restart_the_token_still_holds() {
    let mut server = TestServer::start().await;
    let [alice, bob] = server.users(["alice", "bob"]).await;
    let chat = alice.direct_with(&bob).await;
    let token = bob.get("/api/sync").await.assert_ok(200)["next"].as_str().unwrap().to_owned();
    alice.send(&chat, "before").await;
    server.restart().await;
    let [alice, bob] = [server.moved(&alice), server.moved(&bob)];
    alice.send(&chat, "after").await;
    let page = bob.get(&format!("/api/sync?since={token}")).await.assert_ok(200);
    assert_eq!(contents(&page), ["before", "after"]);
}

#[tokio::test]
async fn a_token_of_elsewhere_and_one_that_cannot_be_read_reset() {
    let server = TestServer::start().await;
    let elsewhere = TestServer::start().await;
    let (alice, foreign) = (server.user("alice").await, elsewhere.user("alice").await);
    let foreign = foreign.get("/api/sync").await.assert_ok(200)["next"].as_str().unwrap().to_owned();
    for (token, reason) in [(foreign.as_str(), "epoch_changed"), ("rubbish", "token_unreadable")] {
        let page = alice.get(&format!("/api/sync?since={token}")).await.assert_ok(200);
        assert_eq!(page["reset"], reason);
        let next = page["next"].as_str().unwrap();
        assert_eq!(alice.get(&format!("/api/sync?since={next}")).await.assert_ok(200)["reset"], Value::Null);
    }
}

#[tokio::test]
async fn a_stream_with_too_much_is_skipped_and_the_others_are_not() {
    let server = TestServer::with_limits(&[("sync_stream_events_max", 5)]).await;
    let [alice, bob] = server.users(["alice", "bob"]).await;
    let (busy, quiet) = (alice.group_with("Busy", &[&bob]).await, alice.group_with("Quiet", &[&bob]).await);
    let token = bob.get("/api/sync").await.assert_ok(200)["next"].as_str().unwrap().to_owned();
    for n in 0..6 {
        alice.send(&busy, &n.to_string()).await;
    }
    alice.send(&quiet, "psst").await;
    let page = bob.get(&format!("/api/sync?since={token}")).await.assert_ok(200);
    assert_eq!(contents(&page), ["psst"]);
    assert_eq!(
        page["skipped"],
        json!([{ "stream": format!("conversation:{busy}"), "pos": 7, "lastSeq": 6 }])
    );
}

#[tokio::test]
async fn when_everything_changed_the_device_starts_over() {
    let server = TestServer::with_limits(&[("sync_streams_max", 3)]).await;
    let [alice, bob] = server.users(["alice", "bob"]).await;
    let token = bob.get("/api/sync").await.assert_ok(200)["next"].as_str().unwrap().to_owned();
    for n in 0..4 {
        alice.group_with(&n.to_string(), &[&bob]).await;
    }
    let page = bob.get(&format!("/api/sync?since={token}")).await.assert_ok(200);
    assert_eq!((&page["reset"], &page["events"]), (&json!("too_much_changed"), &json!([])));
}

#[tokio::test]
async fn a_gap_in_one_stream_is_filled_by_position() {
    let server = TestServer::start().await;
    let [alice, bob] = server.users(["alice", "bob"]).await;
    let group = alice.group_with("Band", &[&bob]).await;
    for text in ["one", "two", "three"] {
        alice.send(&group, text).await;
    }
    let stream =
        |after: u64, limit: u64| format!("/api/sync?stream=conversation:{group}&after={after}&limit={limit}");
    let page = bob.get(&stream(2, 1)).await.assert_ok(200);
    assert_eq!(contents(&page), ["two"]);
    assert_eq!((&page["hasMore"], &page["next"]), (&json!(true), &Value::Null));
    let page = bob.get(&stream(3, 100)).await.assert_ok(200);
    assert_eq!((contents(&page), &page["hasMore"]), (vec!["three".to_owned()], &json!(false)));

    // Away for two positions: the gap read spans them.
    assert_eq!(alice.remove(&group, &bob).await.status, 204);
    alice.send(&group, "unseen").await;
    let _ = alice.add(&group, &bob).await.assert_ok(200);
    let page = bob.get(&stream(4, 100)).await.assert_ok(200);
    assert_eq!(names(&page), ["participant:left", "participant:joined"]);
    let places: Vec<_> = page["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| (event["pos"].clone(), event["span"].clone()))
        .collect();
    assert_eq!(places, [(json!(5), json!(1)), (json!(7), json!(2))]);
    let own = bob.get(&format!("/api/sync?stream=user:{}&after=0", bob.id)).await.assert_ok(200);
    assert_eq!(names(&own), ["user:updated"]);
    for query in ["?stream=conversation:x&after=0", "?stream=user:x&after=0"] {
        bob.get(&format!("/api/sync{query}")).await.assert_problem(404, "not_found");
    }
    for query in
        ["?after=1", "?stream=user:x", "?stream=user:x&after=0&since=y", "?limit=0", "?limit=x", "?after=-1"]
    {
        let reply = bob.get(&format!("/api/sync{query}")).await;
        assert!([400, 422].contains(&reply.status.as_u16()), "{query}: {}", reply.text);
    }
}
