//! What no client of ours would send: each gets a clear answer, nothing is half done, and the server goes on.

use reqwest::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::TestServer;

const REGISTER: &str = "/api/auth/register";

async fn post_raw(server: &TestServer, body: impl Into<Vec<u8>>) -> tidings_testkit::actors::Reply {
    let headers = [("content-type", "application/json")];
    server.api.request_raw(Method::POST, REGISTER, None, Some(body.into()), &headers).await
}

#[tokio::test]
async fn bodies_that_cannot_be_read() {
    let server = TestServer::start().await;
    let deep = format!("{{\"username\":{}{}}}", "[".repeat(40), "]".repeat(40));
    let very_deep = "[".repeat(100_000);
    for (body, code) in [
        (b"".to_vec(), "malformed"),
        (b"{".to_vec(), "malformed"),
        (b"{\"username\":\"ann\",\"password\":\"correct horse\"} {}".to_vec(), "malformed"),
        (b"null".to_vec(), "wrong_type"),
        (b"[1]".to_vec(), "wrong_type"),
        (b"{\"username\":\"a\xff\"}".to_vec(), "malformed"),
        (deep.into_bytes(), "too_deep"),
        (very_deep.into_bytes(), "too_deep"),
        (b"{\"username\":\"ann\",\"username\":\"ben\",\"password\":\"correct horse\"}".to_vec(), "malformed"),
        (b"{\"username\":\"\\ud800\",\"password\":\"correct horse\"}".to_vec(), "malformed"),
    ] {
        let reply = post_raw(&server, body.clone()).await;
        let shown = String::from_utf8_lossy(&body[..body.len().min(80)]).into_owned();
        assert_eq!(reply.code(), code, "{shown}: {}", reply.text);
        reply.assert_problem(400, code);
    }
    let nul = post_raw(&server, br#"{"username":"ann","password":"correct\u0000horse"}"#.to_vec()).await;
    assert!([400, 422].contains(&nul.status.as_u16()), "{}", nul.text);
    assert_eq!(nul.pointers(), ["/password"]);
}

#[tokio::test]
async fn fields_are_named_by_pointer() {
    let server = TestServer::start().await;
    for (body, code, pointer) in [
        (json!({ "username": "ann" }), "missing_field", "/password"),
        (json!({ "username": 7, "password": "correct horse" }), "wrong_type", "/username"),
        (
            json!({ "username": "ann", "password": "correct horse", "isAdmin": true }),
            "unknown_field",
            "/isAdmin",
        ),
        (json!({ "username": "ann", "password": "correct horse", "id": "x" }), "unknown_field", "/id"),
        (json!({ "username": ["ann"], "password": "correct horse" }), "wrong_type", "/username"),
    ] {
        let reply = post_raw(&server, body.to_string()).await;
        reply.assert_problem(400, code);
        assert_eq!(reply.pointers(), [pointer], "{}", reply.text);
    }
    let alice = server.user("alice").await;
    let body = json!({ "kind": "group", "title": "x", "userIds": [7] });
    let reply = alice.post("/api/conversations", body).await;
    reply.assert_problem(400, "wrong_type");
    assert!(reply.pointers()[0].starts_with("/userIds"), "{}", reply.text);
    for body in [
        json!({ "kind": "room" }),
        json!({ "kind": "group" }),
        json!({}),
        json!({ "kind": "self", "title": "x" }),
    ] {
        let reply = alice.post("/api/conversations", body).await;
        assert!(reply.status.is_client_error(), "{}", reply.text);
        assert_eq!(reply.pointers().len(), 1, "{}", reply.text);
    }
}

#[tokio::test]
async fn bodies_of_the_wrong_type_and_size() {
    let server = TestServer::start().await;
    let json = br#"{"username":"ann","password":"correct horse"}"#.to_vec();
    for headers in
        [&[][..], &[("content-type", "text/plain")], &[("content-type", "application/x-www-form-urlencoded")]]
    {
        let reply = server.api.request_raw(Method::POST, REGISTER, None, Some(json.clone()), headers).await;
        reply.assert_problem(415, "unsupported_media_type");
    }
    let headers = [("content-type", "application/json; charset=utf-8")];
    let reply = server.api.request_raw(Method::POST, REGISTER, None, Some(json), &headers).await;
    assert_eq!(reply.status, 201, "{}", reply.text);
    let large = json!({ "username": "x".repeat(300 * 1024) }).to_string();
    post_raw(&server, large).await.assert_problem(413, "too_large");
}

/// Says something on a bare connection and reads what comes until the server closes or goes quiet.
async fn raw(server: &TestServer, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(server.api.url.trim_start_matches("http://")).await.unwrap();
    let _ = stream.write_all(request).await;
    let mut answer = Vec::new();
    let read = tokio::time::timeout(std::time::Duration::from_secs(3), stream.read_to_end(&mut answer));
    let _ = read.await;
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn a_chunked_body_is_bounded_too() {
    let server = TestServer::start().await;
    let mut request = format!(
        "POST {REGISTER} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
    )
    .into_bytes();
    for _ in 0..400 {
        request.extend(b"400\r\n");
        request.extend([b' '; 1024]);
        request.extend(b"\r\n");
    }
    let answer = raw(&server, &request).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    assert!(answer.contains("too_large"), "{answer}");
}

#[tokio::test]
async fn what_is_not_http_is_refused_and_forgotten() {
    let server = TestServer::start().await;
    let headers = format!("GET / HTTP/1.1\r\nhost: x\r\n{}\r\n", "a: b\r\n".repeat(2000));
    let long = format!("GET /{} HTTP/1.1\r\nhost: x\r\n\r\n", "a".repeat(1 << 20));
    for request in ["\u{16}\u{3}\u{1}rubbish\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &headers, &long] {
        let answer = raw(&server, request.as_bytes()).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
    }
    let alice = server.user("alice").await;
    let _ = alice.get("/api/users/me").await.assert_ok(200);
}

#[tokio::test]
async fn what_a_request_does_not_take_is_refused_and_not_ignored() {
    let server = TestServer::start().await;
    let [alice, bob] = server.users(["alice", "bob"]).await;
    let band = alice.group_with("Band", &[&bob]).await;
    let leave = format!("/api/conversations/{band}/leave");
    let refused = bob.post(&leave, json!({ "silently": true })).await;
    refused.assert_problem(400, "unknown_field");
    assert_eq!(refused.pointers(), ["/silently"]);
    let member = format!("/api/conversations/{band}/participants/{}", bob.id);
    for (method, path) in
        [(Method::POST, &*leave), (Method::DELETE, &*member), (Method::POST, "/api/auth/logout")]
    {
        let reply =
            server.api.request_raw(method, path, Some(&bob.token), Some(b"at once".to_vec()), &[]).await;
        reply.assert_problem(415, "unsupported_media_type");
    }
    let mut device = bob.connect().await;
    let message = json!({ "conversationId": band, "content": "hi" });
    for (id, more) in [(900, json!({})), (901, json!(null))] {
        device.say(format!("42{id}{}", json!(["message:send", message, more]))).await;
        let ack = device.ack(id).await;
        assert_eq!(ack["code"], "malformed", "{ack}");
    }
    assert_eq!(alice.texts(&band).await, [] as [&str; 0]);
    assert_eq!(bob.post(&leave, json!({})).await.status, 204, "an empty object says nothing");
}

#[tokio::test]
async fn queries_and_ids_are_looked_at_like_fields() {
    let server = TestServer::start().await;
    let [alice, bob] = server.users(["alice", "bob"]).await;
    let chat = alice.direct_with(&bob).await;
    let messages = format!("/api/conversations/{chat}/messages");
    let unknown = alice.get(&format!("{messages}?befor=1")).await;
    unknown.assert_problem(400, "unknown_field");
    assert_eq!(unknown.pointers(), ["/befor"]);
    assert_eq!(alice.get(&format!("{messages}?before=1&before=2")).await.status, 400);
    assert_eq!(alice.get(&format!("{messages}?before=%FF")).await.status, 400);
    for id in ["x", "..", "%00", "01890A5D-AC96-774B-BCCE-B302099A8057", &"a".repeat(3000)] {
        let reply = alice.get(&format!("/api/conversations/{id}")).await;
        assert_eq!(reply.status, 404, "{id}: {}", reply.text);
    }
    let long = [("content-type", "application/json"), ("idempotency-key", &*"k".repeat(300))];
    let body = Some(json!({ "kind": "self" }).to_string().into_bytes());
    let reply =
        server.api.request_raw(Method::POST, "/api/conversations", Some(&alice.token), body, &long).await;
    assert!(reply.status.is_client_error(), "{}", reply.text);
    assert_eq!(
        alice.get("/api/conversations").await.assert_ok(200)["conversations"].as_array().unwrap().len(),
        1
    );
}
