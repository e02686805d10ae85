//! A power cut under load: the image of any instant holds every message that was acknowledged before it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use rusqlite::Connection;
use tidings_core::ids::ConversationId;
use tidings_core::memory::InProcessLog;
use tidings_core::messages::{HistoryAnchor, Message};
use tidings_core::ports::store::MessageStore;
use tidings_testkit::contract::{Desk, Person};
use tidings_testkit::disk::FaultyDisk;

use crate::site::{Site, open};

const SEEDS: u64 = 24;
const SENDERS: usize = 12;

/// What is going on while the power is cut.
struct Load {
    desk: Desk,
    people: Vec<Person>,
    chats: Vec<ConversationId>,
    acknowledged: Mutex<Vec<Message>>,
    stop: AtomicBool,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_image_holds_every_acknowledged_message() {
    let site = Site::new();
    let load = begin(&site).await;
    let mut tasks: Vec<_> = (0..SENDERS)
        .map(|n| {
            let load = Arc::clone(&load);
            tokio::spawn(async move { load.send_on(n).await })
        })
        .collect();
    let coming_and_going = Arc::clone(&load);
    tasks.push(tokio::spawn(async move { coming_and_going.come_and_go().await }));
    let (mut before, mut uncertain) = (0, 0);
    for seed in 0..SEEDS {
        load.wait_for_more_than(before).await;
        tokio::time::sleep(Duration::from_millis(instant(seed))).await;
        let image = tempfile::tempdir().unwrap();
        let acknowledged = load.acknowledged.lock().clone();
        site.disk.crash_image(image.path(), seed).unwrap();
        before = acknowledged.len();
        uncertain += assert_holds(image.path(), &acknowledged, &load.people[0], seed).await;
    }
    load.stop.store(true, Ordering::SeqCst);
    for task in tasks {
        task.await.unwrap();
    }
    println!(
        "crash images: {SEEDS} instants, {before} acknowledged by the last, {uncertain} unacknowledged stood too"
    );
}

async fn begin(site: &Site) -> Arc<Load> {
    let desk = Desk::open(site.clone()).await;
    let people = desk.people(["alice", "bob", "carol"]).await.to_vec();
    let mut chats = Vec::new();
    for _ in 0..3 {
        chats.push(desk.group([&people[0], &people[1], &people[2]]).await);
    }
    // Slow enough that an instant falls within a sync as often as not.
    site.disk.slow_sync(Duration::from_millis(2));
    Arc::new(Load { desk, people, chats, acknowledged: Mutex::default(), stop: AtomicBool::new(false) })
}

/// Milliseconds until the next cut, between 0 and 37.
fn instant(seed: u64) -> u64 {
    seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) % 38
}

impl Load {
    async fn send_on(&self, n: usize) {
        let (who, chat) = (&self.people[n % 2], self.chats[n % self.chats.len()]);
        let mut count = 0;
        while !self.stop.load(Ordering::SeqCst) {
            let text = format!("{n}.{count} {}", "x".repeat(count % 900));
            let message = self.desk.send(who, chat, &text).await;
            self.acknowledged.lock().push(message);
            count += 1;
        }
    }

    async fn wait_for_more_than(&self, count: usize) {
        while self.acknowledged.lock().len() <= count {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    async fn come_and_go(&self) {
        let (alice, carol) = (&self.people[0], &self.people[2]);
        while !self.stop.load(Ordering::SeqCst) {
            for chat in &self.chats {
                self.desk.remove(alice, *chat, carol).await;
                self.desk.add(alice, *chat, [carol]).await;
                let message = self.desk.send(carol, *chat, "back").await;
                self.acknowledged.lock().push(message);
            }
        }
    }
}

/// How many messages stand that had not been acknowledged.
async fn assert_holds(image: &Path, acknowledged: &[Message], viewer: &Person, seed: u64) -> usize {
    let disk = FaultyDisk::new();
    let fatal = Arc::new(AtomicUsize::new(0));
    let store = open(image, &disk, &fatal, InProcessLog::new());
    let chats: BTreeSet<_> = acknowledged.iter().map(|message| message.id.conversation).collect();
    let mut stored = BTreeMap::new();
    for chat in chats {
        let page = store.list_messages(viewer.id(), chat, HistoryAnchor::Latest, 1_000_000).await.unwrap();
        stored.extend(page.messages.into_iter().map(|message| (message.id, message)));
    }
    for message in acknowledged {
        assert_eq!(stored.get(&message.id), Some(message), "seed {seed}");
    }
    let db = Connection::open(image.join("tidings.db")).unwrap();
    let verdict: String = db.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(verdict, "ok", "seed {seed}");
    for (what, sql) in RECOUNTS {
        let wrong: i64 = db.query_row(sql, [], |row| row.get(0)).unwrap();
        assert_eq!(wrong, 0, "seed {seed}: {what}");
    }
    drop((db, store));
    assert_eq!(fatal.load(Ordering::SeqCst), 0);
    stored.len() - acknowledged.len()
}

/// Each counts what is wrong after a start, from the rows alone.
const RECOUNTS: [(&str, &str); 6] = [
    (
        "a head is not what its events say",
        "SELECT count(*) FROM head AS h
         LEFT JOIN (SELECT stream, count(*) AS n, max(pos) AS pos, max(log_id) AS log FROM event GROUP BY stream) AS e
           ON e.stream = h.stream
         WHERE (h.last_pos, h.last_pos, h.last_log) IS NOT (e.pos, e.n, e.log)",
    ),
    (
        "a conversation's head is not what its messages say",
        "SELECT count(*) FROM head AS h
         LEFT JOIN (SELECT conversation, count(*) AS n, max(seq) AS seq, max(ord) AS ord, max(log_id) AS log
                    FROM message GROUP BY conversation) AS m ON m.conversation = substr(h.stream, 2)
         WHERE h.kind = 1 AND m.n > 0 AND (h.last_seq, h.last_seq, h.last_ord, h.last_sent_log)
               IS NOT (m.seq, m.n, m.ord, m.log)",
    ),
    (
        "the log has a hole",
        "SELECT (SELECT max(log_id) - count(*) FROM event) + (SELECT max(log_id) FROM event)
              - (SELECT value FROM meta WHERE key = 'log_id_max')",
    ),
    (
        "a message and its event disagree",
        "SELECT (SELECT count(*) FROM message) + (SELECT count(*) FROM event WHERE kind = 0)
              - 2 * (SELECT count(*) FROM message AS m JOIN event AS e
                     ON e.log_id = m.log_id AND e.kind = 0 AND e.pos = m.pos AND e.ref = m.seq
                        AND e.actor = m.sender AND substr(e.stream, 2) = m.conversation)",
    ),
    (
        "somebody is in twice",
        "SELECT count(*) FROM (SELECT 1 FROM membership WHERE to_pos IS NULL
                               GROUP BY conversation, user HAVING count(*) > 1)",
    ),
    (
        "a sender's mark is behind what they sent",
        "SELECT count(*) FROM membership AS i JOIN message AS m
           ON m.conversation = i.conversation AND m.sender = i.user AND m.pos > i.from_pos
              AND (i.to_pos IS NULL OR m.pos < i.to_pos)
         WHERE i.read_seq < m.seq OR i.read_ord < m.ord OR i.public_read_seq < m.seq OR i.delivered_seq < m.seq",
    ),
];
