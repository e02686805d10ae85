//! A store with people at it.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::Duration;
use tidings_core::ports::store::PageMax;

use async_trait::async_trait;
use parking_lot::Mutex;
use tempfile::TempDir;
use tidings_core::accounts::{PasswordHash, User, UserSettings};
use tidings_core::clock::{ManualClock, Timestamp};
use tidings_core::conversations::ConversationKind;
use tidings_core::error::StoreError;
use tidings_core::events::Event;
use tidings_core::idempotency::RequestMac;
use tidings_core::ids::{AppId, ClientMessageId, ConversationId, IdSource, LogId, SessionId, UserId};
use tidings_core::messages::{Error, MessageKind, Sent};
use tidings_core::ports::event_log::{EventLog, Tailed};
use tidings_core::ports::store::{
    AccountStore, AddParticipants, AppendMessage, CatchUp, ConversationStore, MessageStore, NewConversation,
    NewSession, RemoveParticipant,
};
use tidings_core::sessions::{Actor, RefreshFamilyHash, RefreshTokenHash, Session};
use tidings_testkit::disk::FaultyDisk;
use uuid::Uuid;

use crate::write::Change;
use crate::{OpenError, Options, SqliteStore, Upkeep};

/// What was published, in order.
#[derive(Default)]
pub(super) struct Recorder(Mutex<Vec<Arc<Event>>>);

impl Recorder {
    pub(super) fn events(&self) -> Vec<Arc<Event>> {
        self.0.lock().clone()
    }
}

#[async_trait]
impl EventLog for Recorder {
    fn publish(&self, events: Vec<Arc<Event>>) {
        self.0.lock().extend(events);
    }

    async fn tail(&self, _after: LogId) -> Tailed {
        Tailed::Behind
    }
}

#[derive(Default)]
struct Counting(AtomicU64);

impl IdSource for Counting {
    fn fill(&self, bytes: &mut [u8]) {
        for byte in bytes {
            *byte = u8::try_from(self.0.fetch_add(1, Ordering::Relaxed) % 251).unwrap();
        }
    }
}

pub(super) struct Desk {
    pub dir: TempDir,
    pub store: Arc<SqliteStore>,
    pub log: Arc<Recorder>,
    next_id: AtomicU64,
}

/// Connections for reads that are not delivery's.
pub(super) const READERS: usize = 2;

/// A session to be stored, of a user who may have a hundred.
pub(super) fn new_session(session: &Session, refresh: RefreshTokenHash) -> NewSession {
    NewSession {
        session: session.clone(),
        shown: None,
        address: RequestMac([1; 16]),
        refresh,
        family: RefreshFamilyHash(refresh.0),
        sessions_max: 100,
        tokens_until: Timestamp(i64::MAX),
    }
}

pub(crate) fn options(dir: &Path) -> Options {
    Options {
        data_dir: dir.to_owned(),
        vfs: None,
        readers: READERS,
        upkeep: Upkeep { flush_every: Duration::from_millis(900), ..Upkeep::default() },
        on_fatal: Arc::new(|error| panic!("fatal: {error}")),
        ids: Arc::new(Counting::default()),
        clock: Arc::new(ManualClock::starting_at(Timestamp(1_000_000))),
    }
}

pub(super) fn open(dir: &Path) -> Result<(Arc<SqliteStore>, Arc<Recorder>), OpenError> {
    let log = Arc::new(Recorder::default());
    let store = SqliteStore::open(options(dir), Arc::clone(&log) as Arc<dyn EventLog>)?;
    Ok((Arc::new(store), log))
}

