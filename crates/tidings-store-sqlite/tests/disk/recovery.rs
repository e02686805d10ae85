//! After a kill heads and senders' marks are what they were: random histories with coming and going, killed anywhere,
//! also in the middle of counting again, and with a log whose beginning is pruned.

use rusqlite::Connection;
use tidings_core::conversations::ConversationView;
use tidings_core::ids::ConversationId;
use tidings_core::memory::InProcessLog;
use tidings_store_sqlite::Upkeep;
use tidings_testkit::contract::{Desk, Person};
use tidings_testkit::disk::Dice;

use crate::audit::assert_sound;
use crate::site::Site;

const HISTORIES: u64 = 24;
/// What happens in one of them.
const STEPS: u64 = 60;
/// Times that the process is killed in the middle of counting again.
const KILLS_MAX: u64 = 400;

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
    let mut killed_while_counting = 0;
    for seed in 0..HISTORIES {
        let mut dice = Dice::new(seed);
        let site = site(seed % 2 == 0);
        let mut history = History::begin(&site).await;
        history.go_on(&mut dice).await;
        let views = history.views().await;
        // Nothing of it is in flight, so a kill leaves what a power cut leaves.
        let left = site.image(seed);
        killed_while_counting += kill_while_it_counts(&left);
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
    assert!(killed_while_counting > HISTORIES, "{killed_while_counting}");
}

/// Kills the process at one operation of its start after the other, until there is none left; gives how often.
fn kill_while_it_counts(left: &Site) -> u64 {
    for kills in 0..KILLS_MAX {
        left.disk.halt_in(kills);
        let opened = left.try_open(InProcessLog::new());
        let is_whole = left.disk.halted_at().is_none();
        left.disk.halt_in(0);
        drop((opened, left.take_store()));
        left.disk.go_on();
        if is_whole {
            return kills;
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
