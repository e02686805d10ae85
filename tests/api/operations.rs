//! What those who run the server see of it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tidings_gateway::gateway::Origins;
use tidings_testkit::actors::{Api, Connected, Device, Person, Reply};
use tidings_testkit::disk::FaultyDisk;

use crate::harness::TestServer;

/// Every metric there is, by the reference, which a test compares with the code.
const REFERENCE: &str = include_str!("../../docs/reference/metrics.md");

/// Gauges of a moment: what waits for the writer moves in a test of its own; that delivery is behind cannot be held,
/// and is only there.
const OF_A_MOMENT: [&str; 2] = ["tidings_writer_queue_requests", "tidings_tail_lag_events"];

async fn metrics(api: &Api) -> Reply {
    api.request(Method::GET, "/metrics", None, Value::Null).await
}

/// The series and their values.
async fn series(api: &Api) -> BTreeMap<String, f64> {
    let page = metrics(api).await;
    assert_eq!(page.status, 200);
    assert_eq!(page.headers["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    let lines = page.text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let (name, value) = line.rsplit_once(' ').unwrap();
            (name.to_owned(), value.parse().unwrap_or_else(|_| panic!("{line}")))
        })
        .collect()
}

/// The metric of a series.
fn metric_of(series: &str) -> &str {
    let name = series.split('{').next().unwrap();
    ["_bucket", "_sum", "_count"].iter().find_map(|part| name.strip_suffix(part)).unwrap_or(name)
}

/// A session of long-polling that never polls: what is for it waits in the server.
async fn silent_poller(server: &TestServer, token: &str, packets: &[String]) {
    let http = reqwest::Client::new();
    let url = format!("{}/socket.io/?EIO=4&transport=polling", server.api.url);
    let open = http.get(&url).send().await.unwrap().text().await.unwrap();
    let open: Value = serde_json::from_str(open.strip_prefix('0').unwrap()).unwrap();
    let url = format!("{url}&sid={}", open["sid"].as_str().unwrap());
    let connect = format!("40{}", json!({ "token": token }));
    for packet in [&[connect][..], packets].concat() {
        let answer = http.post(&url).body(packet).send().await.unwrap();
        assert_eq!(answer.status(), 200);
    }
}

#[tokio::test]
async fn every_metric_moves_with_what_it_counts() {
    let disk = FaultyDisk::new();
    let changed = [("messages_per_minute", 100), ("edits_per_minute", 1)];
    let server = TestServer::that_counts_on_disk(&changed, &disk).await;
    let before = series(&server.api).await;
    let [alice, bob] = server.users(["alice", "bob"]).await;
    let chat = alice.direct_with(&bob).await;
    let mut hers = alice.connect().await;
    let refused = Device::connect(&server.api.url, json!({ "token": "nonsense" })).await;
    assert!(matches!(refused, Connected::Refused(_)));
    let open = json!({ "conversationId": chat });
    assert_eq!(hers.call("conversation:open", open.clone()).await["ok"], true);
    silent_poller(&server, &bob.token, &[format!("420{}", json!(["conversation:open", open]))]).await;
    let resumed_from = alice.connect().await.drop_connection();
    let message = hers.send(&chat, "hello").await["id"].as_str().unwrap().to_owned();
    assert_eq!(hers.call("typing:start", open.clone()).await["ok"], true);
    for _ in 0..55 {
        alice.send(&chat, &"x".repeat(16 * 1024)).await;
    }
    assert_eq!(hers.call("typing:stop", open).await["ok"], true);
    for text in ["one", "two"] {
        let _ = alice
            .request(Method::PATCH, &format!("/api/messages/{message}"), json!({ "content": text }))
            .await;
    }
    let _ = alice.get(&format!("/api/sync?since={resumed_from}")).await.assert_ok(200);
    let _ = alice.get("/api/sync?since=nonsense").await.assert_ok(200);
    disk.full(true);
    let full = json!({ "content": "no room" });
    alice
        .post(&format!("/api/conversations/{chat}/messages"), full)
        .await
        .assert_problem(507, "storage_full");
    disk.full(false);

    let after = series(&server.api).await;
    let moved: BTreeSet<_> = after
        .iter()
        .filter(|(series, value)| before.get(*series).is_none_or(|before| before != *value) && **value > 0.0)
        .map(|(series, _)| metric_of(series))
        .collect();
    let there: BTreeSet<_> = after.keys().map(|series| metric_of(series)).collect();
    let listed = REFERENCE.lines().filter_map(|line| line.strip_prefix("| `tidings_")?.split('`').next());
    for name in listed.map(|name| format!("tidings_{name}")) {
        assert!(there.contains(name.as_str()), "{name} is not on the page");
        if !OF_A_MOMENT.contains(&name.as_str()) {
            assert!(moved.contains(name.as_str()), "{name} did not move");
        }
    }
    for (series, value) in [
        ("tidings_messages_accepted_total", 56.0),
        ("tidings_connections{transport=\"websocket\"}", 1.0),
        ("tidings_connections{transport=\"polling\"}", 1.0),
        ("tidings_connects_total{result=\"ok\"}", 3.0),
        ("tidings_connects_total{result=\"token_invalid\"}", 1.0),
        ("tidings_disconnects_total{reason=\"transport_closed\"}", 1.0),
        ("tidings_connections_behind", 1.0),
        ("tidings_catch_ups_total{source=\"reset\"}", 1.0),
        ("tidings_rate_limited_total{action=\"edits\"}", 1.0),
        ("tidings_store_errors_total{kind=\"disk_full\"}", 1.0),
        ("tidings_socket_events_total{event=\"typing:start\",result=\"ok\"}", 1.0),
        ("tidings_signals_given_total", 1.0),
        ("tidings_signals_dropped_total", 1.0),
        ("tidings_conversations_open", 1.0),
        (
            "tidings_requests_total{method=\"POST\",route=\"/api/conversations/{id}/messages\",status=\"201\"}",
            55.0,
        ),
        ("tidings_request_seconds_count{method=\"PATCH\",route=\"/api/messages/{id}\"}", 2.0),
        ("tidings_delivery_latency_seconds_count", 0.0),
    ] {
        let found = after.get(series).copied().unwrap_or_else(|| panic!("no {series}"));
        if value > 0.0 {
            assert!((found - value).abs() < 0.5, "{series}: {found}, not {value}");
        } else {
            assert!(found > 50.0, "{series}: {found}");
        }
    }
}

