//! X13: how often a person may do something, whatever device, connection, transport or header they do it by.

use reqwest::Method;
use serde_json::{Value, json};
use tidings_testkit::actors::{Person, Reply};

use crate::harness::TestServer;

fn header(reply: &Reply, name: &str) -> String {
    reply.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
}

async fn send(person: &Person, chat: &str, text: &str) -> Reply {
    person.post(&format!("/api/conversations/{chat}/messages"), json!({ "content": text })).await
}

fn assert_limited(reply: &Reply) -> i64 {
    reply.assert_problem(429, "rate_limited");
    let retry_after_ms = reply.body["retryAfterMs"].as_i64().unwrap();
    let seconds: i64 = header(reply, "retry-after").parse().unwrap();
    assert_eq!(seconds, (retry_after_ms + 999) / 1_000);
    seconds
}

#[tokio::test]
async fn so_many_messages_a_minute_by_whatever_way() {
    let server = TestServer::that_counts(&[("messages_per_minute", 4)]).await;
    let [alice, bob] = server.users(["alice", "bob"]).await;
    let chat = alice.direct_with(&bob).await;
    let phone = alice.login_again("phone").await;
    let first = send(&alice, &chat, "one").await;
    assert_eq!(header(&first, "ratelimit-policy"), "\"messages\";q=4;w=60");
    assert!(header(&first, "ratelimit").starts_with("\"messages\";r=3;t=6"), "{:?}", first.headers);
    let _ = first.assert_ok(201);
    let mut socket = phone.connect().await;
    socket.send(&chat, "two").await;
    let _ = send(&phone, &chat, "three").await.assert_ok(201);
    let mut another = alice.connect().await;
    another.send(&chat, "four").await;

    let seconds = assert_limited(&send(&alice, &chat, "five").await);
    assert!((55..=65).contains(&seconds), "{seconds}");
    let refused =
        phone.connect().await.call("message:send", json!({ "conversationId": chat, "content": "x" })).await;
    assert_eq!((&refused["ok"], &refused["code"]), (&json!(false), &json!("rate_limited")));
    assert!(refused["retryAfterMs"].as_u64().is_some(), "{refused}");
    let forwarded = [("x-forwarded-for", "192.0.2.1"), ("forwarded", "for=192.0.2.1")];
    let path = format!("/api/conversations/{chat}/messages");
    for with in forwarded {
        let (body, token) = (json!({ "content": "x" }).to_string().into_bytes(), Some(alice.token.as_str()));
        let headers = [("content-type", "application/json"), with];
        assert_limited(&alice.api.request_raw(Method::POST, &path, token, Some(body), &headers).await);
    }
    assert_eq!(bob.texts(&chat).await, ["one", "two", "three", "four"], "what was refused was not sent");
    let _ = send(&bob, &chat, "another person").await.assert_ok(201);
    let _ = alice.get("/api/conversations").await.assert_ok(200);
    server.clock.advance_seconds(seconds);
    let _ = send(&alice, &chat, "later").await.assert_ok(201);
}

/// Each limit is that of its own verb.
#[tokio::test]
async fn every_verb_has_its_limit() {
    let limits = ["edits_per_minute", "deletes_per_minute", "reactions_per_minute", "conversations_per_hour"];
    let server = TestServer::that_counts(&limits.map(|name| (name, 1))).await;
    let [alice, bob] = server.users(["alice", "bob"]).await;
    let group = alice.group_with("Band", &[&bob]).await;
    let message = alice.send(&group, "one").await["id"].as_str().unwrap().to_owned();
    let path = format!("/api/messages/{message}");
    let reactions = format!("{path}/reactions");
    let created = alice.post("/api/conversations", json!({ "kind": "self" })).await;
    assert_eq!(header(&created, "ratelimit-policy"), "\"conversations\";q=1;w=3600");
    assert!(assert_limited(&created) > 3_000);
    for (method, path, body, name) in [
        (Method::PATCH, path.clone(), json!({ "content": "two" }), "edits"),
        (Method::POST, reactions.clone(), json!({ "emoji": "👍" }), "reactions"),
        (Method::DELETE, path.clone(), Value::Null, "deletes"),
    ] {
        let first = alice.request(method.clone(), &path, body.clone()).await;
        assert_eq!(header(&first, "ratelimit-policy"), format!("\"{name}\";q=1;w=60"));
        assert_eq!(first.status, 200, "{name}: {}", first.body);
        assert_limited(&alice.request(method, &path, body).await);
    }
    let put = alice.request(Method::PUT, &path, json!({ "content": "three" })).await;
    assert_limited(&put);
    let taken = alice.delete(&format!("{reactions}/%F0%9F%91%8D")).await;
    assert_limited(&taken);
}

/// Whoever has found one token cannot use it up for who wants to end it.
#[tokio::test]
async fn each_session_may_end_the_others_for_itself() {
    let server = TestServer::that_counts(&[("requests_per_minute", 3), ("sessions_per_minute", 2)]).await;
    let thief = server.user("alice").await;
    let owner = thief.login_again("phone").await;
    for path in ["/api/unread", "/api/auth/sessions"] {
        for _ in 0..4 {
            let _ = thief.get(path).await;
        }
        assert_limited(&thief.get(path).await);
    }
    assert_limited(&owner.get("/api/unread").await);
    let listed = owner.get("/api/auth/sessions").await;
    assert_eq!(header(&listed, "ratelimit-policy"), "\"sessions\";q=2;w=60");
    assert_eq!(owner.delete("/api/auth/sessions/all").await.status, 204);
    thief.get("/api/unread").await.assert_problem(401, "session_ended");
}

