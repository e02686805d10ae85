//! A store on a faulty disk, and people who send.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use tempfile::TempDir;
use tidings_core::clock::ManualClock;
use tidings_core::ids::SystemIds;
use tidings_core::messages::{Error, Sent};
use tidings_core::ports::event_log::EventLog;
use tidings_core::ports::store::{AppendMessage, Store};
use tidings_store_sqlite::{OpenError, Options, SqliteStore, Upkeep};
use tidings_testkit::builders::BEGINNING;
use tidings_testkit::contract::{DataSet, Desk};
use tidings_testkit::disk::FaultyDisk;
use tokio::task::JoinHandle;

/// Small enough that a few hundred sends see every kind of upkeep.
const BRISK: Upkeep = Upkeep { flush_every: Duration::from_millis(3), wal_bytes_max: 96 * 1024 };

/// A data directory on a faulty disk. Clones are the same.
#[derive(Clone)]
pub struct Site {
    pub dir: Arc<TempDir>,
    pub disk: FaultyDisk,
    upkeep: Upkeep,
    /// How often the store has said that it cannot go on.
    fatal: Arc<AtomicUsize>,
    opened: Arc<Mutex<Option<Arc<SqliteStore>>>>,
}

impl Site {
    pub fn new() -> Self {
        Self::with(Upkeep::default())
    }

    /// One at which heads are flushed and the log is checkpointed all the time.
    pub fn brisk() -> Self {
        Self::with(BRISK)
    }

    pub fn with(upkeep: Upkeep) -> Self {
        Self {
            dir: Arc::new(tempfile::tempdir().expect("a directory")),
            disk: FaultyDisk::new(),
            upkeep,
            fatal: Arc::default(),
            opened: Arc::default(),
        }
    }

    /// What a power cut at this instant leaves, by the seed: another site, with a disk of its own.
    pub fn image(&self, seed: u64) -> Self {
        let image = Self::with(self.upkeep);
        for file in ["tidings.db", "tidings.db-wal", "tidings.db-journal"] {
            // The disk knows only those that were opened on it.
            let left = fs::copy(self.dir.path().join(file), image.dir.path().join(file));
            assert!(left.is_ok() || !self.dir.path().join(file).exists(), "{file}: {left:?}");
        }
        self.disk.crash_image(image.dir.path(), seed).expect("an image");
        image
    }

    /// Opens the store, or says why it may not be.
    pub fn try_open(&self, log: Arc<dyn EventLog>) -> Result<Arc<SqliteStore>, OpenError> {
        // The one before holds the directory's lock.
        self.opened.lock().take();
        let fatal = Arc::clone(&self.fatal);
        let options = Options {
            data_dir: self.dir.path().to_owned(),
            vfs: Some(self.disk.vfs_name().to_owned()),
            readers: 2,
            upkeep: self.upkeep,
            // It counts instead of ending the process.
            on_fatal: Arc::new(move |_| {
                fatal.fetch_add(1, Ordering::SeqCst);
            }),
            ids: Arc::new(SystemIds),
            clock: Arc::new(ManualClock::starting_at(BEGINNING)),
        };
        let store = Arc::new(SqliteStore::open(options, log)?);
        *self.opened.lock() = Some(Arc::clone(&store));
        Ok(store)
    }

    /// The store that was opened last.
    pub fn store(&self) -> Arc<SqliteStore> {
        self.opened.lock().clone().expect("an open store")
    }

    /// The store, to be dropped: whoever else has it then holds the last of it.
    pub fn take_store(&self) -> Option<Arc<SqliteStore>> {
        self.opened.lock().take()
    }

    pub fn fatal(&self) -> usize {
        self.fatal.load(Ordering::SeqCst)
    }

    /// Waits until what is written late is written.
    pub async fn flushed(&self) {
        let store = self.store();
        let flushed = async {
            while store.stats().heads_dirty > 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), flushed).await.expect("heads are flushed");
    }

    /// Where SQLite has its database.
    pub fn database(&self) -> PathBuf {
        self.dir.path().join("tidings.db")
    }
}

#[async_trait]
impl DataSet for Site {
    async fn open(&self, log: Arc<dyn EventLog>) -> Arc<dyn Store> {
        self.try_open(log).expect("the store opens")
    }
}

/// A send in a task of its own; its place in the queue is taken when this returns.
pub async fn queue(desk: &Desk, append: AppendMessage) -> JoinHandle<Result<Sent, Error>> {
    let store = Arc::clone(&desk.store);
    let (queued, is_queued) = tokio::sync::oneshot::channel();
    let task = tokio::spawn(async move {
        let mut send = Box::pin(store.append_message(append));
        let at_once =
            std::future::poll_fn(|context| std::task::Poll::Ready(send.as_mut().poll(context))).await;
        queued.send(()).ok();
        match at_once {
            std::task::Poll::Ready(sent) => sent,
            std::task::Poll::Pending => send.await,
        }
    });
    is_queued.await.expect("queued");
    task
}
