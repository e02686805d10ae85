//! `/api/users/*`.

use serde_json::Value;

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
