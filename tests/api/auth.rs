//! `/api/auth/*` and `/.well-known/jwks.json`.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tidings_testkit::actors::{Connected, Device, Person};

use crate::harness::TestServer;

#[tokio::test]
async fn somebody_registers_logs_in_elsewhere_and_logs_out() {
    let server = TestServer::start().await;
    let phone = Person::register(&server.api, "Alice").await;
    let me = phone.get("/api/users/me").await.assert_ok(200);
    assert_eq!((&me["username"], &me["displayName"]), (&json!("alice"), &json!("alice")));
    assert_eq!(me["email"], Value::Null);

    let laptop = phone.login_again("laptop").await;
    assert_eq!(laptop.id, phone.id);
    assert_ne!(laptop.session, phone.session);

    assert_eq!(phone.post("/api/auth/logout", Value::Null).await.status, 204);
    phone.get("/api/users/me").await.assert_problem(401, "session_ended");
    let refresh = json!({ "refreshToken": phone.refresh_token });
    let reply = server.api.request(Method::POST, "/api/auth/refresh", None, refresh).await;
    reply.assert_problem(401, "session_ended");
    let _ = laptop.get("/api/users/me").await.assert_ok(200);
}

/// Where they are logged in, as the list says it: whose turn it was last, and which one asks.
async fn sessions(person: &Person) -> Vec<(String, bool)> {
    let list = person.get("/api/auth/sessions").await.assert_ok(200);
    let one = |session: &Value| {
        (session["device"].as_str().unwrap_or("-").to_owned(), session["current"].as_bool().unwrap())
    };
    list["sessions"].as_array().unwrap().iter().map(one).collect()
}

/// The last word, after the events that tell which sessions have ended.
async fn expired(device: &mut Device) -> Value {
    loop {
        let event = device.next_event().await;
        if event.name == "session:expired" {
            return event.body;
        }
        assert_eq!(event.name, "session:ended");
    }
}

#[tokio::test]
async fn somebody_ends_the_session_of_a_phone_that_was_lost() {
    let server = TestServer::start().await;
    let desk = Person::register(&server.api, "alice").await;
    server.clock.advance_seconds(1);
    let phone = desk.login_again("phone").await;
    let mut on_phone = phone.connect().await;
    assert_eq!(sessions(&desk).await, [("phone".to_owned(), false), ("-".to_owned(), true)]);
    let url = format!("/api/auth/sessions/{}", phone.session);
    for _ in ["once", "twice"] {
        assert_eq!(desk.delete(&url).await.status, 204);
    }
    assert_eq!(expired(&mut on_phone).await["code"], "session_ended");
    phone.get("/api/users/me").await.assert_problem(401, "session_ended");
    let refresh = json!({ "refreshToken": phone.refresh_token });
    let reply = server.api.request(Method::POST, "/api/auth/refresh", None, refresh).await;
    reply.assert_problem(401, "session_ended");
    assert_eq!(sessions(&desk).await, [("-".to_owned(), true)]);
}

#[tokio::test]
async fn nobody_ends_or_sees_another_ones_session() {
    let server = TestServer::start().await;
    let [alice, mallory] = server.users(["alice", "mallory"]).await;
    assert_eq!(sessions(&mallory).await.len(), 1);
    let reply = mallory.delete(&format!("/api/auth/sessions/{}", alice.session)).await;
    reply.assert_problem(404, "not_found");
    mallory.delete("/api/auth/sessions/rubbish").await.assert_problem(404, "not_found");
    let _ = alice.get("/api/users/me").await.assert_ok(200);
}

#[tokio::test]
async fn all_sessions_end_the_one_that_asks_as_well() {
    let server = TestServer::start().await;
    let desk = Person::register(&server.api, "alice").await;
    let phone = desk.login_again("phone").await;
    let mut on_phone = phone.connect().await;
    assert_eq!(desk.delete("/api/auth/sessions/all").await.status, 204);
    assert_eq!(expired(&mut on_phone).await["code"], "session_ended");
    for device in [&desk, &phone] {
        device.get("/api/users/me").await.assert_problem(401, "session_ended");
    }
    let again = desk.login_again("again").await;
    assert_eq!(sessions(&again).await, [("again".to_owned(), true)]);
}

