//! What a message costs, counted by SQLite and by the disk and never by the clock: statements, pages, syncs.

use tidings_core::ids::{ClientMessageId, ConversationId};
use tidings_core::ports::store::AppendMessage;
use tidings_core::sessions::Actor;
use tidings_testkit::disk::{Dice, FaultyDisk};
use uuid::Uuid;

use super::desk::Desk;

/// BEGIN and COMMIT.
const TRANSACTION: u64 = 2;
/// A send is a message row and an event row.
const SEND: u64 = 2;

/// Statements, pages in the write-ahead log, and its syncs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cost {
    statements: u64,
    pages: u64,
    syncs: u64,
}

/// What these cost in one batch.
async fn cost(desk: &Desk, disk: &FaultyDisk, sends: Vec<AppendMessage>) -> Cost {
    let hold = desk.hold();
    let mut waiting = Vec::new();
    for send in sends {
        waiting.push(desk.begin(send).await);
    }
    disk.reset_counts();
    let before = desk.store.stats().statements;
    drop(hold);
    for send in waiting {
        send.await.unwrap().unwrap();
    }
    // The batch that held the others is committed after the first look.
    let statements = desk.store.stats().statements - before - 1;
    let log = disk.counts().wal;
    Cost { statements, pages: log.pages, syncs: log.syncs }
}

#[tokio::test]
async fn a_send_is_two_statements_and_its_batch_one_sync() {
    let disk = FaultyDisk::new();
    let desk = Desk::undisturbed(&disk, u64::MAX);
    let [alice, bob] = desk.people(["alice", "bob"]).await;
    let chat = desk.group(&alice, &[&bob]).await;
    let send = |who: &Actor| desk.message(who, chat, "hi");

    // Who has not sent here since the start is looked up: the original of a retry, then the membership.
    let unknown = cost(&desk, &disk, vec![send(&alice)]).await;
    assert_eq!(unknown.statements, TRANSACTION + SEND + 2);
    let retried = send(&alice);
    let known = cost(&desk, &disk, vec![retried.clone()]).await;
    assert_eq!((known.statements, known.syncs), (TRANSACTION + SEND, 1));
    // A retry tries to write its row and is shown the one that stands.
    let retry = cost(&desk, &disk, vec![retried]).await;
    assert_eq!((retry.statements, retry.pages, retry.syncs), (TRANSACTION + 2, 0, 0));

    let crowd = cost(&desk, &disk, (0..64).map(|_| send(&alice)).collect()).await;
    assert_eq!((crowd.statements, crowd.syncs), (TRANSACTION + 64 * SEND, 1), "64 messages a sync");
    let mixed = cost(&desk, &disk, vec![send(&alice), send(&bob), send(&bob)]).await;
    assert_eq!(mixed.statements, TRANSACTION + 3 * SEND + 2, "bob is looked up once");
}

/// Conversations, so many that two messages of a batch seldom meet in one.
const CHATS: usize = 1_200;
/// Messages in each before it is measured: two thirds of a page.
const MESSAGES_BEFORE: usize = 12;
/// Messages of one batch, and batches.
const BATCH: usize = 64;
const BATCHES: usize = 10;

struct Town {
    desk: Desk,
    disk: FaultyDisk,
    alice: Actor,
    chats: Vec<ConversationId>,
    dice: Dice,
}

impl Town {
    async fn build() -> Self {
        let disk = FaultyDisk::new();
        let desk = Desk::undisturbed(&disk, u64::MAX);
        let alice = desk.person("alice").await;
        let mut chats = Vec::new();
        for _ in 0..CHATS {
            chats.push(desk.group(&alice, &[]).await);
        }
        let mut town = Self { desk, disk, alice, chats, dice: Dice::new(1) };
        for _ in 0..MESSAGES_BEFORE {
            for chats in town.chats.clone().chunks(400) {
                let sends = chats.iter().map(|chat| town.message(*chat, false)).collect();
                cost(&town.desk, &town.disk, sends).await;
            }
        }
        town
    }

    fn message(&mut self, chat: ConversationId, at_random: bool) -> AppendMessage {
        let message = self.desk.message(&self.alice, chat, &"x".repeat(100));
        if !at_random {
            return message;
        }
        let halves = (u128::from(self.dice.below(u64::MAX)) << 64) | u128::from(self.dice.below(u64::MAX));
        AppendMessage { client_id: ClientMessageId(Uuid::from_u128(halves)), ..message }
    }

    /// Pages a message, in hundredths.
    async fn hundredths(&mut self, chats: usize, at_random: bool) -> u64 {
        let mut pages = 0;
        for _ in 0..BATCHES {
            let mut sends = Vec::new();
            for _ in 0..BATCH {
                let chat = self.chats[usize::try_from(self.dice.below(chats as u64)).unwrap()];
                sends.push(self.message(chat, at_random));
            }
            pages += cost(&self.desk, &self.disk, sends).await.pages;
        }
        pages * 100 / (BATCH * BATCHES) as u64
    }
}

/// Without the flush of heads, which comes once every few seconds and conversation, however many messages it had.
#[tokio::test]
async fn a_message_dirties_few_pages_wherever_it_goes() {
    let mut town = Town::build().await;
    let busy = town.hundredths(1, false).await;
    let busy_at_random = town.hundredths(1, true).await;
    let scattered = town.hundredths(CHATS, false).await;
    let scattered_at_random = town.hundredths(CHATS, true).await;
    println!(
        "hundredths of a page a message, 64 a batch: one conversation {busy} (UUIDv4 {busy_at_random}), \
         {CHATS} conversations {scattered} (UUIDv4 {scattered_at_random})"
    );
    assert!((25..=32).contains(&busy), "{busy}: neighbours share their pages");
    assert!((30..=40).contains(&busy_at_random), "{busy_at_random}: an index is no longer appended to");
    // One leaf, and a split with its neighbours for every fourth or fifth message.
    assert!((175..=205).contains(&scattered), "{scattered}");
    assert!((205..=245).contains(&scattered_at_random), "{scattered_at_random}");
}
