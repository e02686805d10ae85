//! What a server says of what it does: that a request can be found again, and that no secret is in it.

use std::path::Path;

use reqwest::Method;
use serde_json::{Value, json};
use tidings_testkit::actors::{Api, Connected, Device, Person};

use super::server_process::ServerProcess;

fn start(dir: &Path, log: &Path, environment: &[(&str, &str)]) -> ServerProcess {
    ServerProcess::start_with(([127, 0, 0, 1], 0).into(), dir, environment, Some(log))
}

async fn request_id_of(api: &Api) -> String {
    let answer = api.request(Method::GET, "/api/users/me", None, Value::Null).await;
    answer.assert_problem(401, "token_missing");
    assert_eq!(answer.headers["x-request-id"], answer.body["requestId"].as_str().unwrap());
    answer.body["requestId"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_line_of_the_log_names_the_request_as_its_answer_does() {
    for format in ["text", "json"] {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("log");
        let environment = [("TIDINGS_LOG", "tidings_gateway=debug,info"), ("TIDINGS_LOG_FORMAT", format)];
        let server = start(&dir.path().join("data"), &log, &environment);
        let id = request_id_of(&server.api).await;
        assert!(server.stop());
        let said = std::fs::read_to_string(&log).unwrap();
        let line =
            said.lines().find(|line| line.contains(&id)).unwrap_or_else(|| panic!("{id} is not in {said}"));
        if format == "text" {
            for part in ["DEBUG", "method=GET", "path=\"/api/users/me\"", "status=401", "latency_us="] {
                assert!(line.contains(part), "{part} is not in {line}");
            }
            continue;
        }
        for line in said.lines() {
            let line: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"));
            assert!(line["timestamp"].is_string() && line["level"].is_string(), "{line}");
            assert!(line["message"].is_string() && line["target"].is_string(), "{line}");
        }
        let line: Value = serde_json::from_str(line).unwrap();
        let said = (&line["request.id"], &line["method"], &line["path"], &line["status"]);
        assert_eq!(said, (&json!(id), &json!("GET"), &json!("/api/users/me"), &json!(401)));
    }
}

/// What is secret of an access token.
fn signature(token: &Value) -> &str {
    token.as_str().unwrap().rsplit('.').next().unwrap()
}

/// X16: neither in the log at its loudest, nor in what is refused, nor in the metrics.
#[tokio::test]
async fn no_secret_is_repeated() {
    const PASSWORD: &str = "a password of Alice's";
    const ANOTHER: &str = "another password of Alice's";
    const WRONG: &str = "a guess that might be another's password";
    const TEXT: &str = "what Alice told Bob in confidence";
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("log");
    let server = start(&dir.path().join("data"), &log, &[("TIDINGS_LOG", "trace")]);
    let api = &server.api;
    let mut answers = Vec::new();
    let body = json!({ "username": "alice", "password": PASSWORD });
    let alice = api.request(Method::POST, "/api/auth/register", None, body).await.assert_ok(201);
    let bob = Person::register(api, "bob").await;
    let [token, refresh] =
        ["accessToken", "refreshToken"].map(|name| alice[name].as_str().unwrap().to_owned());
    let chat = json!({ "kind": "direct", "userId": bob.id });
    let chat = api.request(Method::POST, "/api/conversations", Some(&token), chat).await.assert_ok(201);
    let messages = format!("/api/conversations/{}/messages", chat["id"].as_str().unwrap());
    let message = api.request(Method::POST, &messages, Some(&token), json!({ "content": TEXT })).await;
    let path = format!("/api/messages/{}", message.assert_ok(201)["id"].as_str().unwrap());
    let edited = json!({ "content": format!("{TEXT}, and more") });
    let _ = api.request(Method::PATCH, &path, Some(&token), edited).await.assert_ok(200);
    let Connected::Yes(mut device) = Device::connect(&api.url, json!({ "token": token })).await else {
        panic!("Alice is let in")
    };
    let sent = json!({ "conversationId": chat["id"], "content": TEXT });
    assert_eq!(device.call("message:send", sent).await["ok"], true);
    // Everything that makes new secrets, as it should be.
    let post = async |path: &str, token: &str, body: Value| {
        let reply = api.request(Method::POST, path, Some(token), body).await;
        assert!(reply.status.is_success(), "{path}: {}", reply.text);
        reply.body
    };
    let login = json!({ "login": "alice", "password": PASSWORD });
    let phone = post("/api/auth/login", &token, login).await;
    let refreshed = post("/api/auth/refresh", &token, json!({ "refreshToken": phone["refreshToken"] })).await;
    let renewed = post("/api/auth/refresh", &token, json!({ "refreshToken": refresh })).await;
    assert_eq!(device.call("session:renew", json!({ "token": renewed["accessToken"] })).await["ok"], true);
    let change = json!({ "currentPassword": PASSWORD, "newPassword": ANOTHER });
    post("/api/auth/password", &token, change).await;
    let tokens: Vec<&str> = [&phone, &refreshed, &renewed]
        .into_iter()
        .flat_map(|tokens| [signature(&tokens["accessToken"]), tokens["refreshToken"].as_str().unwrap()])
        .collect();
    // The same in wrong places and of wrong types.
    for wrong in [json!([TEXT]), json!({ "conversationId": chat["id"], "content": [TEXT] }), json!(TEXT)] {
        answers.push(device.call("message:send", wrong).await.to_string());
    }
    answers.push(device.call("session:renew", json!({ "token": format!("{token}x") })).await.to_string());
    for auth in
        [json!({ "token": [token] }), json!({ "tokens": token }), json!({ "token": format!("{token}x") })]
    {
        let Connected::Refused(error) = Device::connect(&api.url, auth).await else {
            panic!("that is no token")
        };
        answers.push(error.to_string());
    }
    for (path, body) in [
        ("/api/auth/login", json!({ "login": "alice", "password": WRONG }).to_string()),
        ("/api/auth/login", json!({ "login": "alice", "password": [WRONG] }).to_string()),
        ("/api/auth/login", json!({ "login": "alice", "pasword": WRONG }).to_string()),
        ("/api/auth/login", format!("{{\"login\":\"alice\",\"password\":\"{WRONG}")),
        ("/api/auth/register", json!({ "username": "alice", "password": WRONG }).to_string()),
        ("/api/auth/register", json!({ "username": "Ü", "password": WRONG, "email": 7 }).to_string()),
        ("/api/auth/refresh", json!({ "refreshToken": format!("{refresh}x") }).to_string()),
        ("/api/auth/refresh", json!({ "refreshToken": { "token": refresh } }).to_string()),
        ("/api/auth/refresh", refresh.clone()),
        ("/api/auth/password", json!({ "currentPassword": WRONG, "newPassword": PASSWORD }).to_string()),
        (&messages, json!({ "content": TEXT, "metadata": TEXT }).to_string()),
        (&messages, json!({ "content": { "text": TEXT } }).to_string()),
        (&messages, TEXT.to_owned()),
    ] {
        let headers = [("content-type", "application/json")];
        let reply =
            api.request_raw(Method::POST, path, Some(&token), Some(body.into_bytes()), &headers).await;
        assert!(reply.status.is_client_error(), "{path}: {}", reply.text);
        answers.push(reply.text);
    }
    let mistaken = format!("{token}x");
    answers.push(api.request(Method::GET, "/api/users/me", Some(&mistaken), Value::Null).await.text);
    answers.push(api.request(Method::GET, "/metrics", None, Value::Null).await.text);
    assert!(server.stop());
    let said = std::fs::read_to_string(&log).unwrap();
    for path in ["/api/auth/refresh", "/api/auth/password", "/api/auth/login"] {
        assert!(said.contains(path), "{path} is in the log, which is at its loudest");
    }
    answers.push(said);
    for secret in
        [PASSWORD, ANOTHER, WRONG, TEXT, signature(&alice["accessToken"]), &refresh].iter().chain(&tokens)
    {
        for said in &answers {
            if let Some(at) = said.find(*secret) {
                let begin = said[..at].rfind('\n').map_or(0, |newline| newline + 1);
                let end = said[at..].find('\n').map_or(said.len(), |newline| at + newline);
                panic!("{secret:?} is in {}", &said[begin..end]);
            }
        }
    }
}
