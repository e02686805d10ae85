//! What the writer keeps beside the tables, so that a send costs no query for what it already knows: heads, who may
//! send where, and which sessions have ended. All of it can be read from the tables again.
//!
//! A batch stages its changes in [`Staged`]; they become [`Memory`] after its commit, or are dropped with its rollback.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::Arc;

use lru::LruCache;
use tidings_core::clock::Timestamp;
use tidings_core::conversations::{Audience, Head, Role};
use tidings_core::ids::{ConversationId, LogId, Pos, SessionId, StreamId, UserId};

use crate::heads::{Dirty, Overlay};

/// Heads that are remembered, each about 150 bytes; dirty ones stand in the overlay as well.
const HEADS_CACHED_MAX: NonZeroUsize = NonZeroUsize::new(100_000).unwrap();
/// Senders that are remembered, each about 100 bytes.
const SENDERS_CACHED_MAX: NonZeroUsize = NonZeroUsize::new(100_000).unwrap();
/// With more ended sessions than this, those whose tokens have expired are looked for at the next one.
const ENDED_SWEPT_ABOVE: usize = 10_000;

/// One who is in a conversation, as a send needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sender {
    pub from_pos: Pos,
    pub role: Role,
    /// Who may send in that conversation.
    pub send: Audience,
}

impl Sender {
    pub(crate) fn may_send(&self) -> bool {
        self.send.includes(self.role)
    }
}

/// What the writer remembers between batches.
#[derive(Debug)]
pub(crate) struct Memory {
    pub overlay: Arc<Overlay>,
    pub log: LogId,
    heads: LruCache<StreamId, Head>,
    senders: LruCache<(ConversationId, UserId), Sender>,
    ended: HashMap<SessionId, Timestamp>,
}

/// What a batch has changed so far.
#[derive(Debug)]
pub(crate) struct Staged {
    /// The last place in the log that was given.
    pub log: LogId,
    pub dirty: HashMap<StreamId, Dirty>,
    /// As loaded in this batch; nothing where the membership was changed in it.
    pub senders: HashMap<(ConversationId, UserId), Option<Sender>>,
    pub ended: HashMap<SessionId, Timestamp>,
}

impl Memory {
    pub(crate) fn new(overlay: Arc<Overlay>, log: LogId, ended: HashMap<SessionId, Timestamp>) -> Self {
        Self {
            overlay,
            log,
            heads: LruCache::new(HEADS_CACHED_MAX),
            senders: LruCache::new(SENDERS_CACHED_MAX),
            ended,
        }
    }

    pub(crate) fn stage(&self) -> Staged {
        Staged { log: self.log, dirty: HashMap::new(), senders: HashMap::new(), ended: HashMap::new() }
    }

    /// The newest head as of the last commit, if it is remembered.
    pub(crate) fn head(&self, stream: StreamId) -> Option<Head> {
        // Every commit puts its heads in front, so a look need not.
        self.heads.peek(&stream).copied().or_else(|| self.overlay.head(stream))
    }

    pub(crate) fn sender(&mut self, conversation: ConversationId, user: UserId) -> Option<Sender> {
        self.senders.get(&(conversation, user)).copied()
    }

    pub(crate) fn has_ended(&self, session: SessionId) -> bool {
        self.ended.contains_key(&session)
    }

    /// Takes over what was committed.
    pub(crate) fn apply(&mut self, staged: Staged) {
        for (stream, dirty) in &staged.dirty {
            self.heads.put(*stream, dirty.head);
        }
        let memberships_changed = staged.senders.values().any(Option::is_none);
        for (key, sender) in staged.senders {
            match sender {
                Some(sender) => self.senders.put(key, sender),
                None => self.senders.pop(&key),
            };
        }
        self.ended.extend(staged.ended);
        self.log = staged.log;
        self.overlay.merge(staged.log, staged.dirty, memberships_changed);
    }

    /// Forgets ended sessions whose last access token has expired.
    pub(crate) fn sweep_ended(&mut self, now: Timestamp) {
        if self.ended.len() > ENDED_SWEPT_ABOVE {
            self.ended.retain(|_, until| *until > now);
        }
    }
}
