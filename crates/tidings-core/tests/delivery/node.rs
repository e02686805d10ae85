//! The core of one node over a real store, and what it shows to whom.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use parking_lot::Mutex;
use tempfile::TempDir;
use tidings_core::accounts::{Passwords, Register};
use tidings_core::clock::{Clock, SystemClock};
use tidings_core::conversations::CreateConversation;
use tidings_core::delivery::Delivery;
use tidings_core::events::Event;
use tidings_core::ids::{ConversationId, SessionId, StreamId, SystemIds, UserId};
use tidings_core::limits::Limits;
use tidings_core::memory::InProcessLog;
use tidings_core::messages::SendMessage;
use tidings_core::ports::event_log::EventLog;
use tidings_core::ports::outbox::Outbox;
use tidings_core::ports::screens::Screens;
use tidings_core::presence::Status;
use tidings_core::services::{Parts, Services};
use tidings_core::sessions::{AccessTokens, Actor, Revocations, SigningKey};
use tidings_core::signals::{Signal, Signals};
use tidings_core::sync::Token;
use tidings_store_sqlite::{Options, SqliteStore, Upkeep};
use tokio::sync::Notify;

/// Made once: a key takes longer than all the rest of a node.
static KEY: LazyLock<String> = LazyLock::new(|| SigningKey::generate_pem().unwrap());

/// The core of one node, without a transport: what goes out is written down.
pub struct Node {
    pub services: Arc<Services>,
    pub delivery: Arc<Delivery>,
    pub shown: Arc<Shown>,
    log: Arc<dyn EventLog>,
    dir: Arc<TempDir>,
}

impl Node {
    pub async fn over(log: Arc<dyn EventLog>) -> Self {
        Self::with(log, Arc::new(SystemClock), Limits::default()).await
    }

    pub async fn with(log: Arc<dyn EventLog>, clock: Arc<dyn Clock>, limits: Limits) -> Self {
        Self::at(Arc::new(tempfile::tempdir().unwrap()), log, clock, limits).await
    }

    async fn at(dir: Arc<TempDir>, log: Arc<dyn EventLog>, clock: Arc<dyn Clock>, limits: Limits) -> Self {
        let options = Options {
            data_dir: dir.path().to_owned(),
            vfs: None,
            readers: 2,
            upkeep: Upkeep::default(),
            on_fatal: Arc::new(|reason| panic!("{reason}")),
            ids: Arc::new(SystemIds),
            clock: Arc::clone(&clock),
        };
        let store = Arc::new(SqliteStore::open(options, Arc::clone(&log)).unwrap());
        let (shown, revocations) = (Arc::<Shown>::default(), Arc::<Revocations>::default());
        let signals = Signals::new(store.clone(), shown.clone(), Arc::clone(&clock)).await.unwrap();
        let delivery = Delivery::new(
            store.clone(),
            shown.clone(),
            revocations.clone(),
            Arc::clone(&signals),
            Arc::clone(&clock),
        );
        let delivery = delivery.await.unwrap();
        let services = Arc::new(Services::new(Parts {
            store,
            clock,
            ids: Arc::new(SystemIds),
            limits,
            revocations,
            delivery: Arc::clone(&delivery),
            signals,
            access: Arc::new(AccessTokens::new(vec![SigningKey::from_pem(&KEY).unwrap()])),
            passwords: Passwords::quick(),
            rates: None,
        }));
        Self { services, delivery, shown, log, dir }
    }

    /// A process that begins anew on the same data, after something was done to them.
    pub async fn reopen(self, meanwhile: impl FnOnce(&Path)) -> Self {
        let Self { services, delivery, shown, log, dir } = self;
        drop((services, delivery, shown, log));
        meanwhile(dir.path());
        Self::at(dir, InProcessLog::new(), Arc::new(SystemClock), Limits::default()).await
    }

    pub fn deliver(&self) {
        tokio::spawn(Arc::clone(&self.delivery).run(Arc::clone(&self.log)));
    }

    pub async fn user(&self, name: &str) -> Actor {
        let register = Register {
            username: name.to_owned(),
            password: "correct horse".to_owned(),
            email: None,
            display_name: None,
            first_name: None,
            last_name: None,
        };
        let signed_in = self.services.register(register, Ipv4Addr::LOCALHOST.into()).await.unwrap();
        self.services.authenticate(&signed_in.tokens.access).unwrap()
    }

    pub async fn direct(&self, one: &Actor, other: &Actor) -> ConversationId {
        let create = CreateConversation::Direct { user: other.user };
        self.services.create_conversation(one, create, None).await.unwrap().view.conversation.id
    }

    pub async fn send(&self, sender: &Actor, conversation: ConversationId) -> u64 {
        let message = SendMessage {
            conversation,
            client_message_id: None,
            kind: None,
            content: "hi".to_owned(),
            metadata: None,
        };
        self.services.send_message(sender, message).await.unwrap().message.pos.0
    }
}

/// What each user was shown of each stream: positions, in order.
#[derive(Default)]
pub struct Shown {
    positions: Mutex<HashMap<(UserId, StreamId), Vec<u64>>>,
    changed: Notify,
}

impl Outbox for Shown {
    fn emit(&self, event: &Arc<Event>, _: &Token, users: &mut dyn Iterator<Item = UserId>) {
        let mut positions = self.positions.lock();
        for user in users {
            positions.entry((user, event.stream)).or_default().push(event.pos.0);
        }
        drop(positions);
        self.changed.notify_one();
    }

    fn end_session(&self, _: UserId, _: SessionId) {}
}

/// Nothing is on a screen.
impl Screens for Shown {
    fn signal(&self, _: &Signal, _: &[ConversationId], _: Option<UserId>) {}

    fn status(&self, _: UserId) -> Status {
        Status::Offline
    }

    fn shows(&self, _: ConversationId, _: UserId) -> bool {
        false
    }

    fn close_for(&self, _: ConversationId, _: UserId) {}

    fn tell_missed(&self) {}
}

impl Shown {
    pub fn of(&self, user: UserId, stream: StreamId) -> Vec<u64> {
        self.positions.lock().get(&(user, stream)).cloned().unwrap_or_default()
    }

    /// Waits until the user was shown this position.
    pub async fn until(&self, user: UserId, stream: StreamId, pos: u64) {
        let shown = async {
            while self.of(user, stream).last() != Some(&pos) {
                self.changed.notified().await;
            }
        };
        let in_time = tokio::time::timeout(Duration::from_secs(30), shown).await;
        assert!(in_time.is_ok(), "{pos} was not shown; {:?} were", self.of(user, stream));
    }
}
