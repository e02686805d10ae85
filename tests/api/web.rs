//! What browsers need of a server, and what keeps others out: origins, headers, TLS.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use reqwest::Method;
use serde_json::{Value, json};
use tidings_gateway::gateway::Origins;
use tidings_server::certificates;
use tidings_server::config::TlsFiles;
use tidings_testkit::actors::{Api, PATIENCE, Person, Reply};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::rustls::pki_types::CertificateDer;

use crate::harness::{TestServer, Tunnel};

const OURS: &str = "https://app.example";

async fn sharing_with(origins: &[&str]) -> TestServer {
    let origins = origins.iter().map(|text| Origins::parse(text).unwrap()).collect();
    TestServer::configured(|config| config.origins = Origins::These(origins)).await
}

async fn ask(server: &TestServer, method: Method, path: &str, headers: &[(&str, &str)]) -> Reply {
    server.api.request_raw(method, path, None, None, headers).await
}

fn header<'a>(reply: &'a Reply, name: &str) -> &'a str {
    reply.headers.get(name).map_or("", |value| value.to_str().unwrap())
}

#[tokio::test]
async fn a_page_of_a_named_origin_may_ask_and_read_the_answer() {
    let server = sharing_with(&[OURS, "http://localhost:5173"]).await;
    let asked = [
        ("origin", OURS),
        ("access-control-request-method", "PATCH"),
        ("access-control-request-headers", "authorization,content-type,idempotency-key"),
    ];
    let may = ask(&server, Method::OPTIONS, "/api/users/me", &asked).await;
    assert!(may.status.is_success(), "{}", may.text);
    assert_eq!(header(&may, "access-control-allow-origin"), OURS);
    for method in ["PATCH", "PUT", "DELETE"] {
        assert!(header(&may, "access-control-allow-methods").contains(method), "{method}");
    }
    for name in ["authorization", "content-type", "idempotency-key"] {
        assert!(header(&may, "access-control-allow-headers").contains(name), "{name}");
    }
    assert_eq!(header(&may, "access-control-allow-credentials"), "", "no cookie is trusted");
    // Answers of failure too: a client acts on their code.
    let refused = ask(&server, Method::GET, "/api/users/me", &[("origin", "http://localhost:5173")]).await;
    refused.assert_problem(401, "token_missing");
    assert_eq!(header(&refused, "access-control-allow-origin"), "http://localhost:5173");
    assert!(header(&refused, "vary").to_ascii_lowercase().contains("origin"), "for whoever keeps it");
    for name in ["retry-after", "x-request-id", "ratelimit", "idempotent-replayed"] {
        assert!(header(&refused, "access-control-expose-headers").contains(name), "{name}");
    }
}

#[tokio::test]
async fn a_page_of_another_origin_may_not_and_its_socket_is_refused() {
    let server = sharing_with(&[OURS]).await;
    let evil = ("origin", "https://app.example.evil");
    let asked = [evil, ("access-control-request-method", "GET")];
    let may = ask(&server, Method::OPTIONS, "/api/users/me", &asked).await;
    assert_eq!(header(&may, "access-control-allow-origin"), "");
    let answered = ask(&server, Method::GET, "/api/server", &[evil]).await;
    assert_eq!(header(&answered, "access-control-allow-origin"), "", "the browser keeps it from the page");
    let polling = "/socket.io/?EIO=4&transport=polling";
    assert_eq!(ask(&server, Method::GET, polling, &[evil]).await.status, 403);
    let own = server.api.url.clone();
    for origin in [OURS, &own] {
        let opened = ask(&server, Method::GET, polling, &[("origin", origin)]).await;
        assert_eq!(opened.status, 200, "{origin}: {}", opened.text);
    }
}

#[tokio::test]
async fn where_no_origin_is_named_rest_is_for_none_and_a_token_opens_a_socket() {
    let server = TestServer::start().await;
    let asked = [("origin", OURS), ("access-control-request-method", "GET")];
    let may = ask(&server, Method::OPTIONS, "/api/users/me", &asked).await;
    may.assert_problem(405, "method_not_allowed");
    assert_eq!(header(&may, "access-control-allow-origin"), "");
    let polling = "/socket.io/?EIO=4&transport=polling";
    assert_eq!(ask(&server, Method::GET, polling, &[("origin", OURS)]).await.status, 200);
}