#[tokio::test]
async fn the_state_of_each_part_is_there_for_the_machine_itself() {
    let server = TestServer::start().await;
    let alice = server.user("alice").await;
    let _hers = alice.connect().await;
    let health = server.api.request(Method::GET, "/health/detailed", None, Value::Null).await.assert_ok(200);
    assert_eq!((&health["status"], &health["connections"]), (&json!("ok"), &json!(1)), "{health}");
    for part in ["store", "disk", "delivery"] {
        assert_eq!(health[part]["status"], "ok", "{part}: {health}");
    }
    assert!(health["disk"]["freeBytes"].as_u64() > Some(0));
    assert_eq!(health["store"]["kind"], "sqlite");
}

#[tokio::test]
async fn what_waits_for_a_slow_disk_is_seen() {
    let disk = FaultyDisk::new();
    let server = TestServer::on_disk(&disk).await;
    let [alice, bob] = server.users(["alice", "bob"]).await;
    let chat = alice.direct_with(&bob).await;
    disk.slow_sync(Duration::from_secs(1));
    let sends = async {
        for n in 0..5 {
            let send = |person: &Person, after_ms| {
                let (person, chat, text) = (person.clone(), chat.clone(), n.to_string());
                async move {
                    tokio::time::sleep(Duration::from_millis(after_ms)).await;
                    person.send(&chat, &text).await
                }
            };
            // The second comes while the first is being synced.
            tokio::join!(send(&alice, 0), send(&bob, 300));
        }
    };
    let seen = async {
        loop {
            let health = server.api.request(Method::GET, "/health/detailed", None, Value::Null).await;
            let queued = health.assert_ok(200)["store"]["writerQueue"].as_u64().unwrap();
            if queued > 0 && series(&server.api).await["tidings_writer_queue_requests"] > 0.0 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::select! {
        () = sends => panic!("all of them are sent, and none was seen waiting"),
        () = seen => {}
    }
}

#[tokio::test]
async fn a_page_that_an_operator_looks_at_reads_nothing_of_it() {
    let server = TestServer::configured(|config| config.origins = Origins::Any).await;
    let page = [("origin", "https://any.example")];
    for path in ["/metrics", "/health/detailed"] {
        let asked = server.api.request_raw(Method::GET, path, None, None, &page).await;
        asked.assert_problem(404, "not_found");
        assert_eq!(server.api.request(Method::GET, path, None, Value::Null).await.status, 200);
    }
    let shared = server.api.request_raw(Method::GET, "/api/server", None, None, &page).await;
    assert_eq!(shared.headers["access-control-allow-origin"], "*");
}

/// The proxy stands on the machine itself: without its word everybody would be the machine.
#[tokio::test]
async fn who_comes_through_a_trusted_proxy_is_who_it_says() {
    let server = TestServer::configured(|config| {
        config.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()];
        config.ops_allow = vec!["198.51.100.7/32".parse().unwrap()];
        config.rate_limits = true;
        config.limits.set("registrations_per_hour", 2).unwrap();
    })
    .await;
    let of = |client: &'static str, method: Method, path: &'static str, body: Value| {
        let api = &server.api;
        async move {
            let headers = [("content-type", "application/json"), ("x-forwarded-for", client)];
            let body = (!body.is_null()).then(|| body.to_string().into_bytes());
            api.request_raw(method, path, None, body, &headers).await
        }
    };
    for (client, name, status) in [
        ("192.0.2.1", "alice", 201),
        ("203.0.113.9, 192.0.2.1", "bob", 201),
        ("203.0.113.10, 192.0.2.1", "carol", 429),
        ("192.0.2.2", "dave", 201),
    ] {
        let body = json!({ "username": name, "password": "correct horse" });
        let answered = of(client, Method::POST, "/api/auth/register", body).await;
        assert_eq!(answered.status.as_u16(), status, "{name}: {}", answered.text);
    }
    for (client, status) in [("198.51.100.7", 200), ("192.0.2.1", 404), ("127.0.0.1", 404)] {
        let answered = of(client, Method::GET, "/metrics", Value::Null).await;
        assert_eq!(answered.status.as_u16(), status, "{client}");
    }
}
