//! The document of the interface, and what everything in it does with those who must not ask and with rubbish.

mod answers;
mod schema;

use std::collections::{BTreeMap, BTreeSet};

use reqwest::Method;
use serde_json::{Value, json};
use tidings_testkit::actors::{Person, Reply};

use crate::harness::TestServer;

/// In everything that Alice has told Bob.
const SECRET: &str = "quince";

/// An operation of the document.
struct Operation {
    method: Method,
    path: String,
    needs_token: bool,
    /// The schema of its body.
    takes: Option<String>,
    /// Parameters behind the path.
    query: Vec<String>,
}

impl Operation {
    /// The path with something in its places.
    fn path_with(&self, value: impl Fn(&str) -> String) -> String {
        let parts = self.path.split('/').map(|part| {
            let name = part.strip_prefix('{').and_then(|part| part.strip_suffix('}'));
            name.map_or_else(|| part.to_owned(), &value)
        });
        parts.collect::<Vec<_>>().join("/")
    }
}

async fn document(server: &TestServer) -> Value {
    server.api.request(Method::GET, "/api/openapi.json", None, Value::Null).await.assert_ok(200)
}

async fn operations(server: &TestServer) -> Vec<Operation> {
    let document = document(server).await;
    let mut found = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let body = &operation["requestBody"]["content"]["application/json"]["schema"]["$ref"];
            let queries = operation["parameters"].as_array().unwrap().iter();
            found.push(Operation {
                method: method.to_uppercase().parse().unwrap(),
                path: path.clone(),
                needs_token: operation.get("security").is_some(),
                takes: body.as_str().and_then(|path| path.rsplit('/').next()).map(str::to_owned),
                query: queries
                    .filter(|one| one["in"] == "query")
                    .map(|one| one["name"].as_str().unwrap().to_owned())
                    .collect(),
            });
        }
    }
    assert!(found.len() > 40, "{} operations", found.len());
    found
}

/// Bodies that are right in themselves, about what is not the stranger's.
fn body_of(shape: Option<&str>, stranger: &Person, alice: &Person) -> Value {
    match shape {
        None => Value::Null,
        Some("RegisterRequest") => json!({ "username": "somebody", "password": Person::PASSWORD }),
        Some("LoginRequest") => json!({ "login": "alice", "password": "a guess", "device": "x" }),
        Some("RefreshRequest") => json!({ "refreshToken": "nonsense" }),
        Some("PasswordRequest") => json!({ "currentPassword": "a guess", "newPassword": "correct horse 2" }),
        Some("UpdateMeRequest") => json!({ "displayName": "Mallory" }),
        Some("CreateConversationRequest") => json!({ "kind": "self" }),
        Some("AddParticipantsRequest") => json!({ "userIds": [stranger.id, alice.id] }),
        Some("UpdateParticipantRequest") => json!({ "role": "admin" }),
        Some("PreferencesRequest") => json!({ "pinned": true }),
        Some("SendMessageRequest" | "EditMessageRequest") => json!({ "content": "I was here" }),
        Some("MarkRequest") => json!({ "seq": 1 }),
        Some("ReactionRequest") => json!({ "emoji": "👍" }),
        Some(shape) => panic!("say what {shape} is"),
    }
}

/// Alice, Bob, and what is theirs: a group, its message, Alice's session.
struct Theirs {
    alice: Person,
    bob: Person,
    group: String,
    message: String,
}

impl Theirs {
    async fn make(server: &TestServer) -> Self {
        Self::make_as(server, "").await
    }

    /// Others, whose names end so.
    async fn make_as(server: &TestServer, end: &str) -> Self {
        let alice = server.user(&format!("alice{end}")).await;
        let bob = server.user(&format!("bob{end}")).await;
        let group = alice.group_with(SECRET, &[&bob]).await;
        let message = alice.send(&group, &format!("a {SECRET}")).await;
        let message = message["id"].as_str().unwrap().to_owned();
        let path = format!("/api/messages/{message}/reactions");
        let _ = bob.post(&path, json!({ "emoji": "👍" })).await.assert_ok(200);
        Self { alice, bob, group, message }
    }

