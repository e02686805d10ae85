//! Receipts are gathered before they are written: when a message comes, everybody in the conversation reads it in the
//! same moment, and each commit and event would cost as much as the message itself.
//!
//! The first mark of a conversation is written at once; what comes then is written together, half a second after. Who
//! has marked waits for the commit.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::clock::Clock;
use crate::conversations::Error;
use crate::error::StoreError;
use crate::ids::{ConversationId, Seq, SessionId, UserId};
use crate::limits::{
    RECEIPTS_GATHERED_MS, RECEIPTS_OF_DEVICE_MAX, RECEIPTS_WAITING_MAX, RECEIPTS_WRITTEN_MAX,
};
use crate::ports::store::{AdvanceMarks, MarkRequest, Store};
use crate::sessions::Actor;

use super::{ReceiptKind, Standing};

/// The receipts that are on their way to the store.
pub struct Receipts {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    /// Conversations that were written less than half a second ago, with what has come since.
    waiting: Mutex<HashMap<ConversationId, Gathered>>,
}

#[derive(Default)]
struct Gathered {
    /// By the device that waits.
    marks: HashMap<SessionId, Waiting>,
    /// Who goes on when these are written.
    barriers: Vec<oneshot::Sender<()>>,
    /// Marks that came before these are being written.
    is_writing: bool,
}

/// The marks of one device, of which the furthest stands.
struct Waiting {
    actor: Actor,
    asked: Vec<Asked>,
}

struct Asked {
    kind: ReceiptKind,
    seq: Seq,
    answer: oneshot::Sender<Result<Standing, Error>>,
}

impl Receipts {
    /// None.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Self { store, clock, waiting: Mutex::default() })
    }

    pub(super) async fn mark(
        self: Arc<Self>,
        actor: Actor,
        conversation: ConversationId,
        kind: ReceiptKind,
        seq: Seq,
    ) -> Result<Standing, Error> {
        let (answer, answered) = oneshot::channel();
        if self.gather(conversation, actor, Asked { kind, seq, answer })? {
            tokio::spawn(Arc::clone(&self).write_until_quiet(conversation));
        }
        // The task answers everybody, or has died with the runtime.
        answered.await.unwrap_or(Err(Error::Store(StoreError::OutcomeUnknown)))
    }

    /// Goes on when the marks of a person that came before are written, so that what is asked next comes after them.
    pub(super) async fn written(&self, conversation: ConversationId, user: UserId) -> Result<(), Error> {
        let (written, goes_on) = oneshot::channel();
        match self.waiting.lock().get_mut(&conversation) {
            Some(gathered) if gathered.is_writing || gathered.has(user) => {
                if gathered.barriers.len() >= RECEIPTS_WAITING_MAX {
                    return Err(Error::Store(StoreError::Overloaded));
                }
                gathered.barriers.push(written);
            }
            _ => return Ok(()),
        }
        // Also where the task has ended without it: then nothing is being written any more.
        let _ = goes_on.await;
        Ok(())
    }

    /// True where nobody writes this conversation's.
    fn gather(&self, conversation: ConversationId, actor: Actor, asked: Asked) -> Result<bool, Error> {
        let mut waiting = self.waiting.lock();
        let (gathered, is_first) = match waiting.entry(conversation) {
            Entry::Vacant(entry) => (entry.insert(Gathered::default()), true),
            Entry::Occupied(entry) => (entry.into_mut(), false),
        };
        let is_full = gathered.marks.len() >= RECEIPTS_WAITING_MAX;
        match gathered.marks.entry(actor.session) {
            Entry::Occupied(same) if same.get().asked.len() >= RECEIPTS_OF_DEVICE_MAX => {
                return Err(Error::Store(StoreError::Overloaded));
            }
            Entry::Occupied(mut same) => same.get_mut().asked.push(asked),
            Entry::Vacant(_) if is_full => return Err(Error::Store(StoreError::Overloaded)),
            Entry::Vacant(place) => drop(place.insert(Waiting { actor, asked: vec![asked] })),
        }
        Ok(is_first)
    }

    async fn write_until_quiet(self: Arc<Self>, conversation: ConversationId) {
        let mut writing = Writing { receipts: &self, conversation, is_over: false };
        while let Some(Gathered { marks, barriers, .. }) = self.take(conversation) {
            for part in in_parts(marks.into_values()) {
                self.write(conversation, part).await;
            }
            self.end_writing(conversation);
            // Dropped or told is the same to them.
            drop(barriers);
            tokio::time::sleep(Duration::from_millis(RECEIPTS_GATHERED_MS)).await;
        }
        writing.is_over = true;
    }

    /// What has been gathered; nothing where nothing has come, and then the next mark is a first one.
    fn take(&self, conversation: ConversationId) -> Option<Gathered> {
        let mut waiting = self.waiting.lock();
        let gathered = waiting.get_mut(&conversation)?;
        if gathered.marks.is_empty() && gathered.barriers.is_empty() {
            waiting.remove(&conversation);
            return None;
        }
        Some(std::mem::replace(gathered, Gathered { is_writing: true, ..Gathered::default() }))
    }

    /// Whoever waited for what was being written goes on.
    fn end_writing(&self, conversation: ConversationId) {
        if let Some(gathered) = self.waiting.lock().get_mut(&conversation) {
            gathered.is_writing = false;
        }
    }

    /// Writes the furthest of each. Where that cannot be, what else the device has asked is looked at by itself: one
    /// mark that makes no sense refuses no other.
    async fn write(&self, conversation: ConversationId, part: Vec<Waiting>) {
        let requests = part.iter().map(Waiting::furthest).collect();
        let standings = self.advance(conversation, requests).await;
        for (one, standing) in part.into_iter().zip(standings) {
            let is_mixed = one.asked.len() > 1 && matches!(standing, Err(Error::Invalid(_)));
            for asked in one.asked {
                let standing = if is_mixed {
                    let alone = request(one.actor, asked.kind, asked.seq);
                    let mut standings = self.advance(conversation, vec![alone]).await;
                    standings.pop().unwrap_or(Err(Error::Store(StoreError::OutcomeUnknown)))
                } else {
                    standing.clone()
                };
                // Who has gone meanwhile needs no answer.
                let _ = asked.answer.send(standing);
            }
        }
    }

    async fn advance(
        &self,
        conversation: ConversationId,
        marks: Vec<MarkRequest>,
    ) -> Vec<Result<Standing, Error>> {
        let count = marks.len();
        let written =
            self.store.advance_marks(AdvanceMarks { conversation, marks, now: self.clock.now() }).await;
        written.unwrap_or_else(|error| vec![Err(Error::Store(error)); count])
    }
}

