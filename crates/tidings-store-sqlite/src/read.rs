//! Reading: a few connections beside the writer's, one of them delivery's own, and one snapshot per intention.
//!
//! [`Reader`] gives a [`Snapshot`] only together with the reader's part of the overlay, and takes that part first; see
//! [`crate::heads`] for why.

mod pool;

use std::sync::Arc;

use rusqlite::Connection;
use rusqlite::config::DbConfig;
use tidings_core::error::StoreError;
use tidings_core::ids::{ConversationId, StreamId, UserId};
use tokio::task::spawn_blocking;

use self::pool::{Lent, Pool};
use crate::heads::{Overlay, Taken};
use crate::rows::Rows;
use crate::stats::{Counters, count};
use crate::write::Failure;

pub use pool::READS_WAITING_MAX;

/// The reading connections, in two pools.
pub(crate) struct Readers {
    /// For what people ask.
    asked: Pool,
    /// For delivery alone: however many catch up and scroll back, live messages go out.
    delivery: Pool,
    overlay: Arc<Overlay>,
    counters: Arc<Counters>,
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
    pub(crate) fn new(
        asked: Vec<Connection>,
        delivery: Vec<Connection>,
        overlay: Arc<Overlay>,
        counters: Arc<Counters>,
    ) -> Self {
        Self { asked: Pool::new(asked), delivery: Pool::new(delivery), overlay, counters }
    }

    /// Runs a read on a thread that may wait for the disk.
    pub(crate) async fn read<B, T, E>(self: &Arc<Self>, body: B) -> Result<T, E>
    where
        B: FnOnce(&Reader<'_>) -> Result<T, Failure<E>> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        count(&self.counters.reads);
        self.read_in(|readers| &readers.asked, body).await
    }

    /// The same for what delivery cannot go on without.
    pub(crate) async fn read_for_delivery<B, T, E>(self: &Arc<Self>, body: B) -> Result<T, E>
    where
        B: FnOnce(&Reader<'_>) -> Result<T, Failure<E>> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        count(&self.counters.delivery_reads);
        self.read_in(|readers| &readers.delivery, body).await
    }

    async fn read_in<B, T, E>(self: &Arc<Self>, pool: fn(&Self) -> &Pool, body: B) -> Result<T, E>
    where
        B: FnOnce(&Reader<'_>) -> Result<T, Failure<E>> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let turn = pool(self).turn().await.inspect_err(|error| {
            if *error == StoreError::Overloaded {
                count(&self.counters.read_overloads);
            }
        })?;
        let readers = Arc::clone(self);
        let ran = spawn_blocking(move || {
            let ran = readers.run(pool(&readers), body);
            drop(turn);
            ran
        });
        // It can only fail by a panic of the body.
        ran.await.unwrap_or_else(|_| Err(StoreError::Failed.into()))
    }

    fn run<B, T, E>(&self, pool: &Pool, body: B) -> Result<T, E>
    where
        B: FnOnce(&Reader<'_>) -> Result<T, Failure<E>>,
        E: From<StoreError>,
    {
        let lent = pool.lend();
        let Some(conn) = lent.as_ref().and_then(Lent::conn) else { return Err(StoreError::Failed.into()) };
        body(&Reader { conn, overlay: &self.overlay }).map_err(|failure| match failure {
            Failure::Refused(refusal) => refusal,
            Failure::Unexpected(error) => {
                tracing::error!(%error, "a read failed in the store");
                StoreError::Failed.into()
            }
        })
    }

    /// Lets no more reads begin and closes the connections, those of reads that are under way when they end. Blocks for
    /// these, for some seconds at most.
    pub(crate) fn close(&self) {
        self.asked.close();
        self.delivery.close();
    }

    /// How many wait.
    #[cfg(test)]
    pub(crate) fn waiting(&self) -> usize {
        self.asked.waiting()
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
