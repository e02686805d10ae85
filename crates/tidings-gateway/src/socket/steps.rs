//! The steps that only the Socket.IO server sees, as places at which a test lets the process die.

use tidings_core::fail_points::{FailPoint, reached};
use tidings_socketio::steps::{Step, observe};

pub(super) fn watch() {
    observe(|step| match step {
        Step::AckQueued => reached(FailPoint::AckQueued),
        Step::Flushing => reached(FailPoint::Flushing),
        Step::Flushed => reached(FailPoint::Flushed),
    });
}
