//! R20: the clock an hour off, both ways.

use reqwest::Method;
use serde_json::{Value, json};
use tidings_testkit::actors::{Connected, Device, Person, Reply};

use crate::harness::TestServer;

const HOUR: i64 = 3_600;

async fn refresh(person: &Person) -> Reply {
    let body = json!({ "refreshToken": person.refresh_token });
    person.api.request(Method::POST, "/api/auth/refresh", None, body).await
}

/// The person with the tokens of a refresh.
fn with_tokens(person: &Person, tokens: &Value) -> Person {
    let text = |name: &str| tokens[name].as_str().unwrap().to_owned();
    Person { token: text("accessToken"), refresh_token: text("refreshToken"), ..person.clone() }
}

/// An hour forward, every access token has expired at once: a clear refusal, one refresh, and nothing was missed.
#[tokio::test]
async fn r20_an_hour_forward_asks_for_a_refresh_and_loses_nothing() {
    let server = TestServer::start().await;
    let [alice, bob] = server.users(["alice", "bob"]).await;
    let chat = alice.direct_with(&bob).await;
    let mut device = bob.connect().await;
    alice.send(&chat, "before").await;
    device.expect_message("before").await;

    server.clock.advance_seconds(HOUR);
    alice.try_send(&chat, "too late", &client_id(1)).await.assert_problem(401, "token_expired");
    assert_eq!(device.expect("session:expired").await["code"], "token_expired");
    assert_eq!(device.expect_end().await, "disconnect");
    let since = device.drop_connection();
    let Connected::Refused(error) = Device::connect(&bob.api.url, json!({ "token": bob.token })).await else {
        panic!("an expired token was let in");
    };
    assert_eq!(error["data"]["code"], "token_expired");

    let alice = with_tokens(&alice, &refresh(&alice).await.assert_ok(200));
    let sent = alice.try_send(&chat, "after", &client_id(1)).await.assert_ok(201);
    assert_eq!(sent["seq"], 2, "what was refused stands nowhere");
    let bob = with_tokens(&bob, &refresh(&bob).await.assert_ok(200));
    let mut device = bob.resume(&since).await;
    device.expect_message("after").await;
    assert_eq!(device.expect_ready().await.len(), 1);
    assert_eq!(bob.texts(&chat).await, ["before", "after"]);
}

/// A token that was issued while the clock was an hour ahead is good until it says so itself, and no longer than its
/// session.
#[tokio::test]
async fn r20_tokens_from_the_future_work_and_end_with_their_session() {
    let server = TestServer::start().await;
    let alice = server.user("alice").await;
    server.clock.advance_seconds(HOUR);
    let [bob, carol] = server.users(["bob", "carol"]).await;
    server.clock.advance_seconds(-HOUR);
    let (chat, mut device) = (alice.direct_with(&bob).await, bob.connect().await);
    alice.send(&chat, "hello from the past").await;
    device.expect_message("hello from the past").await;
    bob.send(&chat, "hello from the future").await;
    device.expect_message("hello from the future").await;

    assert_eq!(carol.post("/api/auth/logout", Value::Null).await.status, 204);
    for passed in [0, 700, HOUR] {
        server.clock.advance_seconds(passed);
        sweep_revocations(&server).await;
        let reply = carol.get("/api/users/me").await;
        assert_eq!(reply.status, 401, "after {passed} s: {}", reply.text);
    }
    bob.get("/api/users/me").await.assert_problem(401, "token_expired");
}

/// A session that has ended stays ended, however the clock wanders while its last token is about, and over a restart.
#[tokio::test]
async fn r20_a_revocation_outlives_every_excursion_of_the_clock() {
    let mut server = TestServer::start().await;
    let mut alice = server.user("alice").await;
    assert_eq!(alice.post("/api/auth/logout", Value::Null).await.status, 204);
    alice.get("/api/users/me").await.assert_problem(401, "session_ended");
    for seconds in [HOUR, -HOUR] {
        server.clock.advance_seconds(seconds);
        sweep_revocations(&server).await;
        server.clock.advance_seconds(-seconds);
        alice.get("/api/users/me").await.assert_problem(401, "session_ended");
        server.restart().await;
        alice = server.moved(&alice);
        alice.get("/api/users/me").await.assert_problem(401, "session_ended");
        assert_eq!(refresh(&alice).await.code(), "session_ended");
    }
}

/// Old revocations make room when new ones come: this makes both, in memory and in the store.
async fn sweep_revocations(server: &TestServer) {
    let mut random = [0; 8];
    tidings_core::ids::IdSource::fill(&tidings_core::ids::SystemIds, &mut random);
    let somebody = server.user(&format!("sweeper{}", u64::from_be_bytes(random))).await;
    assert_eq!(somebody.post("/api/auth/logout", Value::Null).await.status, 204);
}

