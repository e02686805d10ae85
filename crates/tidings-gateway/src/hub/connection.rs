//! What the gateway keeps of one connection: who it is, and whether it is live.

use parking_lot::Mutex;
use tidings_core::fail_points::{FailPoint, reached};
use tidings_core::ids::LogId;
use tidings_core::sessions::Actor;
use tidings_socketio::{Connection, SharedFrame};

use super::Place;

/// What a connection that is being replayed may hold back, as a part of its queue: when it goes live all of it goes into
/// the queue at once.
const HELD_SHARE: usize = 2;

/// One accepted connection.
pub struct Member {
    /// Who it is.
    pub actor: Actor,
    /// The token in the handshake.
    pub since: Option<String>,
    gate: Mutex<Gate>,
    queue_bytes_max: usize,
    _place: Place,
}

/// What happens to a live frame.
enum Gate {
    /// The connection is being replayed: it waits.
    Closed { held: Vec<SharedFrame>, bytes: usize },
    /// It goes out, if it is not part of the replay already.
    Open { replayed_through: LogId },
}

impl Member {
    pub(crate) fn new(actor: Actor, since: Option<String>, queue_bytes_max: usize, place: Place) -> Self {
        let gate = Mutex::new(Gate::Closed { held: Vec::new(), bytes: 0 });
        Self { actor, since, gate, queue_bytes_max, _place: place }
    }

    /// Takes a live frame, whose tag is its place in the log.
    pub fn deliver(&self, connection: &Connection<Self>, frame: &SharedFrame) {
        let mut gate = self.gate.lock();
        match &mut *gate {
            Gate::Open { replayed_through } if frame.tag() > replayed_through.0 => {
                // A full queue closes the connection with its reason; the client resumes by its token.
                let _ = connection.send(frame.clone());
                reached(FailPoint::FrameQueued);
            }
            Gate::Open { .. } => {}
            Gate::Closed { held, bytes } => {
                *bytes += frame.cost_bytes();
                if *bytes > self.queue_bytes_max / HELD_SHARE {
                    *held = Vec::new();
                    connection.close("queue_full");
                } else {
                    held.push(frame.clone());
                }
            }
        }
    }

    /// Goes live: `ready` first, then what was held back and is not part of the replay, then everything as it comes.
    pub fn go_live(&self, connection: &Connection<Self>, replayed_through: LogId, ready_args: &str) {
        let mut gate = self.gate.lock();
        let _ = connection.emit("ready", ready_args);
        if let Gate::Closed { held, .. } = &mut *gate {
            for frame in held.drain(..).filter(|frame| frame.tag() > replayed_through.0) {
                let _ = connection.send(frame);
            }
        }
        *gate = Gate::Open { replayed_through };
    }
}