/// Holds the writer until it is dropped: what is asked meanwhile comes in one batch.
pub(super) struct Hold(#[expect(dead_code, reason = "dropping it lets the writer go")] mpsc::Sender<()>);

impl Desk {
    pub(super) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (store, log) = open(dir.path()).unwrap();
        Self { dir, store, log, next_id: AtomicU64::new(1) }
    }

    /// With checkpoints as soon as the write-ahead log is larger than this.
    pub(super) fn with_wal(wal_bytes_max: u64) -> Self {
        Self::with(|options| options.upkeep = Upkeep { wal_bytes_max, ..Upkeep::default() })
    }

    /// On a disk that counts; nothing comes between the batches of a test but a checkpoint of a log larger than this.
    pub(super) fn undisturbed(disk: &FaultyDisk, wal_bytes_max: u64) -> Self {
        Self::with(|options| {
            options.vfs = Some(disk.vfs_name().to_owned());
            options.upkeep = Upkeep { flush_every: Duration::from_secs(3_600), wal_bytes_max };
        })
    }

    /// On a disk with faults, and with a failure that does not panic.
    pub(super) fn on(disk: &FaultyDisk) -> Self {
        Self::with(|options| {
            options.vfs = Some(disk.vfs_name().to_owned());
            options.on_fatal = Arc::new(|_| {});
        })
    }

    fn with(change: impl FnOnce(&mut Options)) -> Self {
        let (dir, log) = (tempfile::tempdir().unwrap(), Arc::new(Recorder::default()));
        let mut options = options(dir.path());
        change(&mut options);
        let store = SqliteStore::open(options, Arc::clone(&log) as Arc<dyn EventLog>).unwrap();
        Self { dir, store: Arc::new(store), log, next_id: AtomicU64::new(1) }
    }

    /// The names in the data directory.
    pub(super) fn files(&self) -> Vec<String> {
        let names = fs::read_dir(self.dir.path()).unwrap().map(|file| file.unwrap().file_name());
        let mut names: Vec<String> = names.map(|name| name.into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// Opens the same directory again; gracefully closed before.
    pub(super) fn reopen(&mut self) {
        self.store.close();
        (self.store, self.log) = open(self.dir.path()).unwrap();
    }

    /// The files as a kill would leave them, opened by another store.
    pub(super) fn image(&self) -> Self {
        let dir = tempfile::tempdir().unwrap();
        for file in ["tidings.db", "tidings.db-wal"] {
            fs::copy(self.dir.path().join(file), dir.path().join(file)).unwrap();
        }
        let (store, log) = open(dir.path()).unwrap();
        Self { dir, store, log, next_id: AtomicU64::new(self.next_id.load(Ordering::Relaxed)) }
    }

    pub(super) fn uuid(&self) -> Uuid {
        Uuid::from_u128(u128::from(self.next_id.fetch_add(1, Ordering::Relaxed)) << 64 | 0xabc)
    }

    pub(super) async fn person(&self, name: &str) -> Actor {
        let user = User {
            id: UserId(self.uuid()),
            app: AppId::DEFAULT,
            external_id: None,
            username: name.to_owned(),
            email: None,
            first_name: None,
            last_name: None,
            display_name: name.to_owned(),
            avatar_url: None,
            created_at: Timestamp(1),
            last_seen_at: None,
            settings: UserSettings::default(),
        };
        self.store.insert_user(&user, &PasswordHash("hash".to_owned())).await.unwrap();
        Actor {
            user: user.id,
            session: SessionId(self.uuid()),
            app: user.app,
            expires_at: Timestamp(i64::MAX),
        }
    }

    pub(super) async fn people<const N: usize>(&self, names: [&str; N]) -> [Actor; N] {
        let mut people = Vec::new();
        for name in names {
            people.push(self.person(name).await);
        }
        people.try_into().unwrap()
    }

    pub(super) fn new_group(&self, owner: &Actor, others: &[&Actor]) -> NewConversation {
        NewConversation {
            actor: *owner,
            id: ConversationId(self.uuid()),
            kind: ConversationKind::Group,
            title: Some("group".to_owned()),
            users: others.iter().map(|other| other.user).collect(),
            request: None,
            now: Timestamp(5),
        }
    }

    pub(super) async fn group(&self, owner: &Actor, others: &[&Actor]) -> ConversationId {
        let new = self.new_group(owner, others);
        self.store.insert_conversation(new).await.unwrap().view.conversation.id
    }

    pub(super) fn message(&self, sender: &Actor, conversation: ConversationId, text: &str) -> AppendMessage {
        AppendMessage {
            actor: *sender,
            conversation,
            client_id: ClientMessageId(self.uuid()),
            request_mac: RequestMac([u8::try_from(text.len() % 256).unwrap(); 16]),
            kind: MessageKind::Text,
            content: text.to_owned(),
            metadata: None,
            now: Timestamp(10),
        }
    }

    pub(super) async fn send(&self, sender: &Actor, conversation: ConversationId, text: &str) -> Sent {
        self.store.append_message(self.message(sender, conversation, text)).await.unwrap()
    }

    /// Puts a send in the queue and does not wait for it.
    pub(super) async fn begin(&self, append: AppendMessage) -> tokio::task::JoinHandle<Result<Sent, Error>> {
        let store = Arc::clone(&self.store);
        let (queued, is_queued) = tokio::sync::oneshot::channel();
        let handle = tokio::spawn(async move {
            let mut sending = store.append_message(append);
            // The first poll takes the place in the queue.
            let first =
                std::future::poll_fn(|context| std::task::Poll::Ready(sending.as_mut().poll(context))).await;
            queued.send(()).ok();
            match first {
                std::task::Poll::Ready(sent) => sent,
                std::task::Poll::Pending => sending.await,
            }
        });
        is_queued.await.unwrap();
        handle
    }

    pub(super) async fn add(&self, actor: &Actor, conversation: ConversationId, user: &Actor) {
        let add = AddParticipants {
            actor: *actor,
            conversation,
            users: vec![user.user],
            participants_max: 100,
            request: None,
            now: Timestamp(6),
        };
        self.store.add_participants(add).await.unwrap();
    }

    pub(super) fn removal(
        &self,
        actor: &Actor,
        conversation: ConversationId,
        user: &Actor,
    ) -> RemoveParticipant {
        RemoveParticipant { actor: *actor, conversation, user: user.user, now: Timestamp(7) }
    }

    pub(super) async fn remove(&self, actor: &Actor, conversation: ConversationId, user: &Actor) {
        self.store.remove_participant(self.removal(actor, conversation, user)).await.unwrap();
    }

    pub(super) fn hold(&self) -> Hold {
        let (release, released) = mpsc::channel::<()>();
        let (begun, has_begun) = mpsc::channel::<()>();
        let holding = self.store.writer.write(move |_| {
            begun.send(()).ok();
            released.recv().ok();
            Ok::<_, crate::write::Failure<StoreError>>(Change::nothing(()))
        });
        drop(holding);
        has_begun.recv().unwrap();
        Hold(release)
    }

    /// Everything, in one page, from a place on.
    pub(super) fn since(user: &Actor, from: LogId) -> CatchUp {
        CatchUp {
            user: user.user,
            from,
            through: None,
            done_through: from,
            page_max: PageMax::events(1_000),
            stream_events_max: 100,
            streams_max: 100,
        }
    }
}
