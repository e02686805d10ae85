//! Data sets made for a run: written into the store's own tables in bulk, because a million sends through the front
//! door take a minute and a million Argon2 hashes a day.
//!
//! The store itself makes the tables; then everything is written as its own commits would have left it. The recounts
//! of the testkit say whether that is so. Sets are kept under `bench-data` beside the build, by their parameters.

mod messages;
mod people;
mod tables;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use rusqlite::Connection;
use tidings_core::clock::SystemClock;
use tidings_core::ids::SystemIds;
use tidings_core::memory::InProcessLog;
use tidings_store_sqlite::{Options, SqliteStore, Upkeep};

pub(crate) use messages::message_columns;
pub(crate) use tables::Tables;

/// Where a set's file says that it is whole.
const WHOLE: &str = "whole";
/// A set that runs have made larger by this part of itself is made anew.
const GROWTH_MAX: f64 = 0.3;

/// Which version of UUID the clients made their message ids with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ClientIds {
    /// Random: every insert meets another page of the index.
    V4,
    /// In order of time: inserts append to the index.
    V7,
}

/// What a data set holds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    pub people: u32,
    pub conversations: u32,
    /// In each conversation.
    pub members: u32,
    /// The members of conversation `c` are the people from `c × stride` on, around the end.
    pub stride: u32,
    /// Over all conversations, evenly.
    pub messages: u64,
    pub client_ids: ClientIds,
}

impl Plan {
    /// Pairs, each with people of its own.
    pub(crate) fn pairs(conversations: u32) -> Self {
        Self::rooms(conversations, 2)
    }

    /// Rooms of this size, each with people of its own.
    pub(crate) fn rooms(conversations: u32, members: u32) -> Self {
        Self {
            people: conversations * members,
            conversations,
            members,
            stride: members,
            messages: 0,
            client_ids: ClientIds::V7,
        }
    }

    fn name(&self) -> String {
        let Self { people, conversations, members, stride, messages, client_ids } = self;
        format!("{people}-people-{conversations}x{members}-by-{stride}-{messages}-messages-{client_ids:?}")
            .to_lowercase()
    }

    /// A directory with this set, made if there is none that is whole and still about its size.
    pub(crate) fn obtain(&self, root: &Path) -> anyhow::Result<PathBuf> {
        let dir = root.join(self.name());
        if dir.join(WHOLE).exists() && self.is_about_its_size(&dir)? {
            // A run that was killed left heads for the store to count again.
            open_store(&dir)?.close();
            return Ok(dir);
        }
        if dir.exists() {
            fs::remove_dir_all(&dir)?;
        }
        self.write(&dir)?;
        fs::write(dir.join(WHOLE), "")?;
        Ok(dir)
    }

    /// Writes the set into a new directory.
    pub(crate) fn write(&self, dir: &Path) -> anyhow::Result<()> {
        open_store(dir)?.close();
        let tables = Tables::open(dir)?;
        let log = people::write(&tables, self)?;
        let log = messages::write(&tables, self, log)?;
        tables.finish(log)?;
        // The store's own start finds nothing to do, and turns the write-ahead log on again.
        open_store(dir)?.close();
        Ok(())
    }

    fn is_about_its_size(&self, dir: &Path) -> anyhow::Result<bool> {
        let db = Connection::open(dir.join("tidings.db"))?;
        let last: i64 =
            db.query_row("SELECT value FROM meta WHERE key = 'log_id_max'", [], |row| row.get(0))?;
        #[expect(clippy::cast_precision_loss, reason = "some millions")]
        Ok(last as f64 <= (self.messages.max(1_000_000) as f64) * (1.0 + GROWTH_MAX))
    }
}

/// Opens the store as a server would; nothing is asked of it.
pub(crate) fn open_store(dir: &Path) -> anyhow::Result<SqliteStore> {
    let options = Options {
        data_dir: dir.to_owned(),
        vfs: None,
        readers: 1,
        on_fatal: Arc::new(|reason| eprintln!("the store cannot go on: {reason}")),
        upkeep: Upkeep::default(),
        ids: Arc::new(SystemIds),
        clock: Arc::new(SystemClock),
    };
    SqliteStore::open(options, InProcessLog::new()).with_context(|| format!("cannot open {}", dir.display()))
}
