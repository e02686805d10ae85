//! What clients write down.
//!
//! Writing is cheap: a lock of the device's own and a push. Moments are numbers that grow with each record, not times:
//! they say what came before what.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use uuid::Uuid;

use super::{Answer, Id, Message, Outgoing};

/// Where an acknowledged message stands.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Place {
    /// The system's id of the message.
    pub message_id: String,
    /// Its place among the messages of the conversation.
    pub seq: u64,
    /// Its place among the events, where the answer says so.
    pub pos: Option<u64>,
}

/// One message that a client wanted to send, under one client message id, and all answers to it.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// What was sent.
    pub message: Outgoing,
    /// When it was sent first.
    pub invoked_at: u64,
    /// When the first success came.
    pub acknowledged_at: Option<u64>,
    /// The successes; they should be equal.
    pub places: Vec<Place>,
    /// The code of a refusal.
    pub refused: Option<String>,
    /// Times that no answer came.
    pub unanswered: u64,
}

/// One message on a device's screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// Where.
    pub conversation: Id,
    /// What.
    pub message: Message,
    /// It was delivered, live or in a replay; otherwise the device loaded a window of history.
    pub was_delivered: bool,
}

/// What one device wrote down.
#[derive(Debug, Clone, Default)]
pub struct DeviceRecord {
    /// The device.
    pub device: Id,
    /// Whose it is.
    pub user: Id,
    /// Of these conversations it shows what comes after this `seq` only; of all others everything.
    pub begins_after: HashMap<Id, u64>,
    /// What it showed, in that order.
    pub shown: Vec<Shown>,
    /// Read marks that it saw of its user, by conversation, in that order.
    pub read_marks: Vec<(Id, u64)>,
    /// Since when it has been connected; nothing when it is away.
    pub connected_at: Option<u64>,
    /// It was switched off for good: it is owed no more than it has shown.
    pub has_ended: bool,
    /// Frames that it dropped because it had them.
    pub repeats: u64,
    /// Gaps that it found.
    pub gaps: u64,
}

/// What all clients wrote down since the last [`Recorder::take`].
#[derive(Debug, Clone, Default)]
pub struct Records {
    /// What was sent.
    pub attempts: Vec<Attempt>,
    /// What was shown.
    pub devices: Vec<DeviceRecord>,
}

/// Where clients write.
#[derive(Debug, Default)]
pub struct Recorder {
    moments: Arc<AtomicU64>,
    attempts: Mutex<HashMap<Uuid, Attempt>>,
    devices: Mutex<Vec<Arc<DeviceLog>>>,
}

impl Recorder {
    /// A message is about to be sent, for the first time or again.
    pub fn invoke(&self, message: &Outgoing) {
        let invoked_at = next_moment(&self.moments);
        self.attempts.lock().entry(message.client_id).or_insert_with(|| Attempt {
            message: message.clone(),
            invoked_at,
            acknowledged_at: None,
            places: Vec::new(),
            refused: None,
            unanswered: 0,
        });
    }

    /// An answer came to a message that was [invoked](Self::invoke) since the last [`Self::take`], or it is clear that
    /// none will come.
    pub fn answer(&self, client_id: Uuid, answer: &Answer) {
        let mut attempts = self.attempts.lock();
        let Some(attempt) = attempts.get_mut(&client_id) else { return };
        match answer {
            Answer::Acknowledged(place) => {
                attempt.acknowledged_at.get_or_insert_with(|| next_moment(&self.moments));
                if !attempt.places.contains(place) {
                    attempt.places.push(place.clone());
                }
            }
            Answer::Refused(code) => attempt.refused = Some(code.clone()),
            Answer::Unknown => attempt.unanswered += 1,
        }
    }

    /// A device is switched on. Of the conversations in `begins_after` it will show what comes after that `seq` only.
    pub fn device(&self, device: Id, user: Id, begins_after: HashMap<Id, u64>) -> Arc<DeviceLog> {
        let record = DeviceRecord { device, user, begins_after, ..DeviceRecord::default() };
        let inner = Mutex::new(Inner { record, last_seqs: HashMap::new() });
        let log = Arc::new(DeviceLog { moments: Arc::clone(&self.moments), inner });
        self.devices.lock().push(Arc::clone(&log));
        log
    }

    /// The devices that are switched on.
    #[must_use]
    pub fn devices(&self) -> Vec<Arc<DeviceLog>> {
        self.devices.lock().iter().filter(|log| !log.inner.lock().record.has_ended).cloned().collect()
    }

    /// Takes out what was written so far. Devices that are on write on.
    #[must_use]
    pub fn take(&self) -> Records {
        let attempts = std::mem::take(&mut *self.attempts.lock()).into_values().collect();
        let mut devices = self.devices.lock();
        let records: Vec<_> = devices.iter().map(|log| log.inner.lock().take()).collect();
        devices.retain(|log| !log.inner.lock().record.has_ended);
        Records { attempts, devices: records }
    }
}

/// Where one device writes.
#[derive(Debug)]
pub struct DeviceLog {
    moments: Arc<AtomicU64>,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    record: DeviceRecord,
    /// Outlives [`Recorder::take`].
    last_seqs: HashMap<Id, u64>,
}

impl DeviceLog {
    /// Shows a message.
    pub fn show(&self, shown: Shown) {
        let mut inner = self.inner.lock();
        match inner.last_seqs.get_mut(&shown.conversation) {
            Some(last) => *last = shown.message.seq.max(*last),
            None => {
                inner.last_seqs.insert(Arc::clone(&shown.conversation), shown.message.seq);
            }
        }
        inner.record.shown.push(shown);
    }

    /// Sees its user's read mark.
    pub fn read_mark(&self, conversation: &Id, seq: u64) {
        self.inner.lock().record.read_marks.push((Arc::clone(conversation), seq));
    }

    /// Begins to be connected.
    pub fn connected(&self) {
        self.inner.lock().record.connected_at = Some(next_moment(&self.moments));
    }

    /// Is away from here on.
    pub fn disconnected(&self) {
        self.inner.lock().record.connected_at = None;
    }

    /// Drops a frame that it has.
    pub fn repeat(&self) {
        self.inner.lock().record.repeats += 1;
    }

    /// Finds a gap.
    pub fn gap(&self) {
        self.inner.lock().record.gaps += 1;
    }

    /// Is switched off for good.
    pub fn end(&self) {
        self.inner.lock().record.has_ended = true;
    }

    /// Whether it is connected and live.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.inner.lock().record.connected_at.is_some()
    }

    /// Whose device it is.
    #[must_use]
    pub fn user(&self) -> Id {
        Arc::clone(&self.inner.lock().record.user)
    }

    /// The last message that it has shown of a conversation, or after which it begins.
    #[must_use]
    pub fn last_seq(&self, conversation: &Id) -> u64 {
        let inner = self.inner.lock();
        let begins_after = inner.record.begins_after.get(conversation).copied().unwrap_or_default();
        inner.last_seqs.get(conversation).copied().unwrap_or_default().max(begins_after)
    }
}

impl Inner {
    fn take(&mut self) -> DeviceRecord {
        let record = &mut self.record;
        DeviceRecord {
            shown: std::mem::take(&mut record.shown),
            read_marks: std::mem::take(&mut record.read_marks),
            repeats: std::mem::take(&mut record.repeats),
            gaps: std::mem::take(&mut record.gaps),
            ..record.clone()
        }
    }
}

fn next_moment(moments: &AtomicU64) -> u64 {
    moments.fetch_add(1, Ordering::Relaxed)
}
