//! Whether what succeeds is answered as the document says.

use reqwest::Method;
use serde_json::{Value, json};
use tidings_testkit::actors::{Person, Reply};

use super::schema::mismatches;
use super::{Operation, Theirs, document, operations};
use crate::harness::TestServer;

/// A request that succeeds.
struct Asked<'a> {
    by: &'a Person,
    path: String,
    body: Value,
}

/// What is right for an operation: Alice owns the group and has written, Bob is in it.
async fn right<'a>(operation: &Operation, theirs: &'a Theirs) -> Asked<'a> {
    let Theirs { alice, bob, .. } = theirs;
    let path = operation.path_with(|name| theirs.id(&operation.path, name));
    let by = match operation.path.rsplit('/').next() {
        Some("leave" | "read" | "delivered" | "unread") => bob,
        _ => alice,
    };
    let body = match operation.takes.as_deref() {
        None => Value::Null,
        Some("RegisterRequest") => {
            json!({ "username": format!("carol-{}", alice.name), "password": Person::PASSWORD })
        }
        Some("LoginRequest") => json!({ "login": alice.name, "password": Person::PASSWORD }),
        Some("RefreshRequest") => json!({ "refreshToken": alice.refresh_token }),
        Some("PasswordRequest") => {
            json!({ "currentPassword": Person::PASSWORD, "newPassword": "battery staple" })
        }
        Some("UpdateMeRequest") => json!({ "displayName": "Alice L.", "settings": { "typing": false } }),
        Some("CreateConversationRequest") => json!({ "kind": "self" }),
        Some("AddParticipantsRequest") => json!({ "userIds": [bob.id] }),
        Some("UpdateParticipantRequest") => json!({ "role": "admin" }),
        Some("PreferencesRequest") => json!({ "pinned": true }),
        Some("SendMessageRequest") => {
            json!({ "content": "hello", "clientMessageId": "01890a5d-ac96-774b-bcce-b302099a8057" })
        }
        Some("EditMessageRequest") => json!({ "content": "as it should have been", "version": 1 }),
        Some("MarkRequest") => json!({ "seq": 1 }),
        Some("ReactionRequest") => json!({ "emoji": "🎉" }),
        Some(shape) => panic!("say what {shape} is"),
    };
    let query = match operation.path.as_str() {
        "/api/users" => "?q=ali".to_owned(),
        "/api/sync" => format!("?since={}", since_before_much(theirs).await),
        _ => String::new(),
    };
    Asked { by, path: format!("{path}{query}"), body }
}

/// A token, and after it events of many kinds.
async fn since_before_much(theirs: &Theirs) -> String {
    let Theirs { alice, bob, group, message } = theirs;
    let since = alice.connect().await.drop_connection();
    let path = format!("/api/messages/{message}");
    let _ = alice.request(Method::PATCH, &path, json!({ "content": "edited" })).await.assert_ok(200);
    let emoji = json!({ "emoji": "🎉" });
    let _ = bob.post(&format!("{path}/reactions"), emoji).await.assert_ok(200);
    let gone = alice.send(group, "not for long").await["id"].as_str().unwrap().to_owned();
    let _ = alice.delete(&format!("/api/messages/{gone}")).await.assert_ok(200);
    let _ = bob.post(&format!("/api/conversations/{group}/read"), json!({ "seq": 2 })).await.assert_ok(200);
    let name = json!({ "displayName": "Alice L." });
    let _ = alice.request(Method::PATCH, "/api/users/me", name).await.assert_ok(200);
    let pinned = json!({ "pinned": true });
    let path = format!("/api/conversations/{group}/preferences");
    let _ = alice.request(Method::PUT, &path, pinned).await.assert_ok(200);
    let path = format!("/api/conversations/{group}/participants/{}", bob.id);
    let _ = alice.request(Method::PATCH, &path, json!({ "role": "admin" })).await.assert_ok(200);
    alice.direct_with(bob).await;
    let _ = alice.remove(group, bob).await.assert_ok(204);
    since
}

