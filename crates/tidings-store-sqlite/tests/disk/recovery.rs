//! After a kill heads and senders' marks are what they were: random histories with coming and going, killed anywhere,
//! also while what was counted again is written, and with a log whose beginning is pruned.

use rusqlite::Connection;
use tidings_core::conversations::ConversationView;
use tidings_core::ids::ConversationId;
use tidings_core::memory::InProcessLog;
use tidings_store_sqlite::Upkeep;
use tidings_testkit::contract::{Desk, Person};
use tidings_testkit::disk::{Dice, FileKind, Operation};

use crate::audit::assert_sound;
use crate::site::Site;

const HISTORIES: u64 = 24;
/// What happens in one of them.
const STEPS: u64 = 60;
/// More operations than a start and an end have.
const KILLS_MAX: u64 = 400;
/// Of how many operations the process is killed at one.
const STRIDE: usize = 4;

struct History {
    desk: Desk,
    people: [Person; 4],
    chats: Vec<ConversationId>,
}

impl History {
    async fn begin(site: &Site) -> Self {
        let desk = Desk::open(site.clone()).await;
        let people = desk.people(["alice", "bob", "carol", "dave"]).await;
        let [alice, bob, carol, dave] = &people;
        let chats = vec![
            desk.group([alice, bob, carol, dave]).await,
            desk.group([alice, bob]).await,
            desk.direct(bob, carol).await.view.conversation.id,
        ];
        Self { desk, people, chats }
    }

    /// Somebody sends, comes or goes; what is refused changes nothing.
    async fn go_on(&self, dice: &mut Dice) {
        let person = |dice: &mut Dice| &self.people[usize::try_from(dice.below(4)).unwrap()];
        for step in 0..STEPS {
            let chat = self.chats[usize::try_from(dice.below(3)).unwrap()];
            let (who, whom) = (person(dice), person(dice));
            if dice.percent(70) {
                self.desk.try_send(who, chat, &format!("{step}")).await.ok();
            } else if dice.percent(50) {
                self.desk.try_remove(who, chat, whom).await.ok();
            } else {
                self.desk.try_add(who, chat, [whom]).await.ok();
            }
        }
    }

    /// Heads and marks as everybody sees them.
    async fn views(&self) -> Vec<Option<ConversationView>> {
        let mut views = Vec::new();
        for person in &self.people {
            for chat in &self.chats {
                views.push(self.desk.find_view(person, *chat).await);
            }
        }
        views
    }

    /// The process begins anew on what is on the disk.
    async fn reopen(self, site: &Site) -> Self {
        site.take_store();
        let Self { desk, people, chats } = self;
        Self { desk: desk.reopen_on(site.clone()).await, people, chats }
    }
}

/// Heads are flushed when `flushes`, now and then; else never.
fn site(flushes: bool) -> Site {
    let flush_every = std::time::Duration::from_millis(if flushes { 2 } else { 3_600_000 });
    Site::with(Upkeep { flush_every, ..Upkeep::default() })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn recovery_counts_heads_and_marks_again_after_any_kill() {
    let mut killed_while_flushing = 0;
    for seed in 0..HISTORIES {
        let mut dice = Dice::new(seed);
        let site = site(seed % 2 == 0);
        let mut history = History::begin(&site).await;
        history.go_on(&mut dice).await;
        let views = history.views().await;
        // Nothing of it is in flight, so a kill leaves what a power cut leaves.
        let left = site.image(seed);
        let killed;
        (history, killed) =
            Box::pin(kill_while_it_counts(history, &left, &views, seed % STRIDE as u64)).await;
        let copied = killed.iter().position(|operation| *operation == Operation::Write(FileKind::Database));
        let flushed = killed.iter().rposition(|operation| *operation == Operation::Write(FileKind::Wal));
        killed_while_flushing += u64::from(copied.is_some() && flushed > copied);
        history = Box::pin(history.reopen(&left)).await;
        assert!(history.views().await == views, "history {seed}: heads or marks are not what they were");
        // An orderly end writes all of it.
        history = Box::pin(history.reopen(&left)).await;
        assert_sound(&left.database(), &format!("history {seed}"));
        history.go_on(&mut dice).await;
        let views = history.views().await;
        history = Box::pin(history.reopen(&left.image(seed))).await;
        assert!(history.views().await == views, "history {seed}, the second part");
    }
    assert!(
        killed_while_flushing >= HISTORIES / 2,
        "those that had flushed nothing: {killed_while_flushing}"
    );
}

/// Kills the process at one operation of its start and its end after the other, until there is none left; each time
/// what it leaves must be the same to everybody. Gives the operations.
async fn kill_while_it_counts(
    mut history: History,
    left: &Site,
    views: &[Option<ConversationView>],
    first: u64,
) -> (History, Vec<Operation>) {
    let mut killed = Vec::new();
    // Their offsets differ between the histories.
    for operations in (first..KILLS_MAX).step_by(STRIDE) {
        let site = left.image(operations);
        site.disk.halt_in(operations);
        let opened = site.try_open(InProcessLog::new());
        // What was counted is flushed at the end.
        drop((opened, site.take_store()));
        let halted = site.disk.halted_at();
        site.disk.go_on();
        history = Box::pin(history.reopen(&site)).await;
        assert!(history.views().await == views, "after operation {operations}, {halted:?}");
        match halted {
            Some(operation) => killed.push(operation),
            None => return (history, killed),
        }
    }
    panic!("a start has no end");
}

/// What is pruned is in the rows already: only what came later is counted.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn recovery_does_not_need_a_log_that_was_pruned() {
    for seed in 0..HISTORIES / 2 {
        let mut dice = Dice::new(seed);
        let site = site(false);
        let mut history = History::begin(&site).await;
        history.go_on(&mut dice).await;
        let pruned_site = site.image(seed);
        // An orderly end writes every head, and pruning takes nothing else.
        drop((pruned_site.try_open(InProcessLog::new()).unwrap(), pruned_site.take_store()));
        let pruned =
            "DELETE FROM event; UPDATE meta SET value = (SELECT value FROM meta WHERE key = 'heads_log')
                      WHERE key = 'events_floor_log'";
        Connection::open(pruned_site.database()).unwrap().execute_batch(pruned).unwrap();
        history = Box::pin(history.reopen(&pruned_site)).await;
        history.go_on(&mut dice).await;
        let views = history.views().await;
        let left = pruned_site.image(seed);
        history = Box::pin(history.reopen(&left)).await;
        assert!(history.views().await == views, "history {seed}");
        // The same when it has been written.
        history = Box::pin(history.reopen(&left)).await;
        assert!(history.views().await == views, "history {seed}, written");
    }
}
