//! The keys that sign access tokens are changed while the server runs.

use std::process::Command;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::Method;
use serde_json::Value;
use tidings_testkit::actors::{Api, Person};

use super::server_process::{ServerProcess, TIDINGS};

const PATIENCE: Duration = Duration::from_secs(20);

fn kid(token: &str) -> String {
    let header = URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap();
    serde_json::from_slice::<Value>(&header).unwrap()["kid"].as_str().unwrap().to_owned()
}

async fn published(api: &Api) -> Vec<String> {
    let keys = api.request(Method::GET, "/.well-known/jwks.json", None, Value::Null).await.assert_ok(200);
    let keys = keys["keys"].as_array().unwrap().iter();
    keys.map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

async fn until_published(api: &Api, count: usize) -> Vec<String> {
    let begun = Instant::now();
    loop {
        let keys = published(api).await;
        if keys.len() == count {
            return keys;
        }
        assert!(begun.elapsed() < PATIENCE, "{keys:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_new_key_signs_and_a_stolen_one_is_refused_without_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let server = ServerProcess::start(dir.path());
    let api = server.api.clone();
    let alice = Person::register(&api, "alice").await;
    let rotate = |arguments: &[&str]| {
        let mut command = Command::new(TIDINGS);
        let status =
            command.arg("rotate-keys").args(arguments).arg("--data-dir").arg(dir.path()).output().unwrap();
        assert!(status.status.success(), "{status:?}");
    };
    let first = published(&api).await;
    assert_eq!(first, [kid(&alice.token)]);
    rotate(&[]);
    let both = until_published(&api, 2).await;
    assert_eq!(both[1], first[0], "the new one stands first");
    let _ = alice.get("/api/users/me").await.assert_ok(200);
    let refreshed = alice.refresh().await;
    assert_eq!(kid(&refreshed.token), both[0]);

    rotate(&["--discard-old"]);
    let last = until_published(&api, 1).await;
    assert!(!both.contains(&last[0]));
    for stolen in [&alice, &refreshed] {
        stolen.get("/api/users/me").await.assert_problem(401, "token_invalid");
    }
    let again = refreshed.refresh().await;
    assert_eq!(kid(&again.token), last[0]);
    let _ = again.get("/api/users/me").await.assert_ok(200);
    assert!(server.stop());
}
