//! How much of what.

use std::time::Duration;

/// How many people and groups, and how they behave.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Everything random follows from it.
    pub seed: u64,
    /// Conversations.
    pub groups: usize,
    /// People who stay; the groups are dealt among them.
    pub members: usize,
    /// Members of one group.
    pub members_in_group: usize,
    /// People who come late to every group, are removed and come again.
    pub visitors: usize,
    /// Sends that one person has in flight in one group.
    pub lanes: usize,
    /// Sends of one lane in one load; without it a load ends when it is stopped.
    pub sends_max: Option<u64>,
    /// After so many of the owner's sends somebody comes or goes.
    pub churn_every: u64,
    /// Of the sends that got no answer, one of so many is not tried again.
    pub given_up_one_in: u64,
    /// A restless device leaves after at most so many arrivals.
    pub stay_arrivals_max: u64,
    /// A restless device is away for at most so long.
    pub away_max: Duration,
    /// Before what was not answered is tried again.
    pub retry_pause: Duration,
    /// How long to wait for what must come.
    pub patience: Duration,
}

impl Plan {
    /// A few people in three groups, 40 sends a lane.
    #[must_use]
    pub fn small(seed: u64) -> Self {
        Self {
            seed,
            groups: 3,
            members: 4,
            members_in_group: 3,
            visitors: 2,
            lanes: 2,
            sends_max: Some(40),
            churn_every: 7,
            given_up_one_in: 8,
            stay_arrivals_max: 150,
            away_max: Duration::from_millis(20),
            retry_pause: Duration::from_millis(10),
            patience: Duration::from_secs(30),
        }
    }
}
