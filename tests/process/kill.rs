//! kill -9 under load: what was acknowledged stands once, in order, and is shown once, in order.

use std::collections::HashMap;
use std::time::Duration;

use serde_json::{Value, json};
use tidings_testkit::actors::{Person, Reply};
use uuid::Uuid;

use super::server_process::ServerProcess;

const ROUNDS: u64 = 10;
const SENDERS: usize = 6;

/// What one sender did in one round: client id and text, and the message if it was acknowledged.
type Tries = Vec<(String, String, Option<Value>)>;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_or_doubled_by_ten_kills_under_load() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = ServerProcess::start(dir.path());
    let (alice, bob) =
        tokio::join!(Person::register(&server.api, "alice"), Person::register(&server.api, "bob"));
    let chat = alice.direct_with(&bob).await;
    let mut token = bob.get("/api/sync").await.assert_ok(200)["next"].as_str().unwrap().to_owned();
    let (mut tries, mut shown) = (Tries::new(), Vec::new());
    for round in 0..ROUNDS {
        let at = |person: &Person| Person { api: server.api.clone(), ..person.clone() };
        let senders: Vec<_> = (0..SENDERS)
            .map(|n| {
                tokio::spawn(send_until_it_dies(
                    at([&alice, &bob][n % 2]),
                    chat.clone(),
                    format!("{round}.{n}"),
                ))
            })
            .collect();
        // Another instant in each round; the load goes on all the while.
        tokio::time::sleep(Duration::from_millis(60 + 37 * round)).await;
        server.kill();
        for sender in senders {
            tries.extend(sender.await.unwrap());
        }
        server = ServerProcess::start(dir.path());
        let bob = Person { api: server.api.clone(), ..bob.clone() };
        token = catch_up(&bob, &token, &mut shown).await;
    }
    let (alice, bob) = [&alice, &bob].map(|p| Person { api: server.api.clone(), ..p.clone() }).into();
    // Who got no answer tries again with the same id: it stands once, whether it stood before or not.
    for (client_id, text, message) in &mut tries {
        if message.is_none() {
            let sender = [&alice, &bob][usize::from(text.ends_with(['1', '3', '5']))];
            let reply = sender.try_send(&chat, text, client_id).await;
            assert!(reply.status.is_success(), "{}", reply.text);
            *message = Some(reply.body);
        }
    }
    catch_up(&bob, &token, &mut shown).await;
    let stored = all_messages(&bob, &chat).await;

    let seqs: Vec<_> = stored.iter().map(|message| message["seq"].as_u64().unwrap()).collect();
    assert_eq!(seqs, (1..=stored.len() as u64).collect::<Vec<_>>(), "dense");
    let by_client_id: HashMap<_, _> =
        stored.iter().map(|message| (&message["clientMessageId"], message)).collect();
    assert_eq!(by_client_id.len(), stored.len(), "none twice");
    assert_eq!(stored.len(), tries.len(), "all there, and nothing else");
    for (client_id, _, message) in &tries {
        assert_eq!(by_client_id.get(&json!(client_id)).copied(), message.as_ref(), "as it was acknowledged");
    }
    let stored_ids: Vec<_> = stored.iter().map(|message| message["id"].clone()).collect();
    assert_eq!(shown, stored_ids, "shown once and in that order");
    println!("kill -9: {ROUNDS} rounds, {} acknowledged, 0 lost, 0 doubled, 0 reordered", stored.len());
    assert!(server.stop(), "it still ends in order");
}

async fn send_until_it_dies(sender: Person, chat: String, name: String) -> Tries {
    let mut tries = Tries::new();
    loop {
        let (client_id, text) = (new_id(), format!("{}-{name}", tries.len()));
        let body = json!({ "content": text, "clientMessageId": client_id }).to_string().into_bytes();
        let path = format!("/api/conversations/{chat}/messages");
        let headers = [("content-type", "application/json")];
        let reply: Option<Reply> = sender
            .api
            .try_request(reqwest::Method::POST, &path, Some(&sender.token), Some(body), &headers)
            .await
            .ok();
        let done = reply.is_none();
        tries.push((client_id, text, reply.map(|reply| reply.assert_ok(201))));
        if done {
            return tries;
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a test stands for a client, which has its own clock")]
fn new_id() -> String {
    Uuid::now_v7().to_string()
}

/// Takes what came since the token, as a device would; gives the next token.
async fn catch_up(bob: &Person, token: &str, shown: &mut Vec<Value>) -> String {
    let mut next = token.to_owned();
    loop {
        let page = bob.get(&format!("/api/sync?since={next}")).await.assert_ok(200);
        assert_eq!(page["reset"], Value::Null);
        if let Some(skipped) = page["skipped"].as_array().and_then(|skipped| skipped.first()) {
            // More than a replay holds: the window from where the device stands.
            let chat = skipped["stream"].as_str().unwrap().trim_start_matches("conversation:").to_owned();
            let last_seq = skipped["lastSeq"].as_u64().unwrap();
            while (shown.len() as u64) < last_seq {
                let window = bob.history(&chat, &format!("?after={}&limit=200", shown.len())).await;
                shown.extend(
                    window["messages"].as_array().unwrap().iter().map(|message| message["id"].clone()),
                );
            }
        }
        let events = page["events"].as_array().unwrap();
        shown.extend(
            events.iter().filter(|event| event["event"] == "message:new").map(|event| event["id"].clone()),
        );
        next = page["next"].as_str().unwrap().to_owned();
        if page["hasMore"] == false {
            return next;
        }
    }
}

async fn all_messages(bob: &Person, chat: &str) -> Vec<Value> {
    let mut messages: Vec<Value> = Vec::new();
    loop {
        let page = bob.history(chat, &format!("?after={}&limit=200", messages.len())).await;
        messages.extend(page["messages"].as_array().unwrap().iter().cloned());
        if page["hasMoreAfter"] == false {
            return messages;
        }
    }
}