    fn id(&self, path: &str, name: &str) -> String {
        let id = match name {
            "emoji" => "👍",
            "userId" => &self.bob.id,
            "id" if path.starts_with("/api/conversations") => &self.group,
            "id" if path.starts_with("/api/messages") => &self.message,
            "id" if path.starts_with("/api/auth/sessions") => &self.alice.session,
            "id" if path.starts_with("/api/users") => &self.alice.id,
            name => panic!("say what {name} is in {path}"),
        };
        id.to_owned()
    }

    /// Everything that there is to see of it.
    async fn seen(&self) -> Vec<Value> {
        let mut seen = Vec::new();
        for path in [
            format!("/api/conversations/{}", self.group),
            format!("/api/conversations/{}/participants", self.group),
            format!("/api/conversations/{}/messages", self.group),
            format!("/api/messages/{}/edits", self.message),
            "/api/auth/sessions".to_owned(),
            "/api/users/me".to_owned(),
        ] {
            seen.push(self.alice.get(&path).await.assert_ok(200));
        }
        // The moment of the last request is not what anybody has changed.
        seen.iter_mut().for_each(|value| forget(value, "lastSeenAt"));
        seen
    }
}

fn forget(value: &mut Value, name: &str) {
    match value {
        Value::Object(object) => {
            object.remove(name);
            object.values_mut().for_each(|value| forget(value, name));
        }
        Value::Array(values) => values.iter_mut().for_each(|value| forget(value, name)),
        _ => {}
    }
}

#[track_caller]
fn assert_not_a_failure(operation: &Operation, with: &str, reply: &Reply) {
    let Operation { method, path, .. } = operation;
    assert!(!reply.status.is_server_error(), "{method} {path} with {with}: {} {}", reply.status, reply.text);
    if reply.status.is_client_error() {
        assert_eq!(reply.headers["content-type"], "application/problem+json", "{method} {path} with {with}");
        assert!(!reply.code().is_empty(), "{method} {path} with {with}");
    }
}

#[tokio::test]
async fn the_document_is_openapi_and_points_only_to_what_it_has() {
    let server = TestServer::start().await;
    let document = document(&server).await;
    assert_eq!(document["openapi"], "3.1.0");
    let page = server.api.request(Method::GET, "/docs", None, Value::Null).await;
    assert_eq!(page.status, 200);
    for (path, methods) in document["paths"].as_object().unwrap() {
        assert!(page.text.contains(&format!("<code>{path}</code>")), "{path} is not on the page");
        for operation in methods.as_object().unwrap().values() {
            assert!(operation["summary"].is_string(), "{path}");
        }
    }
    let csp = page.headers["content-security-policy"].to_str().unwrap();
    assert!(csp.starts_with("default-src 'none'"), "{csp}");
}

/// Whatever is answered to a known method of a known path is in the document: the router is made of the same list. This
/// asks the paths themselves.
#[tokio::test]
async fn each_path_says_the_methods_of_the_document() {
    let server = TestServer::start().await;
    let mut by_path: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for operation in operations(&server).await {
        by_path.entry(operation.path.clone()).or_default().insert(operation.method.to_string());
    }
    for (path, methods) in by_path {
        let asked = path.replace(['{', '}'], "x");
        let reply = server.api.request(Method::TRACE, &asked, None, Value::Null).await;
        reply.assert_problem(405, "method_not_allowed");
        let allowed = reply.headers["allow"].to_str().unwrap().split(',');
        let allowed: BTreeSet<_> = allowed.map(str::to_owned).filter(|method| method != "HEAD").collect();
        assert_eq!(allowed, methods, "{path}");
    }
}

/// Whoever adds to these has thought about it.
const FOR_ANYBODY: [&str; 12] = [
    "GET /",
    "GET /.well-known/jwks.json",
    "GET /api/openapi.json",
    "GET /api/server",
    "GET /docs",
    "GET /health",
    "GET /health/detailed",
    "GET /health/ready",
    "GET /metrics",
    "POST /api/auth/login",
    "POST /api/auth/refresh",
    "POST /api/auth/register",
];

