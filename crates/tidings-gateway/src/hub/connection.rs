//! What the gateway keeps of one connection: who it is, and whether it is live.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use parking_lot::{Mutex, MutexGuard};
use tidings_core::clock::Timestamp;
use tidings_core::fail_points::{FailPoint, reached};
use tidings_core::ids::{ConversationId, LogId};
use tidings_core::presence::Status;
use tidings_core::sessions::Actor;
use tidings_socketio::{Connection, SharedFrame};

use super::{Opening, Place};

/// What live frames may wait in the queue, as parts of it: the rest is for acknowledgements and for pages.
const LIVE_PARTS: (usize, usize) = (3, 4);
/// What a connection that is being brought up to date may hold back: when it goes live all of it goes into the queue
/// at once, beside the rest of the last page.
const HELD_PARTS: (usize, usize) = (1, 2);
/// Signals are dropped first.
const SIGNAL_PARTS: (usize, usize) = (1, 2);

/// One accepted connection.
pub struct Member {
    identity: Actor,
    /// When the token expires that it has shown last, in milliseconds.
    expires_at: AtomicI64,
    /// The token in the handshake.
    pub since: Option<String>,
    recovery_id: Mutex<Option<String>>,
    gate: Mutex<Gate>,
    screen: Mutex<Screen>,
    /// Nobody looks at it.
    is_away: AtomicBool,
    /// Signals have passed it by.
    has_missed: AtomicBool,
    queue_bytes_max: usize,
    _place: Place,
}

/// What is on a connection's screen.
#[derive(Debug, Default)]
pub struct Screen {
    shown: Vec<Shown>,
    /// How many there have been: each has its number.
    openings: u64,
    has_ended: bool,
}

/// A conversation on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Shown {
    conversation: ConversationId,
    opening: u64,
    /// Until then its signals are not shown, and nobody writes there.
    is_admitted: bool,
}

/// What happens to a live frame.
enum Gate {
    /// The connection is being brought up to date: it waits.
    Held { frames: Vec<(SharedFrame, LogId)>, bytes: usize },
    /// More came than may wait: it is passed over, and comes with the next catch-up.
    Behind,
    /// It goes out, if it is not part of the last catch-up already.
    Open {
        replayed_through: LogId,
        /// The device has everything up to here when it has read its queue.
        queued_through: LogId,
    },
}

impl Member {
    pub(crate) fn new(
        actor: Actor,
        since: Option<String>,
        recovery_id: String,
        queue_bytes_max: usize,
        place: Place,
    ) -> Self {
        let gate = Mutex::new(Gate::Held { frames: Vec::new(), bytes: 0 });
        Self {
            identity: actor,
            expires_at: AtomicI64::new(actor.expires_at.0),
            since,
            recovery_id: Mutex::new(Some(recovery_id)),
            gate,
            screen: Mutex::default(),
            is_away: AtomicBool::new(false),
            has_missed: AtomicBool::new(false),
            queue_bytes_max,
            _place: place,
        }
    }

    /// Who it is, by the token that it has shown last.
    pub fn actor(&self) -> Actor {
        Actor { expires_at: Timestamp(self.expires_at.load(Ordering::Relaxed)), ..self.identity }
    }

    /// It has shown one that lasts longer.
    pub fn prolong(&self, expires_at: Timestamp) {
        self.expires_at.store(expires_at.0, Ordering::Relaxed);
    }

    /// What the device may come back with; it is told once.
    pub fn take_recovery_id(&self) -> Option<String> {
        self.recovery_id.lock().take()
    }

    /// Takes a live frame, whose tag is its place in the log, and whose token says `next`. Gives the place up to which
    /// the device will have everything, when it falls behind by this frame: from there it must be caught up.
    pub fn deliver(&self, connection: &Connection<Self>, frame: &SharedFrame, next: LogId) -> Option<LogId> {
        let mut gate = self.gate.lock();
        match &mut *gate {
            Gate::Open { replayed_through, .. } if frame.tag() <= replayed_through.0 => {}
            Gate::Open { queued_through, .. } => {
                // One that has ended needs nothing any more.
                if connection.try_send(frame.clone(), self.share(LIVE_PARTS)) == Ok(false) {
                    let queued_through = *queued_through;
                    *gate = Gate::Behind;
                    return Some(queued_through);
                }
                *queued_through = next.max(*queued_through);
                reached(FailPoint::FrameQueued);
            }
            Gate::Held { frames, bytes } => {
                *bytes += frame.cost_bytes();
                if *bytes > self.share(HELD_PARTS) {
                    *gate = Gate::Behind;
                } else {
                    frames.push((frame.clone(), next));
                }
            }
            Gate::Behind => {}
        }
        None
    }

