//! `/`, `/api/server`, `/health`, `/health/ready`, and what does not exist.

use reqwest::Method;
use serde_json::Value;

use crate::harness::TestServer;

#[tokio::test]
async fn the_server_says_what_it_is_and_what_it_takes() {
    let server = TestServer::start().await;
    let get = |path: &'static str| server.api.request(Method::GET, path, None, Value::Null);
    let about = get("/api/server").await.assert_ok(200);
    assert_eq!(about["version"], env!("CARGO_PKG_VERSION"));
    let limits = tidings_core::limits::Limits::default().list();
    assert_eq!(about["limits"].as_object().unwrap().len(), limits.len());
    for (name, value) in limits {
        assert_eq!(about["limits"][name], value, "{name}");
    }
    assert_eq!(get("/health").await.status, 200);
    assert_eq!(get("/health/ready").await.status, 200);
    let home = get("/").await;
    assert_eq!(home.headers["content-type"], "text/html; charset=utf-8");
    assert!(home.text.contains("/api/server") && home.text.contains("Tidings"));
    assert_eq!(home.headers["x-content-type-options"], "nosniff");
}

#[tokio::test]
async fn paths_and_methods_that_do_not_exist_say_so() {
    let server = TestServer::start().await;
    let request = |method, path: &'static str| server.api.request(method, path, None, Value::Null);
    request(Method::GET, "/api/nothing").await.assert_problem(404, "not_found");
    request(Method::GET, "/api/../etc/passwd").await.assert_problem(404, "not_found");
    let wrong = request(Method::PUT, "/api/auth/login").await;
    wrong.assert_problem(405, "method_not_allowed");
    assert_eq!(wrong.headers["allow"], "POST");
    assert!(wrong.headers.contains_key("x-request-id"));
}
