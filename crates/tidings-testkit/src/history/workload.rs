//! Seeded people who send, and devices that are live, come and go, begin cold, join late and are removed, on any
//! [`Messenger`].
//!
//! A run is: [`Workload::begin`], then any number of rounds of [`Workload::load`] (do the fault meanwhile) and
//! [`Workload::settle`], then [`Workload::finish`].

mod device;
mod plan;
mod read_back;
mod sender;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use fastrand::Rng;
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::{Checker, Id, Messenger, Recorder, Report};
use device::{Device, Habit};
pub use plan::Plan;
use read_back::{read_digest, read_stored};
use sender::Sender;

/// A wait for a condition looks again after this long.
const LOOK_AGAIN: Duration = Duration::from_millis(2);

/// A workload that has begun.
pub struct Workload {
    shared: Arc<Shared>,
    checker: Checker,
    devices: JoinSet<()>,
    rng: Rng,
    rounds: u64,
}

/// Senders that send; [`Load::stop`] ends them.
pub struct Load {
    stop: watch::Sender<bool>,
    senders: JoinSet<()>,
}

/// What senders and devices have in common.
struct Shared {
    messenger: Arc<dyn Messenger>,
    plan: Plan,
    recorder: Recorder,
    groups: Vec<Group>,
    mood: watch::Sender<Mood>,
    /// Through which `seq` a conversation has been compared: a device that begins anew begins there.
    floor: Mutex<HashMap<Id, u64>>,
    devices_made: AtomicU64,
    messages_made: AtomicU64,
}

/// A group, and who is to be in it.
struct Group {
    id: Id,
    owner: Id,
    /// In it from the beginning to the end.
    members: Vec<Id>,
    /// They come late, go, and come again.
    visitors: Vec<Id>,
}

/// What devices are to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mood {
    /// Each as its habit is.
    Restless,
    /// All stay, and catch up.
    Calm,
    /// All end.
    Over,
}

impl Workload {
    /// Makes people and groups and connects devices.
    ///
    /// # Panics
    /// When devices do not get connected within the plan's patience.
    pub async fn begin(messenger: Arc<dyn Messenger>, plan: Plan) -> Self {
        let mut rng = Rng::with_seed(plan.seed);
        let mut people = Vec::new();
        for n in 0..plan.members + plan.visitors {
            people.push(messenger.user(&format!("person-{n}")).await);
        }
        let (members, visitors) = people.split_at(plan.members);
        let mut groups = Vec::new();
        for n in 0..plan.groups {
            let members: Vec<Id> = members
                .iter()
                .cycle()
                .skip(n)
                .take(plan.members_in_group.min(plan.members))
                .cloned()
                .collect();
            let id = messenger.group(&members[0], &members[1..]).await;
            groups.push(Group { id, owner: Id::clone(&members[0]), members, visitors: visitors.to_vec() });
        }
        let shared = Arc::new(Shared {
            messenger,
            recorder: Recorder::default(),
            groups,
            mood: watch::Sender::new(Mood::Restless),
            floor: Mutex::default(),
            devices_made: AtomicU64::new(0),
            messages_made: AtomicU64::new(0),
            plan,
        });
        let mut devices = JoinSet::new();
        for (n, user) in people.iter().enumerate() {
            // Who is put out of a group no longer finds it in the list, so their devices never begin cold.
            let second =
                if n < shared.plan.members && n % 2 == 0 { Habit::BeginsCold } else { Habit::ComesAndGoes };
            for habit in [Habit::Stays, second] {
                let rng = Rng::with_seed(rng.u64(..));
                devices.spawn(Device::switch_on(&shared, Id::clone(user), habit, rng).run());
            }
        }
        let workload = Self { shared, checker: Checker::default(), devices, rng, rounds: 0 };
        let are_connected = workload.wait_until(|shared| {
            let devices = shared.recorder.devices();
            devices.len() >= 2 * people.len() && devices.iter().all(|device| device.is_connected())
        });
        assert!(are_connected.await, "devices did not get connected");
        workload
    }