#[tokio::test]
async fn a_new_password_ends_the_other_sessions_and_is_the_only_one_from_then_on() {
    let server = TestServer::start().await;
    let desk = Person::register(&server.api, "alice").await;
    let phone = desk.login_again("phone").await;
    let mut on_phone = phone.connect().await;
    let change = |current: &str, new: &str| {
        let body = json!({ "currentPassword": current, "newPassword": new });
        let desk = desk.clone();
        async move { desk.post("/api/auth/password", body).await }
    };
    change("a wrong one", "battery staple").await.assert_problem(422, "wrong_password");
    let short = change(Person::PASSWORD, "short").await;
    short.assert_problem(422, "invalid");
    assert_eq!(short.pointers(), ["/newPassword"]);
    let _ = phone.get("/api/users/me").await.assert_ok(200);
    assert_eq!(change(Person::PASSWORD, "battery staple").await.status, 204);
    assert_eq!(expired(&mut on_phone).await["code"], "session_ended");
    phone.get("/api/users/me").await.assert_problem(401, "session_ended");
    let _ = desk.get("/api/users/me").await.assert_ok(200);
    for (password, status) in [(Person::PASSWORD, 401), ("battery staple", 200)] {
        let body = json!({ "login": "alice", "password": password });
        let reply = server.api.request(Method::POST, "/api/auth/login", None, body).await;
        assert_eq!(reply.status, status, "{password}");
    }
}

#[tokio::test]
async fn one_login_too_many_ends_the_one_that_was_used_longest_ago() {
    let limits = [("user_sessions_max", 2)];
    let server = TestServer::with_limits(&limits).await;
    let first = Person::register(&server.api, "alice").await;
    server.clock.advance_seconds(1);
    let second = first.login_again("second").await;
    server.clock.advance_seconds(1);
    let third = second.login_again("third").await;
    first.get("/api/users/me").await.assert_problem(401, "session_ended");
    assert_eq!(sessions(&third).await, [("third".to_owned(), true), ("second".to_owned(), false)]);
}

#[tokio::test]
async fn a_login_works_by_username_and_by_email_in_any_case() {
    let server = TestServer::start().await;
    let body = json!({ "username": "ann", "password": "correct horse", "email": "Ann@Example.org", "firstName": "Ann" });
    let made = server.api.request(Method::POST, "/api/auth/register", None, body).await.assert_ok(201);
    assert_eq!(made["user"]["email"], "ann@example.org");
    for (login, password, status) in [
        ("ANN", "correct horse", 200),
        ("ann@EXAMPLE.org", "correct horse", 200),
        ("ann", "wrong horse!", 401),
        ("nobody", "correct horse", 401),
    ] {
        let body = json!({ "login": login, "password": password, "device": "phone" });
        let reply = server.api.request(Method::POST, "/api/auth/login", None, body).await;
        assert_eq!(reply.status, status, "{login}: {}", reply.text);
        if status == 401 {
            reply.assert_problem(401, "bad_credentials");
        } else {
            assert_eq!(reply.body["session"]["device"], "phone");
        }
    }
}

/// X6, with `accounts::password`, whose test holds that the hash is computed where there is no account.
#[tokio::test]
async fn a_login_does_not_tell_whether_there_is_an_account() {
    let server = TestServer::start().await;
    let alice = server.user("alice").await;
    let refused = async |name: &str| {
        let body = json!({ "login": name, "password": "a guess" });
        let mut reply = alice.api.request(Method::POST, "/api/auth/login", None, body).await;
        reply.body.as_object_mut().unwrap().remove("requestId");
        let names = reply.headers.keys().map(ToString::to_string).collect::<Vec<_>>();
        (reply.status, reply.body, names)
    };
    let known = refused("alice").await;
    assert_eq!(known.1["code"], "bad_credentials");
    assert_eq!(known, refused("nobody").await);
}

