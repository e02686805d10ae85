//! The list of sessions that have something to write, and those who write it.
//!
//! Whoever sends a frame only queues it and puts the session on a list. A task of the flusher takes the whole list and
//! writes what each session has: at once when the node is idle, and when it is busy everything that has come meanwhile
//! in one system call. A session whose client is slow is left to its own task.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Once};

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::link::Link;
use super::outgoing::Flushed;
use crate::close::CloseReason;

/// Sessions of one turn, mostly a system call each; then the other tasks of this thread get theirs.
const FLUSHES_PER_TURN_MAX: usize = 256;
/// Room on the list that is kept while nothing happens.
const IDLE_LISTED: usize = 64;

/// The lists: as many as there are cores, so that they share the work and seldom meet.
pub(super) struct Flusher {
    lists: Box<[Arc<List>]>,
    started: Once,
    writes: AtomicU64,
    frames_written: AtomicU64,
}

/// What a server has written since it was made. For people to look at: the two are not read at the same instant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// System calls that wrote frames, and answers to polls.
    pub writes: u64,
    /// Frames that went out whole. A busy server writes many with one call.
    pub frames_written: u64,
}

#[derive(Default)]
struct List {
    listed: Mutex<Listed>,
    wake: Notify,
}

#[derive(Default)]
struct Listed {
    links: Vec<Arc<Link>>,
    /// The flusher sleeps: whoever lists something has to wake it.
    is_asleep: bool,
    /// Nobody will list anything any more.
    is_over: bool,
}

impl Flusher {
    pub(super) fn new(lists: usize) -> Arc<Self> {
        let lists = (0..lists.max(1)).map(|_| Arc::default()).collect();
        let (writes, frames_written) = (AtomicU64::new(0), AtomicU64::new(0));
        Arc::new(Self { lists, started: Once::new(), writes, frames_written })
    }

    pub(super) fn stats(&self) -> Stats {
        Stats {
            writes: self.writes.load(Ordering::Relaxed),
            frames_written: self.frames_written.load(Ordering::Relaxed),
        }
    }

    /// One write, and how many frames it finished.
    pub(super) fn count(&self, frames: u64) {
        self.writes.fetch_add(1, Ordering::Relaxed);
        self.frames_written.fetch_add(frames, Ordering::Relaxed);
    }

    /// Starts its tasks, at the first call. Needs a runtime.
    pub(super) fn start(&self) {
        self.started.call_once(|| {
            for list in &self.lists {
                tokio::spawn(run(Arc::clone(list)));
            }
        });
    }

    pub(super) fn list(&self, link: Arc<Link>) {
        // Where it is in memory spreads them well enough, and needs nothing of it.
        let index = Arc::as_ptr(&link).addr() / size_of::<Link>() % self.lists.len();
        let list = &self.lists[index];
        let must_wake = {
            let mut listed = list.listed.lock();
            listed.links.push(link);
            std::mem::take(&mut listed.is_asleep)
        };
        if must_wake {
            list.wake.notify_one();
        }
    }
}

impl Drop for Flusher {
    fn drop(&mut self) {
        for list in &self.lists {
            list.listed.lock().is_over = true;
            list.wake.notify_one();
        }
    }
}

async fn run(list: Arc<List>) {
    let mut links = Vec::new();
    loop {
        {
            let mut listed = list.listed.lock();
            std::mem::swap(&mut listed.links, &mut links);
            listed.is_asleep = links.is_empty();
            if listed.is_asleep && listed.is_over {
                return;
            }
        }
        if links.is_empty() {
            links.shrink_to(IDLE_LISTED);
            list.wake.notified().await;
            continue;
        }
        let mut flushes = 0;
        for link in links.drain(..) {
            if flushes == FLUSHES_PER_TURN_MAX {
                flushes = 0;
                tokio::task::yield_now().await;
            }
            flushes += 1;
            match link.flush() {
                Flushed::All => {}
                // It waits for the client.
                Flushed::Blocked => link.wake(),
                Flushed::Failed => link.close(CloseReason::TransportError),
            }
        }
    }
}
