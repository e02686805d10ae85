//! A device behind a proxy that lets no WebSocket through, and one that begins by long-polling and moves on.

use std::time::Duration;

use serde_json::{Value, json};
use tidings_testkit::actors::Person;

use crate::harness::TestServer;

/// A session of long-polling.
struct Poller<'a> {
    person: &'a Person,
    url: String,
    http: reqwest::Client,
}

impl<'a> Poller<'a> {
    async fn open(person: &'a Person) -> Self {
        Self::open_since(person, None).await
    }

    async fn open_since(person: &'a Person, since: Option<&str>) -> Self {
        let http = reqwest::Client::new();
        let url = format!("{}/socket.io/?EIO=4&transport=polling", person.api.url);
        let open = http.get(&url).send().await.unwrap().text().await.unwrap();
        let open: Value = serde_json::from_str(open.strip_prefix('0').unwrap()).unwrap();
        let url = format!("{url}&sid={}", open["sid"].as_str().unwrap());
        let poller = Self { person, url, http };
        poller.post(&format!("40{}", json!({ "token": person.token, "since": since }))).await;
        poller
    }

    async fn post(&self, payload: &str) {
        let answer = self.http.post(&self.url).body(payload.to_owned()).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{}", self.person.name);
    }

    /// Packets until one has this in it; gives that one.
    async fn until(&self, part: &str) -> String {
        loop {
            let answer = self.http.get(&self.url).send().await.unwrap();
            assert_eq!(answer.status(), 200);
            assert_eq!(answer.headers()["cache-control"], "no-store");
            let payload = answer.text().await.unwrap();
            if let Some(packet) = payload.split('\u{1e}').find(|packet| packet.contains(part)) {
                return packet.to_owned();
            }
        }
    }
}

#[tokio::test]
async fn a_device_talks_by_long_polling_alone() {
    let server = TestServer::start().await;
    let [alice, bob] = server.users(["alice", "bob"]).await;
    let chat = alice.direct_with(&bob).await;
    let mut on_alice = alice.connect().await;
    let poller = Poller::open(&bob).await;
    poller.until("\"ready\"").await;
    on_alice.send(&chat, "hello").await;
    let packet = poller.until("hello").await;
    assert!(packet.starts_with(r#"42["message:new",{"#), "{packet}");
    let event = json!(["message:send", { "conversationId": chat, "content": "hi there" }]);
    poller.post(&format!("421{event}")).await;
    assert!(poller.until("431[").await.contains(r#""ok":true"#));
    on_alice.expect_message("hello").await;
    on_alice.expect_message("hi there").await;
}

#[tokio::test]
async fn a_session_that_ends_is_told_by_the_next_poll() {
    let server = TestServer::start().await;
    let bob = server.user("bob").await;
    let poller = Poller::open(&bob).await;
    poller.until("\"ready\"").await;
    let _ = bob.post("/api/auth/logout", json!({})).await.assert_ok(204);
    assert!(poller.until("session:expired").await.contains("session_ended"));
    loop {
        let answer = poller.http.get(&poller.url).send().await.unwrap();
        if answer.status() == 400 {
            break;
        }
        let payload = answer.text().await.unwrap();
        assert!(payload.split('\u{1e}').all(|packet| ["41", "1"].contains(&packet)), "{payload}");
    }
}

#[tokio::test]
async fn a_poll_that_waits_is_told_that_the_server_stops_and_what_comes_later_is_caught_up() {
    let mut server = TestServer::start().await;
    let [alice, bob] = server.users(["alice", "bob"]).await;
    let chat = alice.direct_with(&bob).await;
    let poller = Poller::open(&bob).await;
    let ready: Value = serde_json::from_str(&poller.until("\"ready\"").await[2..]).unwrap();
    let since = ready[1]["next"].as_str().unwrap();
    let waiting = tokio::spawn(poller.http.get(&poller.url).send());
    // Until it is there: one that is sent to a server which stops may find nobody.
    tokio::time::sleep(Duration::from_millis(200)).await;
    server.restart_there().await;
    // Not a DISCONNECT: a stock client comes back by itself.
    assert_eq!(waiting.await.unwrap().unwrap().text().await.unwrap(), "1");
    alice.send(&chat, "welcome back").await;
    let poller = Poller::open_since(&bob, Some(since)).await;
    assert!(poller.until("welcome back").await.contains("message:new"));
}

#[tokio::test]
async fn a_stranger_with_a_wrong_token_is_refused_and_hears_nothing() {
    let server = TestServer::start().await;
    let [alice, bob] = server.users(["alice", "bob"]).await;
    let chat = alice.direct_with(&bob).await;
    let stranger = Person { token: "x".to_owned(), ..bob.clone() };
    let poller = Poller::open(&stranger).await;
    assert!(poller.until("44{").await.contains("token_invalid"));
    alice.send(&chat, "not for strangers").await;
    // An event before CONNECT ends the session.
    let event = json!(["sync", {}]);
    let answer = poller.http.post(&poller.url).body(format!("421{event}")).send().await.unwrap();
    assert_eq!(answer.status(), 400);
    assert_eq!(poller.http.get(&poller.url).send().await.unwrap().status(), 400);
}
