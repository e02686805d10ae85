//! The services, and what they are made of. Every transport calls these; each function lives with its noun.

use std::sync::Arc;

use crate::accounts::{LoginGuard, Passwords};
use crate::clock::Clock;
use crate::conversations::ConversationIds;
use crate::counters::Counters;
use crate::delivery::Delivery;
use crate::idempotency::RequestMacs;
use crate::ids::IdSource;
use crate::limits::Limits;
use crate::ports::rate_limit::RateLimiter;
use crate::ports::store::Store;
use crate::receipts::Receipts;
use crate::sessions::{AccessTokens, RefreshSecret, Revocations};
use crate::signals::Signals;
use crate::sync::RecoveryIds;

/// What the services of one node are made of.
pub struct Services {
    /// Truth.
    pub store: Arc<dyn Store>,
    /// The present.
    pub clock: Arc<dyn Clock>,
    /// New ids.
    pub ids: Arc<dyn IdSource>,
    /// Every limit that a client can meet.
    pub limits: Limits,
    /// Ended sessions.
    pub revocations: Arc<Revocations>,
    /// From the log to the connections.
    pub delivery: Arc<Delivery>,
    /// Signs and verifies access tokens.
    pub access: Arc<AccessTokens>,
    /// Who is writing, who is here.
    pub signals: Arc<Signals>,
    /// What they have counted.
    pub counters: Counters,
    pub(crate) rates: Option<Arc<dyn RateLimiter>>,
    pub(crate) login_guard: Arc<LoginGuard>,
    pub(crate) passwords: Passwords,
    pub(crate) refresh_secret: RefreshSecret,
    pub(crate) request_macs: RequestMacs,
    pub(crate) conversation_ids: ConversationIds,
    pub(crate) recovery_ids: RecoveryIds,
    pub(crate) receipts: Arc<Receipts>,
    pub(crate) cold_catch_ups: tokio::sync::Semaphore,
}

/// What a node brings along to make its services.
pub struct Parts {
    /// Truth.
    pub store: Arc<dyn Store>,
    /// The present.
    pub clock: Arc<dyn Clock>,
    /// New ids.
    pub ids: Arc<dyn IdSource>,
    /// Every limit that a client can meet.
    pub limits: Limits,
    /// Ended sessions, shared with the delivery that learns of them.
    pub revocations: Arc<Revocations>,
    /// From the log to the connections.
    pub delivery: Arc<Delivery>,
    /// Who is writing, who is here; shared with the delivery that tells it who is in a conversation.
    pub signals: Arc<Signals>,
    /// Signs and verifies access tokens.
    pub access: Arc<AccessTokens>,
    /// Hashes passwords.
    pub passwords: Passwords,
    /// Counts who does what how often; none where nobody is limited.
    pub rates: Option<Arc<dyn RateLimiter>>,
}

impl Services {
    /// Services over these parts.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let secret = parts.store.id_secret();
        Self {
            refresh_secret: RefreshSecret::new(&secret),
            request_macs: RequestMacs::new(&secret),
            conversation_ids: ConversationIds::new(&secret),
            recovery_ids: RecoveryIds::new(&secret, parts.store.epoch()),
            receipts: Receipts::new(Arc::clone(&parts.store), Arc::clone(&parts.clock)),
            cold_catch_ups: tokio::sync::Semaphore::new(parts.limits.sync_cold_max),
            store: parts.store,
            clock: parts.clock,
            ids: parts.ids,
            limits: parts.limits,
            revocations: parts.revocations,
            delivery: parts.delivery,
            signals: parts.signals,
            access: parts.access,
            passwords: parts.passwords,
            counters: Counters::default(),
            rates: parts.rates,
            login_guard: Arc::default(),
        }
    }
}
