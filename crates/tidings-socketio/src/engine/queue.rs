//! What waits to be written of one session, within its budget, and who will write it.

use std::collections::VecDeque;

use super::pending::Pending;
use crate::close::CloseReason;
use crate::frame::SharedFrame;

/// Why a frame was not queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The connection has ended or is about to.
    #[error("the connection is closed")]
    Closed,
    /// The client reads too slowly; this frame went over the budget, and the connection is being closed.
    #[error("the connection's queue is full")]
    QueueFull,
}

#[derive(Default)]
pub(super) struct Queue {
    pub(super) frames: Pending,
    /// What is queued and what was taken but is not written, summed.
    pub(super) bytes: usize,
    /// The last tag that was written, 0 for none.
    pub(super) written_tag: u64,
    pub(super) flush: Flush,
    /// Somebody waits to hear that something was written.
    pub(super) is_awaited: bool,
    /// The first wish wins.
    pub(super) close: Option<CloseReason>,
    /// Something else is wished of the task.
    pub(super) is_called: bool,
    /// The application's part is over, though the task may still write.
    pub(super) is_ended: bool,
    /// Do not even say goodbye.
    pub(super) is_aborted: bool,
}

/// What one write finished.
#[derive(Debug, Default)]
pub(super) struct Written {
    pub(super) frames: u64,
    cost_bytes: usize,
    /// The last one of them, 0 for none.
    tag: u64,
}

/// Who will write the next frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Flush {
    /// Nobody yet: it must be put on the list.
    #[default]
    Idle,
    /// Who writes already and looks once more before they stop, or the flusher, on whose list the session is.
    Listed,
    /// The task, when the client reads or polls.
    Blocked,
}

impl Written {
    pub(super) fn add(&mut self, frame: &SharedFrame) {
        self.frames += 1;
        self.cost_bytes += frame.cost_bytes();
        if frame.tag() != 0 {
            self.tag = frame.tag();
        }
    }
}

impl Queue {
    pub(super) fn take(&mut self, several: &mut VecDeque<SharedFrame>) -> Option<SharedFrame> {
        if self.frames.is_empty() {
            self.flush = Flush::Idle;
        }
        self.frames.take(several)
    }

    /// Gives whether somebody must be told.
    pub(super) fn on_written(&mut self, written: &Written) -> bool {
        self.bytes = self.bytes.saturating_sub(written.cost_bytes);
        if written.tag != 0 {
            self.written_tag = written.tag;
        }
        written.frames > 0 && std::mem::take(&mut self.is_awaited)
    }

    pub(super) fn push(&mut self, frame: SharedFrame, bytes_max: usize) -> Result<(), SendError> {
        if self.close.is_some() {
            return Err(SendError::Closed);
        }
        let bytes = self.bytes + frame.cost_bytes();
        if bytes > bytes_max {
            self.close = Some(CloseReason::QueueFull);
            // The client catches up from elsewhere; what it did not read is of no use, and memory is short.
            self.bytes -= self.frames.iter().map(SharedFrame::cost_bytes).sum::<usize>();
            self.frames = Pending::default();
            return Err(SendError::QueueFull);
        }
        self.bytes = bytes;
        self.frames.push(frame);
        Ok(())
    }
}