#[track_caller]
fn assert_as_documented(document: &Value, operation: &Operation, reply: &Reply) {
    let (method, path) = (&operation.method, &operation.path);
    let described = &document["paths"][path][method.as_str().to_lowercase()]["responses"];
    let success = &described[reply.status.as_str()];
    assert!(success.is_object(), "{method} {path}: {} is not in the document: {}", reply.status, reply.text);
    let Some((media, body)) = success["content"].as_object().and_then(|content| content.iter().next()) else {
        assert_eq!(reply.text, "", "{method} {path} has no body in the document");
        return;
    };
    let given = reply.headers["content-type"].to_str().unwrap();
    assert!(given.starts_with(media), "{method} {path}: {given}");
    if body["schema"].is_object() {
        let wrong = mismatches(document, &body["schema"], &reply.body);
        assert!(wrong.is_empty(), "{method} {path}: {wrong:#?}\n{}", reply.text);
    }
}

#[tokio::test]
async fn every_success_is_as_the_document_has_it() {
    let server = TestServer::start().await;
    let document = document(&server).await;
    let mut seen = 0;
    for (n, operation) in operations(&server).await.iter().enumerate() {
        let theirs = Theirs::make_as(&server, &n.to_string()).await;
        let Asked { by, path, body } = right(operation, &theirs).await;
        let reply = by.request(operation.method.clone(), &path, body.clone()).await;
        assert_as_documented(&document, operation, &reply);
        seen += 1;
        if operation.path == "/api/sync" {
            assert!(reply.body["events"].as_array().unwrap().len() >= 8, "{}", reply.text);
        }
        let may_be_200 =
            document["paths"][&operation.path][operation.method.as_str().to_lowercase()]["responses"]
                .get("200")
                .is_some();
        if reply.status == 201 && may_be_200 {
            let again = by.request(operation.method.clone(), &path, body).await;
            assert_eq!(again.status, 200, "{path}: {}", again.text);
            assert_eq!(again.headers["idempotent-replayed"], "true", "{path}");
            assert_as_documented(&document, operation, &again);
        }
    }
    assert!(seen > 40);
}

/// Problems too, those with and those without fields.
#[tokio::test]
async fn a_refusal_is_as_the_document_has_it() {
    let server = TestServer::start().await;
    let document = document(&server).await;
    let alice = server.user("alice").await;
    let problem = json!({ "$ref": "#/components/schemas/Problem" });
    for (path, body) in [
        ("/api/conversations", json!({ "kind": "group", "title": "", "userIds": [1] })),
        ("/api/conversations", json!({ "kind": "direct", "userId": "nobody" })),
        ("/api/nowhere", Value::Null),
    ] {
        let refused = alice.post(path, body).await;
        assert!(refused.status.is_client_error(), "{path}");
        assert_eq!(mismatches(&document, &problem, &refused.body), Vec::<String>::new(), "{}", refused.text);
    }
}

#[test]
fn a_mismatch_is_found() {
    let document = json!({ "components": { "schemas": {
        "Inner": { "type": "object", "required": ["n"], "properties": { "n": { "type": "integer" } } },
        "Outer": { "allOf": [
            { "$ref": "#/components/schemas/Inner" },
            { "type": "object", "properties": { "list": { "type": "array", "items": {
                "anyOf": [{ "type": "null" }, { "$ref": "#/components/schemas/Inner" }],
            } } } },
        ] },
    } } });
    let outer = json!({ "$ref": "#/components/schemas/Outer" });
    let wrong = |value: &Value| mismatches(&document, &outer, value).len();
    assert_eq!(wrong(&json!({ "n": 1, "list": [null, { "n": 2 }] })), 0);
    for value in [
        json!({}),
        json!({ "n": "1" }),
        json!({ "n": 1, "other": 1 }),
        json!({ "n": 1, "list": {} }),
        json!({ "n": 1, "list": [{ "n": null }] }),
        json!({ "n": 1, "list": [{ "n": 1, "other": 1 }] }),
        json!(7),
    ] {
        assert!(wrong(&value) > 0, "{value}");
    }
}