#[tokio::test]
async fn searches_and_logins_have_theirs() {
    let server = TestServer::that_counts(&[("searches_per_minute", 2), ("logins_per_hour", 2)]).await;
    let alice = server.user("alice").await;
    let first = alice.get("/api/users?q=ali").await;
    assert_eq!(header(&first, "ratelimit-policy"), "\"searches\";q=2;w=60");
    let _ = alice.get("/api/conversations?q=ali").await.assert_ok(200);
    for path in ["/api/users?q=ali", "/api/conversations?q=ali", "/api/conversations?%71=ali"] {
        assert_limited(&alice.get(path).await);
    }
    let _ = alice.get("/api/conversations?archived=false").await.assert_ok(200);
    for _ in 0..2 {
        alice.login_again("phone").await;
    }
    let body = json!({ "login": "alice", "password": "correct horse" });
    assert!(assert_limited(&alice.api.request(Method::POST, "/api/auth/login", None, body).await) > 3_000);
}

#[tokio::test]
async fn everything_else_has_one_limit_together() {
    let server = TestServer::that_counts(&[("requests_per_minute", 5), ("signals_per_minute", 2)]).await;
    let [alice, bob] = server.users(["alice", "bob"]).await;
    let chat = alice.direct_with(&bob).await;
    for path in ["/api/users/me", "/api/unread", "/api/nothing", "/api/conversations"] {
        let _ = alice.get(path).await;
    }
    let mut socket = alice.connect().await;
    let ok = async |socket: &mut tidings_testkit::actors::Device, name, body| {
        socket.call(name, body).await["ok"].clone()
    };
    assert_eq!(ok(&mut socket, "sync", json!({})).await, true);
    assert_eq!(ok(&mut socket, "sync", json!({})).await, true, "what is not there counts for nothing");
    assert_eq!(ok(&mut socket, "sync", json!({})).await, false);
    assert_limited(&alice.get("/api/users/me").await);
    let opened = json!({ "conversationId": chat });
    assert_eq!(ok(&mut socket, "conversation:open", opened.clone()).await, true);
    assert_eq!(ok(&mut socket, "typing:start", opened.clone()).await, true);
    assert_eq!(ok(&mut socket, "typing:start", opened).await, false);
    let _ = alice.api.request(Method::GET, "/api/server", None, Value::Null).await.assert_ok(200);
    let _ = alice.send(&chat, "messages have their own").await;
}

/// From where they have logged in before; a name that is attacked from everywhere has to wait anywhere else, and an
/// address that guesses at every name.
#[tokio::test]
async fn an_owner_is_let_in_while_strangers_attack() {
    let server = TestServer::configured(|config| {
        config.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()];
        config.rate_limits = true;
    })
    .await;
    let post = async |client: &str, path: &str, body: Value| {
        let headers = [("content-type", "application/json"), ("x-forwarded-for", client)];
        server.api.request_raw(Method::POST, path, None, Some(body.to_string().into_bytes()), &headers).await
    };
    let login = async |client: &str, name: &str, password: &str| {
        post(client, "/api/auth/login", json!({ "login": name, "password": password })).await
    };
    const HOME: &str = "192.0.2.1";
    const CAFE: &str = "198.51.100.1";
    const RIGHT: &str = "correct horse";
    for (client, name) in [(HOME, "alice"), (CAFE, "bob")] {
        let body = json!({ "username": name, "password": RIGHT });
        assert_eq!(post(client, "/api/auth/register", body).await.status, 201);
    }
    for n in 0..11 {
        login(&format!("203.0.113.{n}"), "alice", "a guess").await.assert_problem(401, "bad_credentials");
    }
    assert_limited(&login("203.0.113.99", "alice", RIGHT).await);
    assert_limited(&login(CAFE, "alice", RIGHT).await);
    assert_eq!(login(HOME, "alice", RIGHT).await.status, 200);

    for n in 0..31 {
        login(CAFE, &format!("somebody{n}"), "a guess").await.assert_problem(401, "bad_credentials");
    }
    assert_limited(&login(CAFE, "somebody_else", "a guess").await);
    assert_eq!(login(CAFE, "bob", RIGHT).await.status, 200, "he was here before");
}

/// A second after the fourth, then twice as long each time.
#[tokio::test]
async fn who_guesses_passwords_waits() {
    let server = TestServer::that_counts(&[]).await;
    let alice = server.user("alice").await;
    let login = async |name: &str, password: &str| {
        let body = json!({ "login": name, "password": password });
        alice.api.request(Method::POST, "/api/auth/login", None, body).await
    };
    for name in ["alice", "nobody"] {
        for _ in 0..4 {
            login(name, "wrong").await.assert_problem(401, "bad_credentials");
        }
        for seconds in [1, 2, 4, 8] {
            let refused = login(name, "correct horse").await;
            assert_eq!(assert_limited(&refused), seconds, "{name}, also with the right one");
            server.clock.advance_seconds(seconds);
            login(name, "wrong").await.assert_problem(401, "bad_credentials");
        }
    }
    server.clock.advance_seconds(16);
    let _ = login("alice", "correct horse").await.assert_ok(200);
    login("alice", "wrong").await.assert_problem(401, "bad_credentials");
    let _ = login("alice", "correct horse").await.assert_ok(200);

    // Nor by the way that changes the password, with a token that was found.
    let guess = json!({ "currentPassword": "wrong", "newPassword": "a new password" });
    for _ in 0..4 {
        alice.post("/api/auth/password", guess.clone()).await.assert_problem(422, "wrong_password");
    }
    assert_eq!(assert_limited(&alice.post("/api/auth/password", guess).await), 1);
    // Which keeps the owner from nothing, who is there by another one.
    let phone = alice.login_again("phone").await;
    let change = json!({ "currentPassword": "correct horse", "newPassword": "a new password" });
    assert_eq!(phone.post("/api/auth/password", change).await.status, 204);
}