    /// Takes a signal, if it keeps up. Gives whether it did.
    pub fn signal(&self, connection: &Connection<Self>, frame: &SharedFrame) -> bool {
        self.is_live() && connection.try_send(frame.clone(), self.share(SIGNAL_PARTS)) == Ok(true)
    }

    /// Whether it gets events as they come.
    pub(super) fn is_live(&self) -> bool {
        matches!(*self.gate.lock(), Gate::Open { .. })
    }

    pub(super) fn screen(&self) -> MutexGuard<'_, Screen> {
        self.screen.lock()
    }

    /// Whether it has the conversation open.
    pub fn has_open(&self, conversation: ConversationId) -> bool {
        self.screen.lock().shown.iter().any(|shown| shown.conversation == conversation && shown.is_admitted)
    }

    /// Whether it has any open.
    pub fn shows_something(&self) -> bool {
        !self.screen.lock().shown.is_empty()
    }

    /// Whether signals have passed it by. Gives whether that has changed.
    pub fn set_missed(&self, has_missed: bool) -> bool {
        self.has_missed.swap(has_missed, Ordering::Relaxed) != has_missed
    }

    /// Whether somebody looks at it.
    pub fn status(&self) -> Status {
        if self.is_away.load(Ordering::Relaxed) { Status::Away } else { Status::Online }
    }

    /// Somebody looks at it, or nobody.
    pub fn set_away(&self, is_away: bool) {
        self.is_away.store(is_away, Ordering::Relaxed);
    }

    /// From here on live frames wait, for the end of a catch-up that begins now.
    pub fn hold(&self) {
        *self.gate.lock() = Gate::Held { frames: Vec::new(), bytes: 0 };
    }

    /// Goes live: what `say` says first, then what was held back and is not part of the catch-up, then everything as it
    /// comes. False where more has come meanwhile than could be held: then there is another catch-up to do.
    pub fn go_live(
        &self,
        connection: &Connection<Self>,
        replayed_through: LogId,
        say: impl FnOnce(),
    ) -> bool {
        let mut gate = self.gate.lock();
        let frames = match &mut *gate {
            Gate::Behind => return false,
            Gate::Held { frames, .. } => std::mem::take(frames),
            Gate::Open { .. } => Vec::new(),
        };
        say();
        let mut queued_through = replayed_through;
        for (frame, next) in frames.into_iter().filter(|(frame, _)| frame.tag() > replayed_through.0) {
            queued_through = queued_through.max(next);
            let _ = connection.send(frame);
        }
        *gate = Gate::Open { replayed_through, queued_through };
        true
    }

    fn share(&self, (parts, of): (usize, usize)) -> usize {
        self.queue_bytes_max / of * parts
    }
}

impl Screen {
    pub(super) fn open(&mut self, conversation: ConversationId, max: usize) -> Opening {
        if self.has_ended {
            return Opening::Ended;
        }
        if let Some(shown) = self.shown.iter().find(|shown| shown.conversation == conversation) {
            return if shown.is_admitted { Opening::Open } else { Opening::Waits };
        }
        if self.shown.len() >= max {
            return Opening::Full;
        }
        self.openings += 1;
        self.shown.push(Shown { conversation, opening: self.openings, is_admitted: false });
        Opening::Begun(self.openings)
    }

    /// Gives whether that opening was still there.
    pub(super) fn admit(&mut self, conversation: ConversationId, opening: u64) -> bool {
        let mut shown = self.shown.iter_mut();
        let found = shown.find(|shown| shown.conversation == conversation && shown.opening == opening);
        found.map(|shown| shown.is_admitted = true).is_some()
    }

    /// Whether that opening was neither admitted nor closed.
    pub(super) fn is_waiting(&self, conversation: ConversationId, opening: u64) -> bool {
        let waiting = Shown { conversation, opening, is_admitted: false };
        self.shown.contains(&waiting)
    }

    /// Gives whether it was there.
    pub(super) fn close(&mut self, conversation: ConversationId) -> bool {
        let index = self.shown.iter().position(|shown| shown.conversation == conversation);
        index.map(|index| self.shown.swap_remove(index)).is_some()
    }

    /// Nothing is opened any more. Gives what was open.
    pub(super) fn end(&mut self) -> Vec<ConversationId> {
        self.has_ended = true;
        std::mem::take(&mut self.shown).into_iter().map(|shown| shown.conversation).collect()
    }
}
