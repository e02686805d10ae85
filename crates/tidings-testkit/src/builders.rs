//! Builders for domain values: what a test does not say, [`Values`] fills in with something valid.
//!
//! A value is a plain struct, so a test changes what its story is about by struct update:
//!
//! ```
//! # use tidings_testkit::builders::Values;
//! # use tidings_core::accounts::User;
//! let make = Values::seeded(1);
//! let alice = User { email: Some("alice@example.org".to_owned()), ..make.user("alice") };
//! assert_eq!(alice.display_name, "alice");
//! ```

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tidings_core::accounts::{PasswordHash, User, UserSettings};
use tidings_core::clock::{Clock, ManualClock, Timestamp};
use tidings_core::conversations::{ConversationIds, ConversationKind, Role};
use tidings_core::idempotency::{IdempotencyKey, KeyedRequest, RequestMac, RequestMacs};
use tidings_core::ids::{
    AppId, ClientMessageId, ConversationId, IdSource, MessageId, Seq, SessionId, UserId,
};
use tidings_core::limits::Limits;
use tidings_core::messages::MessageKind;
use tidings_core::ports::store::{
    AddParticipants, AddReaction, AdvanceMarks, AppendMessage, DeleteMessage, EditMessage, MarkRequest,
    MarkUnread, NewConversation, NewSession, RemoveParticipant, RemoveReaction, UpdateParticipant,
    UpdateUser, UserChange,
};
use tidings_core::sessions::{Actor, RefreshFamilyHash, RefreshTokenHash, Session};

/// The moment at which a test's clock begins: 2023-11-14T22:13:20Z.
pub const BEGINNING: Timestamp = Timestamp(1_700_000_000_000);

/// Ids that look random and are the same for the same seed.
#[derive(Debug)]
pub struct SeededIds(AtomicU64);

impl SeededIds {
    /// Another seed gives other ids.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(AtomicU64::new(mixed(seed)))
    }
}

impl IdSource for SeededIds {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let number = mixed(self.0.fetch_add(1, Ordering::Relaxed)).to_be_bytes();
            chunk.copy_from_slice(&number[..chunk.len()]);
        }
    }
}

/// The finaliser of SplitMix64: neighbours become strangers.
pub(crate) fn mixed(n: u64) -> u64 {
    let n = n.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    n ^ (n >> 31)
}

/// Makes values for one test.
pub struct Values {
    /// What the time is, until the test moves it.
    pub clock: Arc<ManualClock>,
    /// Where ids come from.
    pub ids: Arc<SeededIds>,
    macs: RequestMacs,
    conversation_ids: ConversationIds,
}

