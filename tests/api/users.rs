//! `/api/users/*`.

use reqwest::Method;
use serde_json::{Value, json};
use tidings_testkit::actors::{Person, Reply};

use crate::harness::TestServer;

#[tokio::test]
async fn others_see_a_name_and_not_an_address() {
    let server = TestServer::start().await;
    let [alice, bob] = server.users(["alice", "bob"]).await;
    let seen = alice.get(&format!("/api/users/{}", bob.id)).await.assert_ok(200);
    assert_eq!(seen["username"], "bob");
    for private in ["email", "externalId", "settings", "passwordHash"] {
        assert_eq!(seen.get(private), None, "{private}");
    }
    let own = alice.get("/api/users/me").await.assert_ok(200);
    assert_eq!(own["id"], alice.id.as_str());
    assert!(own.get("email").is_some_and(Value::is_null));
}

#[tokio::test]
async fn nobody_and_nonsense_are_not_found_alike() {
    let server = TestServer::start().await;
    let alice = server.user("alice").await;
    let nobody = alice.get("/api/users/01890a5d-ac96-774b-bcce-b302099a8057").await;
    let nonsense = alice.get("/api/users/me2").await;
    nobody.assert_problem(404, "not_found");
    nonsense.assert_problem(404, "not_found");
    assert_eq!(nobody.body["detail"], nonsense.body["detail"]);
}

async fn change(person: &Person, body: Value) -> Reply {
    person.request(Method::PATCH, "/api/users/me", body).await
}

#[tokio::test]
async fn one_changes_ones_own_account_and_ones_other_devices_hear_of_it() {
    let server = TestServer::start().await;
    let [alice, bob] = server.users(["alice", "bob"]).await;
    let chat = alice.direct_with(&bob).await;
    let mut tablet = alice.connect().await;
    let body = json!({
        "displayName": "Alice L.", "firstName": "Alice", "avatarUrl": "https://example.org/alice.png",
        "settings": { "readReceipts": false },
    });
    let me = change(&alice, body.clone()).await.assert_ok(200);
    for (field, value) in
        [("displayName", "Alice L."), ("firstName", "Alice"), ("avatarUrl", "https://example.org/alice.png")]
    {
        assert_eq!(me[field], value, "{field}");
    }
    assert_eq!(me["settings"], json!({ "readReceipts": false, "typing": true, "presence": true }));
    assert_eq!(alice.get("/api/users/me").await.assert_ok(200), me);
    assert_eq!(change(&alice, body).await.assert_ok(200), me, "twice is once");
    let frame = tablet.expect("user:updated").await;
    assert_eq!((&frame["displayName"], &frame["settings"]), (&me["displayName"], &me["settings"]));
    tablet.expect_nothing().await;
    let seen = bob.get(&format!("/api/conversations/{chat}")).await.assert_ok(200);
    let hers = seen["participants"].as_array().unwrap().iter().find(|one| one["userId"] == alice.id.as_str());
    assert_eq!(hers.unwrap()["user"]["displayName"], "Alice L.");
    assert!(!seen.to_string().contains("readReceipts"), "that is hers alone");

    let body = json!({ "firstName": "", "avatarUrl": "" });
    let me = change(&alice, body).await.assert_ok(200);
    assert_eq!(
        (&me["firstName"], &me["avatarUrl"], &me["displayName"]),
        (&Value::Null, &Value::Null, &json!("Alice L."))
    );
}

/// Others see nothing of it; one's own devices and numbers are as with everybody.
#[tokio::test]
async fn one_who_hides_how_far_they_have_read_is_not_seen_reading() {
    let server = TestServer::start().await;
    let [alice, bob] = server.users(["alice", "bob"]).await;
    let chat = alice.direct_with(&bob).await;
    alice.send(&chat, "have you seen this?").await;
    let _ = change(&bob, json!({ "settings": { "readReceipts": false } })).await.assert_ok(200);
    let (mut hers, mut his) = (alice.connect().await, bob.connect().await);
    let path = format!("/api/conversations/{chat}/read");
    let read = bob.post(&path, json!({ "seq": 1 })).await.assert_ok(200);
    assert_eq!(read, json!({ "readSeq": 1, "unread": 0 }));
    assert_eq!(his.expect("messages:read").await["stream"], format!("user:{}", bob.id));
    hers.expect_nothing().await;
    let seen = alice.get(&format!("/api/conversations/{chat}")).await.assert_ok(200);
    let of_bob = seen["participants"].as_array().unwrap().iter().find(|one| one["userId"] == bob.id.as_str());
    assert_eq!((&of_bob.unwrap()["readSeq"], &of_bob.unwrap()["deliveredSeq"]), (&json!(0), &json!(0)));
}

#[tokio::test]
async fn an_account_takes_what_is_right_and_names_all_that_is_not() {
    let server = TestServer::start().await;
    let alice = server.user("alice").await;
    let body =
        json!({ "displayName": " ", "firstName": "x".repeat(101), "avatarUrl": "javascript:alert(1)" });
    let refused = change(&alice, body).await;
    refused.assert_problem(422, "invalid");
    assert_eq!(refused.pointers(), ["/firstName", "/displayName", "/avatarUrl"]);
    for (body, code, pointer) in [
        (json!({ "username": "bob" }), "unknown_field", "/username"),
        (json!({ "settings": { "colour": "red" } }), "unknown_field", "/settings/colour"),
        (json!({ "settings": { "readReceipts": "no" } }), "wrong_type", "/settings/readReceipts"),
    ] {
        let refused = change(&alice, body).await;
        refused.assert_problem(400, code);
        assert_eq!(refused.pointers(), [pointer]);
    }
    let same = change(&alice, json!({})).await.assert_ok(200);
    assert_eq!(same["displayName"], "alice", "nothing was asked");
}

#[tokio::test]
async fn people_are_found_by_the_beginnings_of_their_names() {
    let server = TestServer::start().await;
    let [alice, alicia, bob] = server.users(["alice", "alicia", "bob"]).await;
    server.user("_._").await;
    let name = json!({ "displayName": "Robert Alistair", "settings": { "presence": false } });
    let _ = change(&bob, name).await.assert_ok(200);
    let found = async |q: &str| -> Vec<String> {
        let list = alicia.get(&format!("/api/users?q={q}")).await.assert_ok(200);
        list["users"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["username"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(found("ali").await, ["alice", "alicia", "bob"]);
    assert_eq!(found("ALICIA").await, ["alicia"]);
    assert_eq!(found("rob%20ali").await, ["bob"]);
    assert_eq!(found("bob").await, ["bob"]);
    assert_eq!(found("nobody").await, [""; 0]);
    assert_eq!(found("_.").await, ["_._"], "a name without words");
    assert_eq!(found("%21").await, [""; 0]);
    assert_eq!(found("ali&limit=1").await, ["alice"]);
    let list = alice.get("/api/users?q=bob").await.assert_ok(200);
    assert_eq!(
        list["users"][0],
        alice.get(&format!("/api/users/{}", bob.id)).await.assert_ok(200),
        "as others see him"
    );
    alice.get("/api/users").await.assert_problem(400, "missing_field");
    for query in ["?q=", "?q=%20", "?q=a&limit=0", "?q=a&limit=51", &format!("?q={}", "x".repeat(101))] {
        alice.get(&format!("/api/users{query}")).await.assert_problem(422, "invalid");
    }
    alice
        .api
        .request(Method::GET, "/api/users?q=a", None, Value::Null)
        .await
        .assert_problem(401, "token_missing");
}
