//! People who send, come and go until the store cannot go on, and what they were told.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use parking_lot::Mutex;
use tidings_core::conversations::Membership;
use tidings_core::events::{Event, EventBody};
use tidings_core::ids::{ConversationId, LogId};
use tidings_core::messages::{HistoryAnchor, Message};
use tidings_core::ports::store::{EventStore as _, MessageStore as _};
use tidings_store_sqlite::SqliteStore;
use tidings_testkit::contract::{Desk, Person};

use crate::site::Site;

const SENDERS: usize = 6;
/// Each sends at most so many: a disk that never stands still or fails must not keep them for ever.
const MESSAGES_EACH: usize = 40;
/// More than any conversation here has.
const ALL: usize = 1_000_000;

/// Three groups, two who send and one who comes and goes.
pub struct Load {
    site: Site,
    pub desk: Desk,
    people: [Person; 3],
    chats: Vec<ConversationId>,
    told: Mutex<Told>,
}

/// What the store has answered with success.
#[derive(Default)]
struct Told {
    messages: Vec<Message>,
    joined: Vec<Membership>,
    /// Of those, what was asked after it had said that it cannot go on.
    after_the_end: usize,
}

/// What must be there after whatever has happened.
pub struct Held {
    pub people: [Person; 3],
    pub chats: Vec<ConversationId>,
    pub messages: Vec<Message>,
    joined: Vec<Membership>,
    published: Vec<Event>,
}

impl Load {
    pub async fn begin(site: &Site) -> Arc<Self> {
        let desk = Desk::open(site.clone()).await;
        let people = desk.people(["alice", "bob", "carol"]).await;
        let mut chats = Vec::new();
        for _ in 0..3 {
            chats.push(desk.group([&people[0], &people[1], &people[2]]).await);
        }
        Arc::new(Self { site: site.clone(), desk, people, chats, told: Mutex::default() })
    }

    /// Until the store fails or everybody has sent their share.
    pub async fn run(self: &Arc<Self>) {
        let senders = (0..SENDERS).map(|n| {
            let load = Arc::clone(self);
            tokio::spawn(async move { load.send_on(n).await })
        });
        let coming_and_going = Arc::clone(self);
        let mut tasks: Vec<_> = senders.collect();
        tasks.push(tokio::spawn(async move { coming_and_going.come_and_go().await.map_or((), drop) }));
        for task in tasks {
            task.await.unwrap();
        }
    }

    /// Logins, which write no event, once everything else is in its rows.
    pub async fn log_in_on(&self, logins: usize) {
        while self.site.store().stats().heads_dirty > 0 && self.site.fatal() == 0 {
            tokio::task::yield_now().await;
        }
        for _ in 0..logins {
            let session = self.desk.make.session(&self.people[0].user);
            if self
                .desk
                .store
                .insert_session(self.desk.make.new_session(&session, self.desk.make.refresh_token()))
                .await
                .is_err()
            {
                return;
            }
        }
    }

    /// Lets go of the store.
    pub fn end(self: Arc<Self>) -> Held {
        self.site.take_store();
        let load = Arc::into_inner(self).expect("everybody has ended");
        let published = load.desk.log.all();
        let Told { messages, joined, after_the_end } = load.told.into_inner();
        assert_eq!(after_the_end, 0, "acknowledged by a store that cannot go on");
        Held { people: load.people, chats: load.chats, messages, joined, published }
    }

    async fn send_on(&self, n: usize) {
        let (who, chat) = (&self.people[n % 2], self.chats[n % self.chats.len()]);
        for count in 0..MESSAGES_EACH {
            let over = self.site.fatal() > 0;
            // Some take a page of their own.
            let text = format!("{n}.{count} {}", "x".repeat(count * 37 % 900 + (count % 9) / 8 * 5_000));
            let Ok(message) = self.desk.try_send(who, chat, &text).await else { return };
            let mut told = self.told.lock();
            told.messages.push(message);
            told.after_the_end += usize::from(over);
        }
    }

    /// Gives nothing where the store failed.
    async fn come_and_go(&self) -> Option<()> {
        let [alice, _, carol] = &self.people;
        for count in 0..MESSAGES_EACH / 6 {
            for chat in &self.chats {
                self.desk.try_remove(alice, *chat, carol).await.ok()?;
                let joined = self.desk.try_add(alice, *chat, [carol]).await.ok()?;
                self.told.lock().joined.extend(joined.into_iter().map(|joined| joined.membership));
                let message = self.desk.try_send(carol, *chat, &format!("back {count}")).await.ok()?;
                self.told.lock().messages.push(message);
            }
        }
        Some(())
    }
}

impl Held {
    /// Asserts that the store has everything that was told, as it was told; gives how many messages more it has.
    pub async fn assert_in(&self, store: &SqliteStore, context: &str) -> usize {
        let mut stored = BTreeMap::new();
        for chat in &self.chats {
            let page =
                store.list_messages(self.people[0].id(), *chat, HistoryAnchor::Latest, ALL).await.unwrap();
            let seqs: Vec<u64> = page.messages.iter().map(|message| message.id.seq.0).collect();
            assert_eq!(seqs, (1..=seqs.len() as u64).collect::<Vec<_>>(), "{context}: dense");
            stored.extend(page.messages.into_iter().map(|message| (message.id, message)));
        }
        let client_ids: BTreeSet<_> = stored.values().map(|message| message.client_id).collect();
        assert_eq!(client_ids.len(), stored.len(), "{context}: none twice");
        for message in &self.messages {
            assert_eq!(stored.get(&message.id), Some(message), "{context}: acknowledged and lost");
        }
        for event in &self.published {
            if let EventBody::MessageSent(message) = &event.body {
                assert_eq!(stored.get(&message.id), Some(&**message), "{context}: shown and lost");
            }
        }
        self.assert_joined_in(store, context).await;
        stored.len() - self.messages.len()
    }

    async fn assert_joined_in(&self, store: &SqliteStore, context: &str) {
        let (end, _) = store.log_bounds().await.unwrap();
        let published = self.published.last().map_or(LogId(0), |event| event.log_id);
        assert!(published <= end, "{context}: {published} was published, and the log ends at {end}");
        let rosters = store.load_rosters(&self.chats, LogId(0)).await.unwrap();
        let known: BTreeSet<_> = self
            .chats
            .iter()
            .zip(&rosters)
            .flat_map(|(chat, roster)| {
                roster.iter().map(|interval| (*chat, interval.user, interval.from_pos))
            })
            .collect();
        for joined in &self.joined {
            let key = (joined.conversation, joined.user, joined.from_pos);
            assert!(known.contains(&key), "{context}: a joining was acknowledged and lost: {joined:?}");
        }
    }

    /// Sends once more in every conversation: the numbers go on without a hole.
    pub async fn assert_goes_on(
        &self,
        store: &SqliteStore,
        desk: &tidings_testkit::builders::Values,
        context: &str,
    ) {
        for chat in &self.chats {
            let alice = &self.people[0];
            let page = store.list_messages(alice.id(), *chat, HistoryAnchor::Latest, 1).await.unwrap();
            let last = page.messages.last().map(|message| message.id.seq).unwrap_or_default();
            let sent = store.append_message(desk.message(&alice.actor, *chat, "and on")).await.unwrap();
            assert_eq!((sent.message.id.seq, sent.message.pos), (last.next(), page.pos.next()), "{context}");
        }
    }
}
