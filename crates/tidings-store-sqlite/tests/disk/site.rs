//! A store on a faulty disk, and people who send.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use parking_lot::Mutex;
use tempfile::TempDir;
use tidings_core::clock::ManualClock;
use tidings_core::ids::SystemIds;
use tidings_core::messages::{Error, Sent};
use tidings_core::ports::event_log::EventLog;
use tidings_core::ports::store::{AppendMessage, Store};
use tidings_store_sqlite::{OpenError, Options, SqliteStore};
use tidings_testkit::builders::BEGINNING;
use tidings_testkit::contract::{DataSet, Desk};
use tidings_testkit::disk::FaultyDisk;
use tokio::task::JoinHandle;

/// A data directory on a faulty disk. Clones are the same.
#[derive(Clone)]
pub struct Site {
    pub dir: Arc<TempDir>,
    pub disk: FaultyDisk,
    /// How often the store has said that it cannot go on.
    pub fatal: Arc<AtomicUsize>,
    opened: Arc<Mutex<Option<Arc<SqliteStore>>>>,
}

impl Site {
    pub fn new() -> Self {
        Self {
            dir: Arc::new(tempfile::tempdir().expect("a directory")),
            disk: FaultyDisk::new(),
            fatal: Arc::default(),
            opened: Arc::default(),
        }
    }

    /// The store that the desk was opened with.
    pub fn store(&self) -> Arc<SqliteStore> {
        self.opened.lock().clone().expect("an open store")
    }

    /// The store, to be dropped: the desk then holds the last of it.
    pub fn take_store(&self) -> Option<Arc<SqliteStore>> {
        self.opened.lock().take()
    }

    pub fn fatal(&self) -> usize {
        self.fatal.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl DataSet for Site {
    async fn open(&self, log: Arc<dyn EventLog>) -> Arc<dyn Store> {
        // The one before holds the directory's lock.
        self.opened.lock().take();
        let store = Arc::new(open(self.dir.path(), &self.disk, &self.fatal, log));
        *self.opened.lock() = Some(Arc::clone(&store));
        store
    }
}

/// Opens a store that counts instead of ending the process.
pub fn open(dir: &Path, disk: &FaultyDisk, fatal: &Arc<AtomicUsize>, log: Arc<dyn EventLog>) -> SqliteStore {
    try_open(dir, disk, fatal, log).expect("the store opens")
}

/// The same where it may not open.
pub fn try_open(
    dir: &Path,
    disk: &FaultyDisk,
    fatal: &Arc<AtomicUsize>,
    log: Arc<dyn EventLog>,
) -> Result<SqliteStore, OpenError> {
    let fatal = Arc::clone(fatal);
    let options = Options {
        data_dir: dir.to_owned(),
        vfs: Some(disk.vfs_name().to_owned()),
        readers: 2,
        on_fatal: Arc::new(move |_| {
            fatal.fetch_add(1, Ordering::SeqCst);
        }),
        ids: Arc::new(SystemIds),
        clock: Arc::new(ManualClock::starting_at(BEGINNING)),
    };
    SqliteStore::open(options, log)
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