#[tokio::test]
async fn every_answer_has_the_headers_that_keep_a_browser_careful() {
    let server = TestServer::start().await;
    for path in ["/", "/docs", "/health", "/api/server", "/api/users/me", "/nowhere", "/socket.io/?EIO=3"] {
        let answer = ask(&server, Method::GET, path, &[]).await;
        assert_eq!(header(&answer, "x-content-type-options"), "nosniff", "{path}");
        assert_eq!(header(&answer, "referrer-policy"), "no-referrer", "{path}");
        let csp = header(&answer, "content-security-policy");
        assert!(
            csp.starts_with("default-src 'none'") && csp.contains("frame-ancestors 'none'"),
            "{path}: {csp}"
        );
        assert_eq!(header(&answer, "strict-transport-security"), "", "{path}: not over TLS");
    }
}

/// Writes a new certificate and its key, and gives the certificate.
fn write_certificate(files: &TlsFiles) -> CertificateDer<'static> {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(&files.certificate, cert.pem()).unwrap();
    std::fs::write(&files.key, signing_key.serialize_pem()).unwrap();
    cert.der().clone()
}

fn files_in(dir: &Path) -> TlsFiles {
    TlsFiles { certificate: dir.join("server.crt"), key: dir.join("server.key") }
}

async fn secure(files: &TlsFiles) -> (TestServer, SocketAddr) {
    let server = TestServer::configured(|config| config.tls = Some(files.clone())).await;
    let address = server.api.url.trim_start_matches("http://").parse().unwrap();
    (server, address)
}

#[tokio::test]
async fn everything_works_by_tls_and_says_that_nothing_else_is_to_be_used() {
    let dir = tempfile::tempdir().unwrap();
    let files = files_in(dir.path());
    let certificate = write_certificate(&files);
    let (_server, address) = secure(&files).await;
    let tunnel = Tunnel::to(address, &[certificate]).await;
    let api = Api::new(&tunnel.url);
    let home = api.request(Method::GET, "/", None, Value::Null).await;
    assert_eq!(header(&home, "strict-transport-security"), "max-age=31536000");
    assert!(home.text.contains("curl -s https://"), "{}", home.text);
    let alice = Person::register(&api, "alice").await;
    let bob = Person::register(&api, "bob").await;
    let chat = alice.direct_with(&bob).await;
    let (mut hers, mut his) = (alice.connect().await, bob.connect().await);
    for n in 0..50 {
        hers.send(&chat, &format!("{n} {}", "x".repeat(8_000))).await;
    }
    for n in 0..50 {
        his.expect_message(&format!("{n} {}", "x".repeat(8_000))).await;
    }
    let since = his.drop_connection();
    hers.send(&chat, "while he was away").await;
    let mut back = bob.resume(&since).await;
    back.expect_message("while he was away").await;
}

/// One that never becomes a WebSocket, and what a stop tells both kinds.
#[tokio::test]
async fn long_polling_and_a_drain_work_by_tls() {
    let dir = tempfile::tempdir().unwrap();
    let files = files_in(dir.path());
    let certificate = write_certificate(&files);
    let (mut server, address) = secure(&files).await;
    let tunnel = Tunnel::to(address, &[certificate]).await;
    let api = Api::new(&tunnel.url);
    let alice = Person::register(&api, "alice").await;
    let mut on_websocket = alice.connect().await;
    let polling = "/socket.io/?EIO=4&transport=polling";
    let opened = api.request(Method::GET, polling, None, Value::Null).await;
    let sid: Value = serde_json::from_str(opened.text.strip_prefix('0').unwrap()).unwrap();
    let session = format!("{polling}&sid={}", sid["sid"].as_str().unwrap());
    let connect = format!("40{}", json!({ "token": alice.token })).into_bytes();
    let said = api.request_raw(Method::POST, &session, None, Some(connect), &[]).await;
    assert_eq!((said.status.as_u16(), said.text.as_str()), (200, "ok"));
    let mut heard = String::new();
    while !heard.contains("42[\"ready\"") {
        heard += &api.request(Method::GET, &session, None, Value::Null).await.text;
    }
    let stop = async {
        // A poll is there before: what comes afterwards finds nobody.
        tokio::time::sleep(Duration::from_millis(300)).await;
        server.restart().await;
    };
    let (last, ()) = tokio::join!(api.request(Method::GET, &session, None, Value::Null), stop);
    assert!(last.text.contains("41") || last.text == "1", "the stop is told: {:?}", last.text);
    on_websocket.expect_end().await;
}

