//! Somebody who sends, one message after another, and sends again what is not answered.

use std::sync::Arc;
use std::time::Instant;

use fastrand::Rng;
use tokio::sync::watch;
use uuid::Builder;

use super::{Group, Shared};
use crate::history::{Answer, Id, Outgoing};

pub(super) struct Sender {
    pub shared: Arc<Shared>,
    pub group: usize,
    pub user: Id,
    pub is_doorkeeper: bool,
    pub rng: Rng,
}

impl Sender {
    pub async fn run(mut self, stop: watch::Receiver<bool>) {
        let sends_max = self.shared.plan.sends_max.unwrap_or(u64::MAX);
        let mut sent = 0;
        while sent < sends_max && !*stop.borrow() {
            self.send().await;
            sent += 1;
            if self.is_doorkeeper && sent % self.shared.plan.churn_every == 0 {
                self.let_somebody_in_or_out().await;
            }
        }
    }

    async fn send(&mut self) {
        let shared = Arc::clone(&self.shared);
        let message = self.new_message();
        let begin = Instant::now();
        let is_given_up = self.rng.u64(..shared.plan.given_up_one_in) == 0;
        loop {
            shared.recorder.invoke(&message);
            let answer = shared.messenger.send(&message).await;
            shared.recorder.answer(message.client_id, &answer);
            let is_refused = matches!(answer, Answer::Refused(_));
            if is_refused {
                // Out of the group for now: another message would be refused at once, too.
                tokio::time::sleep(shared.plan.retry_pause).await;
            }
            if answer != Answer::Unknown || is_given_up {
                return;
            }
            assert!(begin.elapsed() < shared.plan.patience, "no answer to {message:?}");
            tokio::time::sleep(shared.plan.retry_pause).await;
        }
    }

    /// The ids are as our clients make them, UUIDv7, so that they are stored in order; the time in them is a counter.
    fn new_message(&mut self) -> Outgoing {
        let number = self.shared.next_message();
        let mut random = [0; 10];
        self.rng.fill(&mut random);
        Outgoing {
            client_id: Builder::from_unix_timestamp_millis(number, &random).into_uuid(),
            conversation: Id::clone(&self.group().id),
            sender: Id::clone(&self.user),
            text: format!("{number} of {}", self.shared.plan.seed),
        }
    }

    async fn let_somebody_in_or_out(&mut self) {
        let (shared, group) = (Arc::clone(&self.shared), self.group);
        let group = &shared.groups[group];
        let Some(visitor) = self.rng.choice(&group.visitors) else { return };
        let comes = self.rng.bool();
        shared
            .answered(|| async {
                if comes {
                    shared.messenger.add(&group.owner, &group.id, visitor).await
                } else {
                    shared.messenger.remove(&group.owner, &group.id, visitor).await
                }
            })
            .await;
    }

    fn group(&self) -> &Group {
        &self.shared.groups[self.group]
    }
}
