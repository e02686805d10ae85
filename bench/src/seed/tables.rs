//! The tables of a closed data set, open for one bulk load.

use std::path::Path;

use rusqlite::Connection;
use tidings_core::clock::{Clock as _, SystemClock};

/// A connection without journal and syncs: if the load fails, the directory is thrown away.
pub(crate) struct Tables {
    pub db: Connection,
    /// When everything in the set happened, in milliseconds.
    pub now: i64,
}

/// The index that random client ids would fill in random order: dropped, and made again at the end by sorting.
const CLIENT_INDEX: &str = "CREATE UNIQUE INDEX message_client ON message (client_id, conversation, sender)";

impl Tables {
    pub(crate) fn open(dir: &Path) -> anyhow::Result<Self> {
        let db = Connection::open(dir.join("tidings.db"))?;
        db.execute_batch(
            "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -524288;
             PRAGMA locking_mode = EXCLUSIVE; PRAGMA temp_store = FILE; PRAGMA threads = 2; BEGIN",
        )?;
        db.set_prepared_statement_cache_capacity(32);
        Ok(Self { db, now: SystemClock.now().0 })
    }

    pub(super) fn drop_client_index(&self) -> rusqlite::Result<()> {
        self.db.execute_batch("DROP INDEX message_client")
    }

    pub(super) fn make_client_index(&self) -> rusqlite::Result<()> {
        self.db.execute_batch(CLIENT_INDEX)
    }

    /// Says how far the log and the heads have come, and ends the load.
    pub(crate) fn finish(self, log: i64) -> anyhow::Result<()> {
        for key in ["heads_log", "log_id_max"] {
            self.db.execute(
                "INSERT INTO meta (key, value) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                (key, log),
            )?;
        }
        self.db.execute_batch("COMMIT")?;
        self.db.close().map_err(|(_, error)| error)?;
        Ok(())
    }
}