#[tokio::test]
async fn who_speaks_no_tls_is_told_and_who_says_nothing_is_let_go() {
    let dir = tempfile::tempdir().unwrap();
    let files = files_in(dir.path());
    write_certificate(&files);
    let (server, address) = secure(&files).await;
    let told = server.api.request(Method::GET, "/health", None, Value::Null).await;
    assert_eq!((told.status.as_u16(), told.code()), (400, "malformed"), "{}", told.text);
    assert!(told.body["detail"].as_str().unwrap().contains("https://"), "{}", told.text);
    // A record that never ends, and none at all.
    for said in [&[0x16, 3, 1, 2][..], &[]] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(said).await.unwrap();
        let mut answer = Vec::new();
        let ended = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await;
        assert!(ended.is_ok(), "{said:?}: the server lets go after ten seconds");
    }
}

async fn shown(tunnel: &Tunnel) -> Option<CertificateDer<'static>> {
    *tunnel.seen.lock() = None;
    // Its own client, so that no connection is used again.
    let _ = Api::new(&tunnel.url).try_request(Method::GET, "/health", None, None, &[]).await;
    tunnel.seen.lock().clone()
}

#[tokio::test]
async fn a_new_certificate_is_taken_without_a_restart_and_a_broken_one_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let files = files_in(dir.path());
    let first = write_certificate(&files);
    let (_server, address) = secure(&files).await;
    let elsewhere = tempfile::tempdir().unwrap();
    let second = write_certificate(&files_in(elsewhere.path()));
    let tunnel = Tunnel::to(address, &[first.clone(), second.clone()]).await;
    assert_eq!(shown(&tunnel).await, Some(first.clone()));
    let alice = Person::register(&Api::new(&tunnel.url), "alice").await;
    let mut hers = alice.connect().await;
    let chat = alice.post("/api/conversations", json!({ "kind": "self" })).await.assert_ok(201);
    let chat = chat["id"].as_str().unwrap();

    let other = files_in(elsewhere.path());
    // The certificate without its key: they do not fit.
    std::fs::copy(&other.certificate, &files.certificate).unwrap();
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(shown(&tunnel).await, Some(first), "what was right stays");
    std::fs::copy(&other.key, &files.key).unwrap();
    let began = std::time::Instant::now();
    while shown(&tunnel).await.as_ref() != Some(&second) {
        assert!(began.elapsed() < PATIENCE, "the new certificate is not shown");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    hers.send(chat, "over the connection of before").await;
}

#[tokio::test]
async fn what_is_wrong_with_the_files_is_told_at_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let files = files_in(dir.path());
    let said = |files: &TlsFiles| format!("{:#}", certificates::load(files).err().expect("a mistake"));
    assert!(said(&files).contains("server.crt"), "{}", said(&files));
    write_certificate(&files);
    assert!(certificates::load(&files).is_ok());
    let elsewhere = tempfile::tempdir().unwrap();
    let other = files_in(elsewhere.path());
    write_certificate(&other);
    let mixed = TlsFiles { key: other.key.clone(), ..files.clone() };
    assert!(said(&mixed).contains("is not the key of"), "{}", said(&mixed));
    let swapped = TlsFiles { certificate: files.key.clone(), key: files.certificate.clone() };
    assert!(said(&swapped).contains("there is no certificate in"), "{}", said(&swapped));
    std::fs::write(&files.key, "nonsense").unwrap();
    assert!(said(&files).contains("server.key"), "{}", said(&files));
}
