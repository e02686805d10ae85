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
use crate::limits::{RECEIPTS_GATHERED_MS, RECEIPTS_WAITING_MAX, RECEIPTS_WRITTEN_MAX};
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

/// By the device that waits.
type Gathered = HashMap<SessionId, Waiting>;

struct Waiting {
    request: MarkRequest,
    answers: Vec<oneshot::Sender<Result<Standing, Error>>>,
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
        let new = Waiting { request: request(actor, kind, seq), answers: vec![answer] };
        if self.gather(conversation, new)? {
            tokio::spawn(Arc::clone(&self).write_until_quiet(conversation));
        }
        // The task answers everybody, or has died with the runtime.
        answered.await.unwrap_or(Err(Error::Store(StoreError::OutcomeUnknown)))
    }

    /// What somebody marks unread is not read by a mark of theirs that came before and still waits.
    pub(super) fn hold_back(&self, conversation: ConversationId, user: UserId, unread_from: Seq) {
        let mut waiting = self.waiting.lock();
        let gathered = waiting.get_mut(&conversation).into_iter().flat_map(HashMap::values_mut);
        for one in gathered.filter(|one| one.request.actor.user == user) {
            one.request.read = one.request.read.map(|read| read.min(unread_from.previous()));
        }
    }

    /// True where nobody writes this conversation's.
    fn gather(&self, conversation: ConversationId, new: Waiting) -> Result<bool, Error> {
        let mut waiting = self.waiting.lock();
        match waiting.entry(conversation) {
            Entry::Vacant(entry) => {
                entry.insert(HashMap::from([(new.request.actor.session, new)]));
                Ok(true)
            }
            Entry::Occupied(mut entry) => {
                let gathered = entry.get_mut();
                let is_full = gathered.len() >= RECEIPTS_WAITING_MAX;
                match gathered.entry(new.request.actor.session) {
                    Entry::Occupied(mut same) => same.get_mut().join(new),
                    Entry::Vacant(_) if is_full => return Err(Error::Store(StoreError::Overloaded)),
                    Entry::Vacant(place) => drop(place.insert(new)),
                }
                Ok(false)
            }
        }
    }

    async fn write_until_quiet(self: Arc<Self>, conversation: ConversationId) {
        let mut writing = Writing { receipts: &self, conversation, is_over: false };
        while let Some(gathered) = self.take(conversation) {
            for part in in_parts(gathered.into_values()) {
                self.write(conversation, part).await;
            }
            tokio::time::sleep(Duration::from_millis(RECEIPTS_GATHERED_MS)).await;
        }
        writing.is_over = true;
    }

    /// What has been gathered; nothing where nothing has come, and then the next mark is a first one.
    fn take(&self, conversation: ConversationId) -> Option<Gathered> {
        let mut waiting = self.waiting.lock();
        let gathered = std::mem::take(waiting.get_mut(&conversation)?);
        if gathered.is_empty() {
            waiting.remove(&conversation);
            return None;
        }
        Some(gathered)
    }

    async fn write(&self, conversation: ConversationId, part: Vec<Waiting>) {
        let (marks, answers): (Vec<_>, Vec<_>) =
            part.into_iter().map(|one| (one.request, one.answers)).unzip();
        let written =
            self.store.advance_marks(AdvanceMarks { conversation, marks, now: self.clock.now() }).await;
        let standings = match written {
            Ok(standings) => standings,
            Err(error) => answers.iter().map(|_| Err(Error::Store(error))).collect(),
        };
        for (answers, standing) in answers.into_iter().zip(standings) {
            for answer in answers {
                // Who has gone meanwhile needs no answer.
                let _ = answer.send(standing.clone());
            }
        }
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
    fn join(&mut self, new: Self) {
        self.request.read = self.request.read.max(new.request.read);
        self.request.delivered = self.request.delivered.max(new.request.delivered);
        self.answers.extend(new.answers);
    }
}

/// As many as one commit takes, and nobody twice in one: their devices have a session each.
fn in_parts(gathered: impl Iterator<Item = Waiting>) -> Vec<Vec<Waiting>> {
    let mut parts: Vec<Vec<Waiting>> = Vec::new();
    let mut places: HashMap<UserId, usize> = HashMap::new();
    for one in gathered {
        let next = places.entry(one.request.actor.user).or_default();
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

    fn waiting(user: u128, session: u128) -> Waiting {
        let actor = Actor {
            user: UserId(Uuid::from_u128(user)),
            session: SessionId(Uuid::from_u128(session)),
            app: AppId::DEFAULT,
            expires_at: Timestamp(0),
        };
        Waiting { request: request(actor, ReceiptKind::Read, Seq(1)), answers: Vec::new() }
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
        let actor = one.request.actor;
        one.join(Waiting { request: request(actor, ReceiptKind::Delivered, Seq(9)), answers: Vec::new() });
        one.join(Waiting { request: request(actor, ReceiptKind::Read, Seq(7)), answers: Vec::new() });
        one.join(Waiting { request: request(actor, ReceiptKind::Read, Seq(5)), answers: Vec::new() });
        assert_eq!((one.request.read, one.request.delivered), (Some(Seq(7)), Some(Seq(9))));
    }
}
