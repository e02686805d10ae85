//! People edit, delete, react and read while the server is killed. Each does their own again until it is answered; what
//! was answered stands, once, and somebody who follows the streams through all of it sees the same.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use fastrand::Rng;
use reqwest::Method;
use serde_json::{Value, json};
use tidings_testkit::actors::{Api, Person};
use tidings_testkit::scale::scale;

use super::victim::{Victim, sleep_ms};

const PEOPLE: usize = 6;
/// Everything is replayed, however much came between two looks.
const ALL_OF_A_STREAM: [(&str, &str); 1] = [("TIDINGS_LIMITS_SYNC_STREAM_EVENTS_MAX", "10000")];

/// Asks until there is an answer that says yes or no.
async fn answered(person: &Person, method: &Method, path: &str, body: &Value) -> Value {
    loop {
        let headers = [("content-type", "application/json")];
        let bytes = (!body.is_null()).then(|| body.to_string().into_bytes());
        let token = Some(person.token.as_str());
        match person.api.try_request(method.clone(), path, token, bytes, &headers).await {
            Ok(reply) if reply.status.is_server_error() => {}
            Ok(reply) => return reply.body,
            Err(_) => {}
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// What is to be seen of a message.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Seen {
    content: String,
    version: u64,
    is_deleted: bool,
    reactions: BTreeMap<String, u64>,
}

impl Seen {
    fn of(message: &Value) -> Self {
        if message["deletedAt"].is_string() {
            return Self::deleted();
        }
        Self {
            content: message["content"].as_str().unwrap().to_owned(),
            version: message["version"].as_u64().unwrap(),
            is_deleted: false,
            reactions: counts(&message["reactions"]),
        }
    }

    /// An edit before it may be folded away, so its version is nobody's concern any more.
    fn deleted() -> Self {
        Self { is_deleted: true, ..Self::default() }
    }
}

fn counts(reactions: &Value) -> BTreeMap<String, u64> {
    let count = |one: &Value| (one["emoji"].as_str().unwrap().to_owned(), one["count"].as_u64().unwrap());
    reactions.as_array().unwrap().iter().map(count).collect()
}

/// One who writes, and what was answered to them.
struct Writer {
    person: Person,
    group: String,
    rng: Rng,
    /// Their own messages: the id of each, and what it must be, without reactions.
    own: BTreeMap<u64, (String, Seen)>,
    /// What they have put on messages, and not taken away.
    reactions: BTreeSet<(u64, &'static str)>,
    read_seq: u64,
    /// The same as others see it, which never goes back,
    public_read_seq: u64,
    /// and the last that they were told by an event: what is sent is read without one.
    told_seq: u64,
    done: Arc<AtomicU64>,
    ids: Arc<parking_lot::Mutex<BTreeMap<u64, String>>>,
}

impl Writer {
    async fn run(mut self, stop: Arc<AtomicBool>) -> Self {
        while !stop.load(Ordering::Relaxed) {
            match self.rng.u32(..11) {
                0..3 => self.send().await,
                3..5 => self.edit().await,
                5 => self.delete().await,
                6..9 => self.react().await,
                9 => self.unread().await,
                _ => self.read().await,
            }
            self.done.fetch_add(1, Ordering::Relaxed);
        }
        self
    }

    async fn send(&mut self) {
        let client_id = uuid::Uuid::from_u128(self.rng.u128(..)).to_string();
        let content = format!("{} first", self.rng.u64(..));
        let body = json!({ "content": content, "clientMessageId": client_id });
        let path = format!("/api/conversations/{}/messages", self.group);
        let message = answered(&self.person, &Method::POST, &path, &body).await;
        let (seq, id) = (message["seq"].as_u64().unwrap(), message["id"].as_str().unwrap().to_owned());
        self.ids.lock().insert(seq, id.clone());
        self.own.insert(seq, (id, Seen { content, version: 1, ..Seen::default() }));
        self.read_seq = self.read_seq.max(seq);
        self.public_read_seq = self.public_read_seq.max(seq);
    }

    fn some_own(&mut self) -> Option<u64> {
        let seqs: Vec<u64> = self.own.keys().rev().take(5).copied().collect();
        self.rng.choice(seqs)
    }

    async fn edit(&mut self) {
        let Some(seq) = self.some_own() else { return };
        let content = format!("{} again", self.rng.u64(..));
        let (id, seen) = self.own.get_mut(&seq).unwrap();
        let path = format!("/api/messages/{id}");
        let answer = answered(&self.person, &Method::PATCH, &path, &json!({ "content": content })).await;
        if seen.is_deleted {
            assert_eq!(answer["code"], "message_deleted", "{answer}");
        } else {
            seen.version += 1;
            seen.content = content;
            assert_eq!(answer["version"], seen.version, "an edit is made once: {answer}");
        }
    }

    async fn delete(&mut self) {
        let Some(seq) = self.some_own() else { return };
        let (id, seen) = self.own.get_mut(&seq).unwrap();
        let path = format!("/api/messages/{id}");
        let answer = answered(&self.person, &Method::DELETE, &path, &Value::Null).await;
        assert!(answer["deletedAt"].is_string(), "{answer}");
        *seen = Seen::deleted();
    }

    async fn react(&mut self) {
        let newest: Vec<(u64, String)> =
            self.ids.lock().iter().rev().take(5).map(|(seq, id)| (*seq, id.clone())).collect();
        let Some((seq, id)) = self.rng.choice(newest) else { return };
        let emoji = self.rng.choice(["👍", "🎉"]).unwrap();
        let is_there = self.reactions.contains(&(seq, emoji));
        let answer = if is_there {
            let path = format!("/api/messages/{id}/reactions/{emoji}");
            answered(&self.person, &Method::DELETE, &path, &Value::Null).await
        } else {
            let path = format!("/api/messages/{id}/reactions");
            answered(&self.person, &Method::POST, &path, &json!({ "emoji": emoji })).await
        };
        if answer["code"] == "message_deleted" {
            return;
        }
        let mine = answer["reactions"].as_array().unwrap().iter().find(|one| one["emoji"] == emoji);
        assert_eq!(mine.is_some_and(|one| one["mine"] == true), !is_there, "{answer}");
        if is_there {
            self.reactions.remove(&(seq, emoji));
        } else {
            self.reactions.insert((seq, emoji));
        }
    }

    async fn read(&mut self) {
        let Some(last) = self.ids.lock().keys().next_back().copied() else { return };
        let path = format!("/api/conversations/{}/read", self.group);
        let answer = answered(&self.person, &Method::POST, &path, &json!({ "seq": last })).await;
        self.read_seq = self.read_seq.max(last);
        assert_eq!(answer["readSeq"], self.read_seq, "{answer}");
        if last > self.public_read_seq {
            (self.public_read_seq, self.told_seq) = (last, last);
        }
    }

    async fn unread(&mut self) {
        let Some(seq) = self.some_own().filter(|seq| *seq <= self.read_seq) else { return };
        let path = format!("/api/conversations/{}/unread", self.group);
        let answer = answered(&self.person, &Method::POST, &path, &json!({ "seq": seq })).await;
        self.read_seq = seq - 1;
        assert_eq!(answer["readSeq"], self.read_seq, "{answer}");
    }
}

/// Somebody who takes every event in order, from the beginning to the end.
struct Follower {
    person: Person,
    group: String,
    next: String,
    pos: u64,
    messages: BTreeMap<u64, Seen>,
    read: BTreeMap<String, u64>,
    events: u64,
}

impl Follower {
    /// Until it is where the conversation is.
    async fn catch_up_with(&mut self, pos: u64) {
        while self.pos < pos {
            self.catch_up().await;
        }
    }

    /// Until there is nothing more at the moment.
    async fn catch_up(&mut self) {
        loop {
            let path = format!("/api/sync?since={}", self.next);
            let page = answered(&self.person, &Method::GET, &path, &Value::Null).await;
            assert_eq!((&page["skipped"], &page["reset"]), (&json!([]), &Value::Null), "{page}");
            for event in page["events"].as_array().unwrap() {
                if event["stream"] == format!("conversation:{}", self.group) {
                    self.apply(event);
                }
            }
            self.next = page["next"].as_str().unwrap().to_owned();
            if page["hasMore"] == false {
                return;
            }
        }
    }

    fn apply(&mut self, event: &Value) {
        let (pos, span) = (event["pos"].as_u64().unwrap(), event["span"].as_u64().unwrap());
        assert_eq!(pos - span, self.pos, "lost, doubled or out of order: {event}");
        self.pos = pos;
        self.events += 1;
        let seq = event["seq"].as_u64().unwrap_or_default();
        match event["event"].as_str().unwrap() {
            "message:new" => {
                let last = self.messages.keys().next_back().copied().unwrap_or_default();
                assert_eq!(seq, last + 1, "lost, doubled or out of order: {event}");
                self.messages.insert(seq, Seen::of(event));
            }
            "message:edited" => {
                let seen = self.messages.get_mut(&seq).unwrap();
                assert!(event["version"].as_u64().unwrap() >= seen.version, "back to an older text: {event}");
                *seen = Seen::of(event);
            }
            "message:deleted" => *self.messages.get_mut(&seq).unwrap() = Seen::deleted(),
            "reaction:added" | "reaction:removed" => {
                let here = &mut self.messages.get_mut(&seq).unwrap().reactions;
                let emoji = event["emoji"].as_str().unwrap().to_owned();
                match event["count"].as_u64().unwrap() {
                    0 => drop(here.remove(&emoji)),
                    count => drop(here.insert(emoji, count)),
                }
            }
            "reactions:changed" => {
                self.messages.get_mut(&seq).unwrap().reactions = counts(&event["reactions"]);
            }
            "messages:read" => {
                for mark in event["marks"].as_array().unwrap() {
                    let read = self.read.entry(mark["userId"].as_str().unwrap().to_owned()).or_default();
                    let seq = mark["seq"].as_u64().unwrap();
                    assert!(seq > *read, "what was read is read: {event}");
                    *read = seq;
                }
            }
            // The second: what was on a message that has been deleted since.
            "conversation:created" | "stream:advanced" => {}
            name => panic!("{name}: {event}"),
        }
    }
}

async fn history(person: &Person, group: &str) -> BTreeMap<u64, Seen> {
    let (mut all, mut after) = (BTreeMap::new(), 0);
    loop {
        let page = person.history(group, &format!("?limit=200&after={after}")).await;
        for message in page["messages"].as_array().unwrap() {
            after = message["seq"].as_u64().unwrap();
            all.insert(after, Seen::of(message));
        }
        if page["hasMoreAfter"] == false {
            return all;
        }
    }
}

fn assert_same(found: &BTreeMap<u64, Seen>, expected: &BTreeMap<u64, Seen>, what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (seq, seen) in found {
        assert_eq!(Some(seen), expected.get(seq), "{what}, #{seq}");
    }
}

/// What the answers of all of them add up to.
fn expected(writers: &[Writer]) -> BTreeMap<u64, Seen> {
    let own = writers.iter().flat_map(|writer| &writer.own);
    let mut all: BTreeMap<u64, Seen> = own.map(|(seq, (_, seen))| (*seq, seen.clone())).collect();
    for (seq, emoji) in writers.iter().flat_map(|writer| &writer.reactions) {
        let seen = all.get_mut(seq).unwrap();
        if !seen.is_deleted {
            *seen.reactions.entry((*emoji).to_owned()).or_default() += 1;
        }
    }
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_that_were_answered_stand_once_through_kills() {
    let rounds = scale("TIDINGS_CHANGES_ROUNDS", 12);
    let mut victim = Victim::start_with(scale("TIDINGS_SEED", 1), &ALL_OF_A_STREAM);
    let api = Api::new(victim.url());
    let mut people = Vec::new();
    for n in 0..PEOPLE {
        people.push(Person::register(&api, &format!("person{n}")).await);
    }
    let next = people[0].get("/api/sync").await.assert_ok(200)["next"].as_str().unwrap().to_owned();
    let group = people[0].group_with("Band", &people[1..].iter().collect::<Vec<_>>()).await;
    let mut follower = Follower {
        person: people[0].clone(),
        group: group.clone(),
        next,
        pos: 0,
        messages: BTreeMap::new(),
        read: BTreeMap::new(),
        events: 0,
    };
    let (done, ids) = (Arc::new(AtomicU64::new(0)), Arc::default());
    let mut writers: Vec<Writer> = people
        .iter()
        .map(|person| Writer {
            person: person.clone(),
            group: group.clone(),
            rng: Rng::with_seed(victim.rng.u64(..)),
            own: BTreeMap::new(),
            reactions: BTreeSet::new(),
            read_seq: 0,
            public_read_seq: 0,
            told_seq: 0,
            done: Arc::clone(&done),
            ids: Arc::clone(&ids),
        })
        .collect();
    for _ in 0..rounds {
        let stop = Arc::new(AtomicBool::new(false));
        let writing: Vec<_> =
            writers.drain(..).map(|writer| tokio::spawn(writer.run(Arc::clone(&stop)))).collect();
        sleep_ms(victim.rng.u64(100..500)).await;
        follower.catch_up().await;
        sleep_ms(victim.rng.u64(0..100)).await;
        victim.kill().await;
        sleep_ms(100).await;
        stop.store(true, Ordering::Relaxed);
        for writer in writing {
            writers.push(writer.await.unwrap());
        }
        let there = people[0].get(&format!("/api/conversations/{group}")).await.assert_ok(200);
        follower.catch_up_with(there["pos"].as_u64().unwrap()).await;
        let expected = expected(&writers);
        assert_same(&history(&people[1], &group).await, &expected, "what stands is what was answered");
        assert_same(&follower.messages, &expected, "and what one saw who followed");
        for writer in &writers {
            let me = writer.person.get(&format!("/api/conversations/{group}")).await.assert_ok(200);
            assert_eq!(me["me"]["readSeq"], writer.read_seq);
            let told = follower.read.get(&writer.person.id).copied().unwrap_or_default();
            let may_be = writer.told_seq..=writer.public_read_seq;
            assert!(may_be.contains(&told), "told of {told}, not of {may_be:?}");
        }
    }
    let (done, kills) = (done.load(Ordering::Relaxed), victim.kills);
    println!("changes, {rounds} rounds, {kills} kills: {done} answered, {} events followed", follower.events);
    assert!(done > 20 * rounds, "there was a load: {done}");
    assert!(victim.stop(), "it still ends in order");
}