impl Values {
    /// The same seed gives the same values.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self {
            clock: Arc::new(ManualClock::starting_at(BEGINNING)),
            ids: Arc::new(SeededIds::new(seed)),
            macs: RequestMacs::new(&[7; 32]),
            conversation_ids: ConversationIds::new(&[7; 32]),
        }
    }

    /// The present.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Somebody with this username and nothing that is optional.
    #[must_use]
    pub fn user(&self, username: &str) -> User {
        User {
            id: UserId(self.ids.uuid(self.now())),
            app: AppId::DEFAULT,
            external_id: None,
            username: username.to_owned(),
            email: None,
            first_name: None,
            last_name: None,
            display_name: username.to_owned(),
            avatar_url: None,
            created_at: self.now(),
            last_seen_at: None,
            settings: UserSettings::default(),
        }
    }

    /// What nobody's password matches.
    #[must_use]
    pub fn password(&self) -> PasswordHash {
        PasswordHash("$argon2id$nobody".to_owned())
    }

    /// A login of the user that lasts 30 days.
    #[must_use]
    pub fn session(&self, user: &User) -> Session {
        Session {
            id: SessionId(self.ids.uuid(self.now())),
            app: user.app,
            user: user.id,
            device: None,
            created_at: self.now(),
            last_used_at: self.now(),
            expires_at: self.now().plus_seconds(30 * 24 * 3600),
        }
    }

    /// The session to be stored, of a user who may have a hundred.
    #[must_use]
    pub fn new_session(&self, session: &Session, refresh: RefreshTokenHash) -> NewSession {
        let tokens_until = self.now().plus_seconds(660);
        NewSession {
            session: session.clone(),
            shown: None,
            address: RequestMac([1; 16]),
            refresh,
            family: self.family(session.id),
            sessions_max: 100,
            tokens_until,
        }
    }

    /// Who asks with an access token of this session.
    #[must_use]
    pub fn actor(&self, session: &Session) -> Actor {
        let expires_at = self.now().plus_seconds(600);
        Actor { user: session.user, session: session.id, app: session.app, expires_at }
    }

    /// A refresh token that was never used.
    #[must_use]
    pub fn refresh_token(&self) -> RefreshTokenHash {
        let mut hash = [0; 32];
        self.ids.fill(&mut hash);
        RefreshTokenHash(hash)
    }

    /// What all refresh tokens of a session share.
    #[must_use]
    pub fn family(&self, session: SessionId) -> RefreshFamilyHash {
        let mut hash = [7; 32];
        hash[..16].copy_from_slice(session.as_bytes());
        RefreshFamilyHash(hash)
    }

    /// A group of the actor and these.
    #[must_use]
    pub fn group(&self, actor: &Actor, users: &[UserId]) -> NewConversation {
        NewConversation {
            actor: *actor,
            id: ConversationId(self.ids.uuid(self.now())),
            kind: ConversationKind::Group,
            title: Some("Ship crew".to_owned()),
            users: users.to_vec(),
            request: None,
            now: self.now(),
        }
    }

    /// The conversation of the actor and one other.
    #[must_use]
    pub fn direct(&self, actor: &Actor, other: UserId) -> NewConversation {
        let id = self.conversation_ids.of_pair(actor.app, actor.user, other);
        NewConversation { id, kind: ConversationKind::Direct, title: None, ..self.group(actor, &[other]) }
    }

    /// The actor's notes to self.
    #[must_use]
    pub fn notes(&self, actor: &Actor) -> NewConversation {
        let id = self.conversation_ids.of_pair(actor.app, actor.user, actor.user);
        NewConversation { id, kind: ConversationKind::SelfNotes, title: None, ..self.group(actor, &[]) }
    }

    /// A text that has not been sent yet.
    #[must_use]
    pub fn message(&self, actor: &Actor, conversation: ConversationId, text: &str) -> AppendMessage {
        AppendMessage {
            actor: *actor,
            conversation,
            client_id: ClientMessageId(self.ids.uuid(self.now())),
            request_mac: self.mac(text),
            kind: MessageKind::Text,
            content: text.to_owned(),
            metadata: None,
            now: self.now(),
        }
    }

    /// Another text, in the place of whatever stands.
    #[must_use]
    pub fn edit(&self, actor: &Actor, message: MessageId, text: &str) -> EditMessage {
        EditMessage {
            actor: *actor,
            message,
            content: text.to_owned(),
            is_visible: true,
            version: None,
            versions_max: 100,
            now: self.now(),
        }
    }

    /// This is to go.
    #[must_use]
    pub fn deletion(&self, actor: &Actor, message: MessageId) -> DeleteMessage {
        DeleteMessage { actor: *actor, message, now: self.now() }
    }

    /// An emoji for a message, which may have 32, 8 of them the actor's.
    #[must_use]
    pub fn reaction(&self, actor: &Actor, message: MessageId, emoji: &str) -> AddReaction {
        let emoji = emoji.to_owned();
        AddReaction { actor: *actor, message, emoji, emoji_max: 32, user_emoji_max: 8, now: self.now() }
    }

    /// The reverse of that.
    #[must_use]
    pub fn taking_back(&self, added: &AddReaction) -> RemoveReaction {
        RemoveReaction {
            actor: added.actor,
            message: added.message,
            emoji: added.emoji.clone(),
            now: self.now(),
        }
    }

    /// Somebody has read and received so much.
    #[must_use]
    pub fn marks(
        &self,
        actor: &Actor,
        conversation: ConversationId,
        read: Option<Seq>,
        delivered: Option<Seq>,
    ) -> AdvanceMarks {
        let marks = vec![MarkRequest { actor: *actor, read, delivered }];
        AdvanceMarks { conversation, marks, now: self.now() }
    }

    /// From this message on everything is to be unread again.
    #[must_use]
    pub fn unread_from(&self, actor: &Actor, conversation: ConversationId, seq: Seq) -> MarkUnread {
        MarkUnread { actor: *actor, conversation, seq, now: self.now() }
    }

    /// The user wants to be different.
    #[must_use]
    pub fn update(&self, actor: &Actor, change: UserChange) -> UpdateUser {
        UpdateUser { actor: *actor, change, now: self.now() }
    }

    /// These are to come in, up to 1,000 in all.
    #[must_use]
    pub fn addition(&self, actor: &Actor, conversation: ConversationId, users: &[UserId]) -> AddParticipants {
        AddParticipants {
            actor: *actor,
            conversation,
            users: users.to_vec(),
            participants_max: 1_000,
            request: None,
            now: self.now(),
        }
    }

    /// This one is to go.
    #[must_use]
    pub fn removal(&self, actor: &Actor, conversation: ConversationId, user: UserId) -> RemoveParticipant {
        RemoveParticipant { actor: *actor, conversation, user, now: self.now() }
    }

    /// This one is to have another role.
    #[must_use]
    pub fn role(
        &self,
        actor: &Actor,
        conversation: ConversationId,
        user: UserId,
        role: Role,
    ) -> UpdateParticipant {
        UpdateParticipant { actor: *actor, conversation, user, role, now: self.now() }
    }

    /// The hash of a request that says `body`.
    #[must_use]
    pub fn mac(&self, body: &str) -> RequestMac {
        self.macs.of(&[body.as_bytes()])
    }

    /// A request under an idempotency key.
    ///
    /// # Panics
    /// When the key is not one.
    #[must_use]
    pub fn keyed(&self, key: &str, body: &str) -> KeyedRequest {
        let key = IdempotencyKey::parse(key, &Limits::default()).expect("visible ASCII");
        KeyedRequest { key, mac: self.mac(body) }
    }
}
