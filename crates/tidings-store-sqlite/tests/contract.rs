//! The store's contract, on a disk that does not wait for the real one.

use std::sync::Arc;

use async_trait::async_trait;
use tempfile::TempDir;
use tidings_core::clock::ManualClock;
use tidings_core::ids::SystemIds;
use tidings_core::ports::event_log::EventLog;
use tidings_core::ports::store::Store;
use tidings_store_sqlite::{Options, SqliteStore, Upkeep};
use tidings_testkit::builders::BEGINNING;
use tidings_testkit::contract::DataSet;
use tidings_testkit::disk::FaultyDisk;

struct Directory {
    dir: TempDir,
    disk: FaultyDisk,
}

impl Directory {
    fn empty() -> Self {
        Self { dir: tempfile::tempdir().expect("a directory"), disk: FaultyDisk::new() }
    }
}

#[async_trait]
impl DataSet for Directory {
    async fn open(&self, log: Arc<dyn EventLog>) -> Arc<dyn Store> {
        let options = Options {
            data_dir: self.dir.path().to_owned(),
            vfs: Some(self.disk.vfs_name().to_owned()),
            readers: 2,
            upkeep: Upkeep::default(),
            on_fatal: Arc::new(|error| panic!("the store gave up: {error}")),
            ids: Arc::new(SystemIds),
            clock: Arc::new(ManualClock::starting_at(BEGINNING)),
        };
        Arc::new(SqliteStore::open(options, log).expect("the store opens"))
    }
}

tidings_testkit::store_contract!(Directory::empty());