#[tokio::test]
async fn without_a_token_nothing_that_needs_one_is_done() {
    let server = TestServer::start().await;
    let theirs = Theirs::make(&server).await;
    let before = theirs.seen().await;
    let all = operations(&server).await;
    let mut for_anybody: Vec<_> = all
        .iter()
        .filter(|operation| !operation.needs_token)
        .map(|operation| format!("{} {}", operation.method, operation.path))
        .collect();
    for_anybody.sort_unstable();
    assert_eq!(for_anybody, FOR_ANYBODY);
    for operation in all.iter().filter(|operation| operation.needs_token) {
        let path = operation.path_with(|name| theirs.id(&operation.path, name));
        let body = body_of(operation.takes.as_deref(), &theirs.bob, &theirs.alice);
        for (token, code) in [(None, "token_missing"), (Some("nonsense"), "token_invalid")] {
            let reply = server.api.request(operation.method.clone(), &path, token, body.clone()).await;
            assert_eq!((reply.status.as_u16(), reply.code()), (401, code), "{} {path}", operation.method);
            assert!(!reply.text.contains(SECRET), "{path}: {}", reply.text);
        }
    }
    assert_eq!(theirs.seen().await, before);
}

/// Each operation with a token of somebody who is in nothing of it.
#[tokio::test]
async fn a_stranger_gets_and_changes_nothing_of_others() {
    let server = TestServer::start().await;
    let theirs = Theirs::make(&server).await;
    let mallory = server.user("mallory").await;
    let before = theirs.seen().await;
    // What ends her own session comes last.
    let mut operations = operations(&server).await;
    operations
        .sort_by_key(|operation| operation.path.ends_with("/all") || operation.path.ends_with("/logout"));
    let mut refused = 0;
    for operation in &operations {
        let path = operation.path_with(|name| theirs.id(&operation.path, name));
        let body = body_of(operation.takes.as_deref(), &mallory, &theirs.alice);
        let token = token_for(operation, &mallory).await;
        let reply = server.api.request(operation.method.clone(), &path, token.as_deref(), body).await;
        assert_not_a_failure(operation, "a stranger's token", &reply);
        assert!(!reply.text.contains(SECRET), "{} {path}: {}", operation.method, reply.text);
        if path.contains(&theirs.group)
            || path.contains(&theirs.message)
            || path.contains(&theirs.alice.session)
        {
            reply.assert_problem(404, "not_found");
            refused += 1;
        }
    }
    assert!(refused > 15, "{refused} operations were about something of others");
    for query in ["q=quince", "q=a"] {
        let reply = mallory.login_again("again").await.get(&format!("/api/conversations?{query}")).await;
        assert!(!reply.assert_ok(200).to_string().contains(SECRET), "{query}");
    }
    assert_eq!(theirs.seen().await, before);
}

/// A token that still holds: some operations end the session.
async fn token_for(operation: &Operation, person: &Person) -> Option<String> {
    if operation.needs_token { Some(person.login_again("a device").await.token) } else { None }
}

