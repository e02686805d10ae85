//! Reading: a few connections beside the writer's, one snapshot per intention.
//!
//! [`Reader`] gives a [`Snapshot`] only together with the reader's part of the overlay, and takes that part first; see
//! [`crate::heads`] for why.

use std::sync::Arc;

use parking_lot::Mutex;
use rusqlite::Connection;
use rusqlite::config::DbConfig;
use tidings_core::error::StoreError;
use tidings_core::ids::{ConversationId, StreamId, UserId};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use crate::heads::{Overlay, Taken};
use crate::rows::Rows;
use crate::write::Failure;

/// The pool. As many reads run at a time as there are connections; the others wait.
pub(crate) struct Readers {
    idle: Mutex<Vec<Connection>>,
    turns: Arc<Semaphore>,
    overlay: Arc<Overlay>,
}

/// One connection, for one read.
pub(crate) struct Reader<'a> {
    conn: &'a Connection,
    overlay: &'a Overlay,
}

/// The rows at one moment, and what was newer than they are.
pub(crate) struct Snapshot<'a> {
    conn: &'a Connection,
    taken: Taken,
}

impl Readers {
    pub(crate) fn new(connections: Vec<Connection>, overlay: Arc<Overlay>) -> Self {
        let turns = Arc::new(Semaphore::new(connections.len()));
        Self { idle: Mutex::new(connections), turns, overlay }
    }

    /// Runs a read on a thread that may wait for the disk.
    pub(crate) async fn read<B, T, E>(self: &Arc<Self>, body: B) -> Result<T, E>
    where
        B: FnOnce(&Reader<'_>) -> Result<T, Failure<E>> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let turn = Arc::clone(&self.turns).acquire_owned().await.map_err(|_| StoreError::Failed)?;
        let readers = Arc::clone(self);
        let ran = spawn_blocking(move || {
            let ran = readers.run(body);
            drop(turn);
            ran
        });
        // It can only fail by a panic of the body.
        ran.await.unwrap_or_else(|_| Err(StoreError::Failed.into()))
    }

    fn run<B, T, E>(&self, body: B) -> Result<T, E>
    where
        B: FnOnce(&Reader<'_>) -> Result<T, Failure<E>>,
        E: From<StoreError>,
    {
        let lent = Lent { conn: self.idle.lock().pop(), readers: self };
        let Some(conn) = &lent.conn else { return Err(StoreError::Failed.into()) };
        body(&Reader { conn, overlay: &self.overlay }).map_err(|failure| match failure {
            Failure::Refused(refusal) => refusal,
            Failure::Unexpected(error) => {
                tracing::error!(%error, "a read failed in the store");
                StoreError::Failed.into()
            }
        })
    }

    /// Lets no more reads begin and closes the connections; a read that is under way closes its own.
    pub(crate) fn close(&self) {
        self.turns.close();
        self.idle.lock().clear();
    }
}

/// A connection that goes back, also after a panic.
struct Lent<'a> {
    conn: Option<Connection>,
    readers: &'a Readers,
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        if let Some(conn) = self.conn.take().filter(|_| !self.readers.turns.is_closed()) {
            self.readers.idle.lock().push(conn);
        }
    }
}

impl<'a> Reader<'a> {
    /// A snapshot in which the heads of these streams may be asked for.
    pub(crate) fn snapshot(&self, streams: &[StreamId]) -> rusqlite::Result<Snapshot<'a>> {
        self.open(self.overlay.take(streams))
    }

    fn open(&self, taken: Taken) -> rusqlite::Result<Snapshot<'a>> {
        self.conn.prepare_cached("BEGIN")?.execute([])?;
        Ok(Snapshot { conn: self.conn, taken })
    }

    /// A snapshot of one conversation.
    pub(crate) fn conversation(&self, id: ConversationId) -> rusqlite::Result<Snapshot<'a>> {
        self.snapshot(&[StreamId::Conversation(id)])
    }

    /// A snapshot of all that is the user's: the own stream, and every conversation that the user is or was in.
    ///
    /// Which those are is asked before the overlay is taken, so one that is joined in between would be missed, and
    /// with it the join: [`Overlay::take_listed`] sees to that.
    pub(crate) fn user(&self, user: UserId) -> rusqlite::Result<Snapshot<'a>> {
        let listed_at = self.overlay.memberships_log();
        let mut streams = vec![StreamId::User(user)];
        {
            let mut statement =
                self.conn.prepare_cached("SELECT DISTINCT conversation FROM membership WHERE user = ?1")?;
            let mut rows = statement.query([user.as_bytes()])?;
            while let Some(row) = rows.next()? {
                streams.push(StreamId::Conversation(ConversationId::from_bytes(row.get(0)?)));
            }
        }
        self.open(self.overlay.take_listed(&streams, listed_at))
    }
}

impl Snapshot<'_> {
    pub(crate) fn rows(&self) -> Rows<'_> {
        Rows { conn: self.conn, newer: &self.taken }
    }
}

impl Drop for Snapshot<'_> {
    fn drop(&mut self) {
        let ended = self.conn.prepare_cached("COMMIT").and_then(|mut statement| statement.execute([]));
        if let Err(error) = ended {
            tracing::warn!(%error, "a snapshot could not be closed");
        }
    }
}

/// What every reading connection is told.
pub(crate) fn prepare(conn: &Connection) -> rusqlite::Result<()> {
    conn.execute_batch("PRAGMA query_only = 1; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -16384;")?;
    conn.set_prepared_statement_cache_capacity(128);
    // The writer decides when the log is brought back; whoever closes last must not.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    Ok(())
}
