//! Receipts are gathered before they are written: when a message comes, everybody in the conversation reads it in the
//! same moment, and each commit and event would cost as much as the message itself.
//!
//! The first mark of a conversation is written at once; what comes then is written together, half a second after. Who
//! has marked waits for the commit.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
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
    /// What waits for the next commit, by the device.
    marks: HashMap<SessionId, Waiting>,
    /// Whose marks are being written,
    writing: HashSet<UserId>,
    /// and who goes on when they are.
    written: Vec<oneshot::Sender<()>>,
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

    /// Writes the marks of a person that wait, at once, behind those that are being written: what is asked next comes
    /// after them, and before what that person marks from now on.
    pub(super) async fn write_those_of(
        self: &Arc<Self>,
        conversation: ConversationId,
        user: UserId,
    ) -> Result<(), Error> {
        let (before, own) = match self.waiting.lock().get_mut(&conversation) {
            Some(gathered) => (gathered.behind(user)?, gathered.take_those_of(user)),
            None => return Ok(()),
        };
        if before.is_none() && own.is_empty() {
            return Ok(());
        }
        let receipts = Arc::clone(self);
        let writing = async move {
            if let Some(before) = before {
                // Dropped or told is the same.
                let _ = before.await;
            }
            for part in in_parts(own.into_iter()) {
                receipts.write(conversation, part).await;
            }
        };
        // Whoever has marked waits for it, also when who asks now has gone.
        tokio::spawn(writing).await.map_err(|_| Error::Store(StoreError::OutcomeUnknown))
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
        while let Some(marks) = self.take(conversation) {
            for part in in_parts(marks.into_values()) {
                self.write(conversation, part).await;
            }
            self.end_writing(conversation);
            tokio::time::sleep(Duration::from_millis(RECEIPTS_GATHERED_MS)).await;
        }
        writing.is_over = true;
    }

    /// What has been gathered; nothing where nothing has come, and then the next mark is a first one.
    fn take(&self, conversation: ConversationId) -> Option<HashMap<SessionId, Waiting>> {
        let mut waiting = self.waiting.lock();
        let gathered = waiting.get_mut(&conversation)?;
        if gathered.marks.is_empty() {
            waiting.remove(&conversation);
            return None;
        }
        let marks = std::mem::take(&mut gathered.marks);
        gathered.writing = marks.values().map(|one| one.actor.user).collect();
        Some(marks)
    }

    /// Whoever waited for it goes on.
    fn end_writing(&self, conversation: ConversationId) {
        if let Some(gathered) = self.waiting.lock().get_mut(&conversation) {
            gathered.writing.clear();
            gathered.written.clear();
        }
    }

    /// Writes the furthest of each. Where that is no message yet, the others that the device has asked are written
    /// without it: one mark that makes no sense refuses no other.
    async fn write(&self, conversation: ConversationId, part: Vec<Waiting>) {
        let requests = part.iter().map(|one| one.furthest(&one.asked)).collect();
        let standings = self.advance(conversation, requests).await;
        let mut mixed = Vec::new();
        for (one, standing) in part.into_iter().zip(standings) {
            match standing {
                Err(refusal @ Error::Invalid(_)) if one.asked.len() > 1 => mixed.push((one, refusal)),
                standing => answer(one.asked, &standing),
            }
        }
        for (one, refusal) in mixed {
            self.write_what_makes_sense(conversation, one, refusal).await;
        }
    }

    async fn write_what_makes_sense(&self, conversation: ConversationId, mut one: Waiting, refusal: Error) {
        let view = match self.store.find_conversation(one.actor.user, conversation).await {
            Ok(Some(view)) => view,
            Ok(None) => return answer(one.asked, &Err(Error::NotFound)),
            Err(error) => return answer(one.asked, &Err(Error::Store(error))),
        };
        let asked = std::mem::take(&mut one.asked);
        let (right, wrong): (Vec<_>, Vec<_>) =
            asked.into_iter().partition(|asked| asked.seq <= view.last_seq);
        answer(wrong, &Err(refusal));
        if !right.is_empty() {
            let mut standings = self.advance(conversation, vec![one.furthest(&right)]).await;
            answer(right, &standings.pop().unwrap_or(Err(Error::Store(StoreError::OutcomeUnknown))));
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
    /// Goes on when marks of the person are written that are being written now; nothing where none are.
    fn behind(&mut self, user: UserId) -> Result<Option<oneshot::Receiver<()>>, Error> {
        if !self.writing.contains(&user) {
            return Ok(None);
        }
        if self.written.len() >= RECEIPTS_WAITING_MAX {
            return Err(Error::Store(StoreError::Overloaded));
        }
        let (tell, written) = oneshot::channel();
        self.written.push(tell);
        Ok(Some(written))
    }

    fn take_those_of(&mut self, user: UserId) -> Vec<Waiting> {
        self.marks.extract_if(|_, one| one.actor.user == user).map(|(_, one)| one).collect()
    }
}

/// Who has gone meanwhile needs no answer.
fn answer(asked: Vec<Asked>, standing: &Result<Standing, Error>) {
    for asked in asked {
        let _ = asked.answer.send(standing.clone());
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

impl Waiting {
    /// What these come to.
    fn furthest(&self, asked: &[Asked]) -> MarkRequest {
        let none = MarkRequest { actor: self.actor, read: None, delivered: None };
        asked.iter().fold(none, |sum, asked| match asked.kind {
            ReceiptKind::Read => MarkRequest { read: sum.read.max(Some(asked.seq)), ..sum },
            ReceiptKind::Delivered => MarkRequest { delivered: sum.delivered.max(Some(asked.seq)), ..sum },
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
        let request = one.furthest(&one.asked);
        assert_eq!((request.read, request.delivered), (Some(Seq(7)), Some(Seq(9))));
    }
}