#[tokio::test]
async fn a_registration_is_told_everything_that_is_wrong_at_once() {
    let server = TestServer::start().await;
    let register = |body: Value| {
        let api = server.api.clone();
        async move { api.request(Method::POST, "/api/auth/register", None, body).await }
    };
    let reply = register(json!({ "username": "a!", "password": "short", "email": "x" })).await;
    reply.assert_problem(422, "invalid");
    assert_eq!(reply.pointers(), ["/username", "/password", "/email"]);

    let _ = register(json!({ "username": "ann", "password": "correct horse", "email": "a@b.org" }))
        .await
        .assert_ok(201);
    register(json!({ "username": "Ann", "password": "correct horse" }))
        .await
        .assert_problem(422, "username_taken");
    let other = json!({ "username": "ben", "password": "correct horse", "email": "A@b.org" });
    register(other).await.assert_problem(422, "email_taken");
}

#[tokio::test]
async fn of_two_who_want_a_name_at_once_one_gets_it() {
    let server = TestServer::start().await;
    let body = json!({ "username": "ann", "password": "correct horse" });
    let tries = (0..8).map(|_| server.api.request(Method::POST, "/api/auth/register", None, body.clone()));
    let replies = futures_util::future::join_all(tries).await;
    assert_eq!(replies.iter().filter(|reply| reply.status == 201).count(), 1);
    assert_eq!(replies.iter().filter(|reply| reply.code() == "username_taken").count(), 7);
}

#[tokio::test]
async fn tokens_are_refreshed_and_a_lost_answer_can_be_asked_for_again() {
    let server = TestServer::start().await;
    let alice = server.user("alice").await;
    let refresh = |token: &str| {
        let (api, body) = (server.api.clone(), json!({ "refreshToken": token }));
        async move { api.request(Method::POST, "/api/auth/refresh", None, body).await }
    };
    let first = refresh(&alice.refresh_token).await.assert_ok(200);
    let again = refresh(&alice.refresh_token).await.assert_ok(200);
    assert_eq!(first["refreshToken"], again["refreshToken"], "two tabs, or a lost answer");
    let second = refresh(first["refreshToken"].as_str().unwrap()).await.assert_ok(200);
    assert_ne!(second["refreshToken"], first["refreshToken"]);

    // Whoever comes with the first one now, one of the two has copied it.
    refresh(&alice.refresh_token).await.assert_problem(401, "session_ended");
    refresh(second["refreshToken"].as_str().unwrap()).await.assert_problem(401, "session_ended");
    alice.get("/api/users/me").await.assert_problem(401, "session_ended");
}

/// X4. The owner may also be the one who comes later.
#[tokio::test]
async fn a_token_that_is_used_again_after_half_a_minute_ends_its_session() {
    let server = TestServer::start().await;
    let alice = server.user("alice").await;
    let mut device = alice.connect().await;
    let refresh = async |token: &str| {
        server.api.request(Method::POST, "/api/auth/refresh", None, json!({ "refreshToken": token })).await
    };
    let next = refresh(&alice.refresh_token).await.assert_ok(200);
    server.clock.advance_seconds(31);
    refresh(&alice.refresh_token).await.assert_problem(401, "session_ended");
    assert_eq!(expired(&mut device).await["code"], "session_ended");
    refresh(next["refreshToken"].as_str().unwrap()).await.assert_problem(401, "session_ended");
    alice.get("/api/users/me").await.assert_problem(401, "session_ended");
}

#[tokio::test]
async fn an_expired_token_says_what_to_do() {
    let server = TestServer::start().await;
    let alice = server.user("alice").await;
    server.clock.advance_seconds(601);
    alice.get("/api/users/me").await.assert_problem(401, "token_expired");
    let Connected::Refused(error) = Device::connect(&server.api.url, json!({ "token": alice.token })).await
    else {
        panic!("an expired token was let in");
    };
    assert_eq!(error["data"]["code"], "token_expired");
    server.clock.advance_seconds(31 * 24 * 3600);
    let body = json!({ "refreshToken": alice.refresh_token });
    let reply = server.api.request(Method::POST, "/api/auth/refresh", None, body).await;
    reply.assert_problem(401, "token_expired");
}