impl Gathered {
    fn has(&self, user: UserId) -> bool {
        self.marks.values().any(|one| one.actor.user == user)
    }
}

/// A task that ends before it is over (a panic, a runtime that stops) lets nobody wait for it, and another one begin.
struct Writing<'a> {
    receipts: &'a Receipts,
    conversation: ConversationId,
    is_over: bool,
}

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            self.receipts.waiting.lock().remove(&self.conversation);
        }
    }
}

fn request(actor: Actor, kind: ReceiptKind, seq: Seq) -> MarkRequest {
    match kind {
        ReceiptKind::Read => MarkRequest { actor, read: Some(seq), delivered: None },
        ReceiptKind::Delivered => MarkRequest { actor, read: None, delivered: Some(seq) },
    }
}

impl Waiting {
    fn furthest(&self) -> MarkRequest {
        let none = MarkRequest { actor: self.actor, read: None, delivered: None };
        self.asked.iter().map(|asked| request(self.actor, asked.kind, asked.seq)).fold(none, |sum, one| {
            MarkRequest { read: sum.read.max(one.read), delivered: sum.delivered.max(one.delivered), ..sum }
        })
    }
}

/// As many as one commit takes, and nobody twice in one: their devices have a session each.
fn in_parts(gathered: impl Iterator<Item = Waiting>) -> Vec<Vec<Waiting>> {
    let mut parts: Vec<Vec<Waiting>> = Vec::new();
    let mut places: HashMap<UserId, usize> = HashMap::new();
    for one in gathered {
        let next = places.entry(one.actor.user).or_default();
        while parts.get(*next).is_some_and(|part| part.len() >= RECEIPTS_WRITTEN_MAX) {
            *next += 1;
        }
        if *next == parts.len() {
            parts.push(Vec::new());
        }
        parts[*next].push(one);
        *next += 1;
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::ids::AppId;
    use uuid::Uuid;

    fn asked(kind: ReceiptKind, seq: u64) -> Asked {
        Asked { kind, seq: Seq(seq), answer: oneshot::channel().0 }
    }

    fn waiting(user: u128, session: u128) -> Waiting {
        let actor = Actor {
            user: UserId(Uuid::from_u128(user)),
            session: SessionId(Uuid::from_u128(session)),
            app: AppId::DEFAULT,
            expires_at: Timestamp(0),
        };
        Waiting { actor, asked: vec![asked(ReceiptKind::Read, 1)] }
    }

    #[test]
    fn one_commit_takes_so_many_and_nobody_twice() {
        let max = RECEIPTS_WRITTEN_MAX as u128;
        let gathered = (0..max + 2).map(|user| waiting(user, 1)).chain([waiting(1, 2), waiting(1, 3)]);
        let sizes: Vec<_> = in_parts(gathered).iter().map(Vec::len).collect();
        assert_eq!(sizes, [RECEIPTS_WRITTEN_MAX, 3, 1]);
    }

    #[test]
    fn the_later_of_two_marks_of_one_device_stands() {
        let mut one = waiting(1, 1);
        for (kind, seq) in [(ReceiptKind::Delivered, 9), (ReceiptKind::Read, 7), (ReceiptKind::Read, 5)] {
            one.asked.push(asked(kind, seq));
        }
        let request = one.furthest();
        assert_eq!((request.read, request.delivered), (Some(Seq(7)), Some(Seq(9))));
    }
}