    /// Begins to send. Every send is retried until it is answered, but for a few that are given up.
    #[must_use]
    pub fn load(&mut self) -> Load {
        self.rounds += 1;
        let stop = watch::Sender::new(false);
        let mut senders = JoinSet::new();
        for (index, group) in self.shared.groups.iter().enumerate() {
            for user in group.members.iter().chain(&group.visitors) {
                for lane in 0..self.shared.plan.lanes {
                    let sender = Sender {
                        shared: Arc::clone(&self.shared),
                        group: index,
                        user: Id::clone(user),
                        // One of the owner's lanes sees to who comes and goes.
                        is_doorkeeper: *user == group.owner && lane == 0,
                        rng: Rng::with_seed(self.rng.u64(..)),
                    };
                    senders.spawn(sender.run(stop.subscribe()));
                }
            }
        }
        Load { stop, senders }
    }

    /// Waits until every device has shown what stands, or patience ends, and compares the round. `since` is when the
    /// devices could begin to catch up. Gives how long they took.
    pub async fn settle(&mut self, since: Instant) -> Duration {
        self.shared.mood.send_replace(Mood::Calm);
        let stored = read_stored(&self.shared, &self.checker).await;
        let owed = self.checker.last_owed(&stored);
        // Whoever waited too long for something is in the report.
        self.wait_until(|shared| {
            shared.recorder.devices().iter().all(|device| {
                let user = device.user();
                shared.groups.iter().all(|group| {
                    let last =
                        owed.get(&(Id::clone(&user), Id::clone(&group.id))).copied().unwrap_or_default();
                    device.last_seq(&group.id) >= last
                })
            })
        })
        .await;
        let converged = since.elapsed();
        self.read_marks().await;
        self.checker.converged(converged);
        self.checker.check_round(self.shared.recorder.take(), &stored);
        let floor =
            self.shared.groups.iter().map(|group| (Id::clone(&group.id), self.checker.through(&group.id).1));
        *self.shared.floor.lock() = floor.collect();
        self.shared.mood.send_replace(Mood::Restless);
        converged
    }

    /// What has been found in the rounds so far.
    #[must_use]
    pub fn report(&self) -> &Report {
        self.checker.report()
    }

    /// Reads all histories once more, switches the devices off, and gives what was found.
    pub async fn finish(mut self) -> Report {
        for group in &self.shared.groups {
            let digest = read_digest(&self.shared, group).await;
            self.checker.check_digest(&group.id, &digest);
        }
        self.shared.mood.send_replace(Mood::Over);
        while let Some(ended) = self.devices.join_next().await {
            if let Err(error) = ended {
                std::panic::resume_unwind(error.into_panic());
            }
        }
        self.checker.finish()
    }

    /// Does one load to its end, settles, and finishes.
    pub async fn run(messenger: Arc<dyn Messenger>, plan: Plan) -> Report {
        assert!(plan.sends_max.is_some(), "a load without an end");
        let mut workload = Self::begin(messenger, plan).await;
        let load = workload.load();
        load.done().await;
        workload.settle(Instant::now()).await;
        workload.finish().await
    }

    /// Everybody looks at their read marks.
    async fn read_marks(&self) {
        for device in self.shared.recorder.devices() {
            for listed in self.shared.messenger.list(&device.user()).await.into_iter().flatten() {
                device.read_mark(&listed.conversation, listed.read_seq);
            }
        }
    }

    /// False when patience ended first.
    async fn wait_until(&self, condition: impl Fn(&Shared) -> bool) -> bool {
        let begin = Instant::now();
        while !condition(&self.shared) {
            if begin.elapsed() > self.shared.plan.patience {
                return false;
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        true
    }
}

impl Load {
    /// No new messages. Those that were begun are sent to their end.
    pub fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// Waits until all senders have ended: when they were stopped, or have sent what the plan says.
    pub async fn done(mut self) {
        while let Some(ended) = self.senders.join_next().await {
            if let Err(error) = ended {
                std::panic::resume_unwind(error.into_panic());
            }
        }
    }
}

impl Shared {
    fn next_device(&self) -> u64 {
        self.devices_made.fetch_add(1, Ordering::Relaxed)
    }

    fn next_message(&self) -> u64 {
        self.messages_made.fetch_add(1, Ordering::Relaxed)
    }

    /// Asks until there is an answer.
    ///
    /// # Panics
    /// When there is none for [`Plan::patience`].
    async fn answered<T, F: Future<Output = Option<T>>>(&self, mut ask: impl FnMut() -> F) -> T {
        let begin = Instant::now();
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            assert!(begin.elapsed() < self.plan.patience, "no answer for {:?}", self.plan.patience);
            tokio::time::sleep(self.plan.retry_pause).await;
        }
    }
}
