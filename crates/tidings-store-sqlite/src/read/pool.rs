//! Connections that are lent, one a read, and the bounded queue before them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use rusqlite::Connection;
use tidings_core::error::StoreError;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError};

/// Reads that wait for a connection; the next is refused as overloaded.
pub const READS_WAITING_MAX: usize = 1_024;
/// How long closing waits for reads that are under way.
const CLOSE_WAIT: Duration = Duration::from_secs(5);

/// As many reads run at a time as there are connections.
pub(super) struct Pool {
    connections: Mutex<Connections>,
    /// One of them has been closed.
    one_closed: Condvar,
    turns: Arc<Semaphore>,
    places: Semaphore,
}

struct Connections {
    idle: Vec<Connection>,
    /// Idle and lent ones.
    open: usize,
    closing: bool,
}

impl Pool {
    pub(super) fn new(idle: Vec<Connection>) -> Self {
        let open = idle.len();
        Self {
            connections: Mutex::new(Connections { idle, open, closing: false }),
            one_closed: Condvar::new(),
            turns: Arc::new(Semaphore::new(open)),
            places: Semaphore::new(READS_WAITING_MAX),
        }
    }

    /// Waits until a connection may be taken. First come, first served.
    pub(super) async fn turn(&self) -> Result<OwnedSemaphorePermit, StoreError> {
        match Arc::clone(&self.turns).try_acquire_owned() {
            Ok(turn) => return Ok(turn),
            Err(TryAcquireError::Closed) => return Err(StoreError::Failed),
            Err(TryAcquireError::NoPermits) => {}
        }
        let _place = self.places.try_acquire().map_err(|_| StoreError::Overloaded)?;
        Arc::clone(&self.turns).acquire_owned().await.map_err(|_| StoreError::Failed)
    }

    /// A connection for one whose turn it is; none when the pool is being closed.
    pub(super) fn lend(&self) -> Option<Lent<'_>> {
        let conn = self.connections.lock().idle.pop()?;
        Some(Lent { conn: Some(conn), pool: self })
    }

    /// Lets no more reads begin, closes the connections, and waits for those that are lent.
    pub(super) fn close(&self) {
        self.turns.close();
        let mut connections = self.connections.lock();
        connections.closing = true;
        connections.open -= connections.idle.len();
        connections.idle.clear();
        let latest = Instant::now() + CLOSE_WAIT;
        while connections.open > 0 {
            if self.one_closed.wait_until(&mut connections, latest).timed_out() {
                tracing::warn!(reads = connections.open, "the store closes while reads are under way");
                return;
            }
        }
    }

    fn take_back(&self, conn: Connection) {
        let mut connections = self.connections.lock();
        if connections.closing {
            drop(conn);
            connections.open -= 1;
            self.one_closed.notify_all();
        } else {
            connections.idle.push(conn);
        }
    }

    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        READS_WAITING_MAX - self.places.available_permits()
    }
}

/// A connection that goes back, also after a panic.
pub(super) struct Lent<'a> {
    conn: Option<Connection>,
    pool: &'a Pool,
}

impl Lent<'_> {
    pub(super) fn conn(&self) -> Option<&Connection> {
        self.conn.as_ref()
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        if let Some(conn) = self.conn.take() {
            self.pool.take_back(conn);
        }
    }
}