#[tokio::test]
async fn rubbish_is_refused_by_name_and_never_a_failure() {
    let server = TestServer::start().await;
    let theirs = Theirs::make(&server).await;
    let before = theirs.seen().await;
    let bodies: [&[u8]; 12] = [
        b"",
        b"nonsense",
        b"{",
        b"[]",
        b"null",
        b"1e999",
        b"\"text\"",
        b"{\"\\u0000\":1}",
        b"{\"content\":{},\"seq\":-1,\"emoji\":[],\"userIds\":[[]],\"kind\":7,\"role\":{},\"login\":[]}",
        b"{\"content\":\"\\ud800\"}",
        b"\xff\xfe",
        &[b'['; 4_000],
    ];
    for operation in operations(&server).await {
        let token = token_for(&operation, &theirs.bob).await;
        let of = |path: String, body: Option<Vec<u8>>| {
            let (server, operation, token) = (&server, &operation, token.as_deref());
            async move {
                let headers = [("content-type", "application/json")];
                server.api.request_raw(operation.method.clone(), &path, token, body, &headers).await
            }
        };
        for rubbish in
            ["nonsense", "%00", "%FF", "..%2f..", "01890a5d-ac96-774b-bcce-b302099a8057", &"9".repeat(300)]
        {
            let path = operation.path_with(|_| rubbish.to_owned());
            if path == operation.path {
                break;
            }
            let body = body_of(operation.takes.as_deref(), &theirs.bob, &theirs.alice);
            let body = if body.is_null() { None } else { Some(body.to_string().into_bytes()) };
            let reply = of(path, body).await;
            assert_not_a_failure(&operation, rubbish, &reply);
            assert!(reply.status.is_client_error(), "{} {rubbish}: {}", operation.path, reply.status);
        }
        let path = operation.path_with(|name| theirs.id(&operation.path, name));
        if operation.takes.is_some() {
            for body in bodies {
                let reply = of(path.clone(), Some(body.to_vec())).await;
                let shown = String::from_utf8_lossy(body);
                assert_not_a_failure(&operation, &shown, &reply);
                assert!(reply.status.is_client_error(), "{} {shown}: {}", operation.path, reply.status);
            }
        }
        if operation.method == Method::GET {
            let unknown = of(format!("{path}?surely_unknown=1"), None).await;
            // Browsers, probes and libraries of keys come with what others put behind an address.
            assert!(
                !path.starts_with("/api/") || unknown.status.is_client_error(),
                "{path}: {}",
                unknown.status
            );
            for name in &operation.query {
                for rubbish in ["", "%00", "%FF", "-1", "1e9", "99999999999999999999", &"a%CC%81".repeat(200)]
                {
                    let reply = of(format!("{path}?{name}={rubbish}"), None).await;
                    assert_not_a_failure(&operation, &format!("{name}={rubbish}"), &reply);
                }
            }
        }
    }
    assert_eq!(theirs.seen().await, before);
}

/// The same over the socket: each event of the document, of a stranger, and with rubbish.
#[tokio::test]
async fn each_event_of_a_client_is_known_and_refuses_strangers_and_rubbish() {
    let server = TestServer::start().await;
    let theirs = Theirs::make(&server).await;
    let mallory = server.user("mallory").await;
    let before = theirs.seen().await;
    let document = document(&server).await;
    let events = document["x-events"]["client"].as_object().unwrap();
    assert!(events.len() > 10, "{events:?}");
    let mut hers = mallory.connect().await;
    for name in events.keys() {
        let message = json!(theirs.message);
        let payload = match name.as_str() {
            "message:send" => json!({ "conversationId": theirs.group, "content": "I was here" }),
            "message:edit" => json!({ "messageId": message, "content": "I was here" }),
            "message:delete" => json!({ "messageId": message }),
            "reaction:add" | "reaction:remove" => json!({ "messageId": message, "emoji": "👍" }),
            "messages:read" | "messages:delivered" => json!({ "conversationId": theirs.group, "seq": 1 }),
            "conversation:open" | "typing:start" => json!({ "conversationId": theirs.group }),
            "sync" => json!({ "stream": format!("conversation:{}", theirs.group), "after": 0 }),
            "session:renew" => json!({ "token": theirs.alice.token }),
            // These two end what is there, and say so where there is nothing; the last is about oneself.
            "conversation:close" | "typing:stop" | "presence:set" => Value::Null,
            name => panic!("say what a stranger does with {name}"),
        };
        if !payload.is_null() {
            let ack = hers.call(name, payload).await;
            assert_eq!(ack["ok"], false, "{name}: {ack}");
            assert!(!ack.to_string().contains(SECRET), "{name}: {ack}");
        }
        for rubbish in [json!({ "unknown": 1 }), json!([]), json!("text"), json!(7), Value::Null] {
            let ack = hers.call(name, rubbish.clone()).await;
            assert_eq!(ack["ok"], false, "{name} {rubbish}: {ack}");
            let code = ack["code"].as_str().unwrap();
            assert!(!["internal", "unknown_event"].contains(&code), "{name} {rubbish}: {ack}");
        }
    }
    hers.expect_nothing().await;
    assert_eq!(theirs.seen().await, before);
}