#[tokio::test]
async fn what_is_no_access_token_is_refused_everywhere() {
    let server = TestServer::start().await;
    let (alice, elsewhere) = (server.user("alice").await, TestServer::start().await);
    let stranger = elsewhere.user("alice").await;
    let none = server.api.request(Method::GET, "/api/users/me", None, Value::Null).await;
    none.assert_problem(401, "token_missing");
    assert_eq!(none.headers["www-authenticate"], "Bearer");
    let forged = format!("{}x", &alice.token[..alice.token.len() - 1]);
    for token in [alice.refresh_token.as_str(), &stranger.token, &forged, "x", "a.b.c"] {
        let reply = server.api.request(Method::GET, "/api/users/me", Some(token), Value::Null).await;
        reply.assert_problem(401, "token_invalid");
        let Connected::Refused(error) = Device::connect(&server.api.url, json!({ "token": token })).await
        else {
            panic!("{token} was let in");
        };
        assert_eq!(error["data"]["code"], "token_invalid");
    }
    let refresh = json!({ "refreshToken": alice.token });
    let reply = server.api.request(Method::POST, "/api/auth/refresh", None, refresh).await;
    reply.assert_problem(401, "token_invalid");
}

#[tokio::test]
async fn the_key_set_names_the_key_that_signs() {
    let server = TestServer::start().await;
    let alice = server.user("alice").await;
    let keys =
        server.api.request(Method::GET, "/.well-known/jwks.json", None, Value::Null).await.assert_ok(200);
    let header = alice.token.split('.').next().unwrap();
    let header: Value = serde_json::from_slice(&base64url(header)).unwrap();
    assert_eq!(header["alg"], "RS256");
    assert_eq!(keys["keys"][0]["kid"], header["kid"]);
    assert!(keys["keys"][0].get("d").is_none(), "the private half stays here");
}

#[tokio::test]
async fn logging_out_closes_the_sessions_sockets_and_tells_the_other_devices() {
    let server = TestServer::start().await;
    let phone = server.user("alice").await;
    let laptop = phone.login_again("laptop").await;
    let (mut on_phone, mut on_laptop) = (phone.connect().await, laptop.connect().await);
    assert_eq!(phone.post("/api/auth/logout", Value::Null).await.status, 204);
    assert_eq!(on_phone.expect("session:ended").await["sessionId"], phone.session.as_str());
    assert_eq!(on_phone.expect("session:expired").await["code"], "session_ended");
    assert_eq!(on_phone.expect_end().await, "disconnect");
    assert_eq!(on_laptop.expect("session:ended").await["sessionId"], phone.session.as_str());
    on_laptop.expect_nothing().await;
    let Connected::Refused(error) = Device::connect(&server.api.url, json!({ "token": phone.token })).await
    else {
        panic!("an ended session was let in");
    };
    assert_eq!(error["data"]["code"], "session_ended");
}

/// Whoever was let in at the instant at which the session ends is sent away like the others.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connect_that_races_with_logging_out_leaves_no_socket_open() {
    const ROUNDS: usize = 40;
    const DEVICES: u32 = 10;
    let server = TestServer::start().await;
    let alice = server.user("alice").await;
    // Between one connect and the next: it finds by itself how long a logout takes on a busy machine.
    let mut apart = Duration::from_micros(100);
    let (mut raced, mut let_in) = (0, 0);
    for _ in 0..ROUNDS {
        let phone = alice.login_again("phone").await;
        let connects = (0..DEVICES).map(|n| {
            let phone = phone.clone();
            tokio::spawn(async move {
                tokio::time::sleep(apart * n).await;
                Device::connect(&phone.api.url, json!({ "token": phone.token })).await
            })
        });
        let connects: Vec<_> = connects.collect();
        assert_eq!(phone.post("/api/auth/logout", Value::Null).await.status, 204);
        let before = let_in;
        for connect in connects {
            if let Connected::Yes(mut device) = connect.await.unwrap() {
                let_in += 1;
                assert_eq!(device.expect_end().await, "disconnect");
            }
        }
        match let_in - before {
            DEVICES => apart *= 2,
            0 => apart /= 2,
            _ => raced += 1,
        }
    }
    assert!(raced > 0, "{let_in} were let in: nothing raced");
}

fn base64url(text: &str) -> Vec<u8> {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(text).expect("base64url")
}