/// A refresh whose answer was lost is answered again within half a minute. A clock that jumps in between makes it look
/// like a copied token, either way: the session ends, which says to log in, and no message is lost by it.
#[tokio::test]
async fn r20_a_refresh_is_asked_again_across_a_jump() {
    for (seconds, code) in [(20, ""), (-20, ""), (HOUR, "session_ended"), (-HOUR, "session_ended")] {
        let server = TestServer::start().await;
        let alice = server.user("alice").await;
        let first = refresh(&alice).await.assert_ok(200);
        server.clock.advance_seconds(seconds);
        let again = refresh(&alice).await;
        assert_eq!(again.code(), code, "{seconds} s: {}", again.text);
        if code.is_empty() {
            assert_eq!(again.body["refreshToken"], first["refreshToken"]);
        } else {
            // With the clock right again it is still over: an attacker gains nothing by moving it.
            server.clock.advance_seconds(-seconds);
            let alice = with_tokens(&alice, &first);
            assert_eq!(refresh(&alice).await.code(), "session_ended");
            alice.get("/api/users/me").await.assert_problem(401, "session_ended");
        }
        // One who asks once is not concerned.
        let bob = server.user("bob").await;
        server.clock.advance_seconds(seconds);
        let bob = with_tokens(&bob, &refresh(&bob).await.assert_ok(200));
        let _ = bob.get("/api/users/me").await.assert_ok(200);
    }
}

/// What is done once is done once, on whichever side of a jump the second try comes.
#[tokio::test]
async fn r20_a_retry_across_a_jump_finds_what_stands() {
    for seconds in [HOUR, -HOUR] {
        let server = TestServer::start().await;
        let [alice, bob] = server.users(["alice", "bob"]).await;
        let chat = alice.direct_with(&bob).await;
        let sent = alice.try_send(&chat, "once", &client_id(1)).await.assert_ok(201);
        let group = make_group(&alice, "one").await.assert_ok(201);
        server.clock.advance_seconds(seconds);
        let alice = with_tokens(&alice, &refresh(&alice).await.assert_ok(200));
        let again = alice.try_send(&chat, "once", &client_id(1)).await;
        assert_eq!((again.status.as_u16(), &again.body), (200, &sent), "{}", again.text);
        alice.try_send(&chat, "other", &client_id(1)).await.assert_problem(422, "client_message_id_reused");
        let found = make_group(&alice, "one").await;
        assert_eq!((found.status.as_u16(), &found.body["id"]), (200, &group["id"]), "{}", found.text);
        make_group(&alice, "another").await.assert_problem(422, "idempotency_key_reused");
        // Ids carry the clock's time; who is newer is said by the log alone.
        let later = alice.group_with("Later", &[&bob]).await;
        let list = alice.get("/api/conversations").await.assert_ok(200);
        assert_eq!(list["conversations"][0]["id"], later.as_str());
    }
}

async fn make_group(person: &Person, title: &str) -> Reply {
    let body = json!({ "kind": "group", "title": title, "userIds": [] }).to_string().into_bytes();
    let headers = [("content-type", "application/json"), ("idempotency-key", "r20")];
    person
        .api
        .request_raw(Method::POST, "/api/conversations", Some(&person.token), Some(body), &headers)
        .await
}

/// A resume over a jump of the clock: forward, the tail in memory has grown old and the store answers; back, the tail
/// goes on. Exact both ways.
#[tokio::test]
async fn r20_a_resume_across_a_jump_is_exact_from_memory_and_from_the_store() {
    for (seconds, reads) in [(HOUR, 1), (-HOUR, 0)] {
        let server = TestServer::start().await;
        let [alice, bob, carol] = server.users(["alice", "bob", "carol"]).await;
        let (chat, other) = (alice.direct_with(&bob).await, alice.direct_with(&carol).await);
        let since = bob.connect().await.drop_connection();
        for n in 0..10 {
            alice.send(&chat, &n.to_string()).await;
        }
        server.clock.advance_seconds(seconds);
        let [alice, bob] = [&alice, &bob].map(Clone::clone);
        let alice = with_tokens(&alice, &refresh(&alice).await.assert_ok(200));
        let bob = with_tokens(&bob, &refresh(&bob).await.assert_ok(200));
        // The tail looks at the time when something comes in.
        alice.send(&other, "elsewhere").await;
        let on_alice = alice.connect().await;
        let before = server.stats();
        let mut device = bob.resume(&since).await;
        for n in 0..10 {
            device.expect_message(&n.to_string()).await;
        }
        assert_eq!(device.expect_ready().await.len(), 1);
        assert_eq!(server.stats().store.reads - before.store.reads, reads, "{seconds} s");
        alice.send(&chat, "live").await;
        device.expect_message("live").await;
        drop(on_alice);
    }
}

fn client_id(n: u64) -> String {
    format!("01890a5d-ac96-774b-bcce-{n:012}")
}
