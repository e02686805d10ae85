//! Conversations and memberships, as a store keeps them.

use async_trait::async_trait;

use crate::clock::Timestamp;
use crate::conversations::{
    self, ConversationCursor, ConversationFilter, ConversationKind, ConversationPage, ConversationView,
    CreatedConversation, Membership, Participant, ParticipantCursor, ParticipantPage, Preferences,
    PreferencesChange, Role,
};
use crate::error::StoreError;
use crate::idempotency::KeyedRequest;
use crate::ids::{ConversationId, UserId};
use crate::presence::Present;
use crate::sessions::Actor;

/// A conversation to be stored.
#[derive(Debug, Clone)]
pub struct NewConversation {
    /// Who makes it; owner of a group, the one of a self conversation.
    pub actor: Actor,
    /// Derived for direct and self.
    pub id: ConversationId,
    /// What kind.
    pub kind: ConversationKind,
    /// For groups.
    pub title: Option<String>,
    /// The others, in the order of the request; repetitions and the actor are folded away.
    pub users: Vec<UserId>,
    /// The idempotency key, if there was one.
    pub request: Option<KeyedRequest>,
    /// The present.
    pub now: Timestamp,
}

/// People to be added.
#[derive(Debug, Clone)]
pub struct AddParticipants {
    /// Who adds.
    pub actor: Actor,
    /// To which group.
    pub conversation: ConversationId,
    /// Whom, in the order of the request.
    pub users: Vec<UserId>,
    /// How many a conversation holds.
    pub participants_max: usize,
    /// The idempotency key, if there was one.
    pub request: Option<KeyedRequest>,
    /// The present.
    pub now: Timestamp,
}

/// Somebody to be taken out; the actor's own self to leave.
#[derive(Debug, Clone)]
pub struct RemoveParticipant {
    /// Who asks.
    pub actor: Actor,
    /// Of which group.
    pub conversation: ConversationId,
    /// Who goes.
    pub user: UserId,
    /// The present.
    pub now: Timestamp,
}

/// Somebody who is to have another role.
#[derive(Debug, Clone, Copy)]
pub struct UpdateParticipant {
    /// Who gives it.
    pub actor: Actor,
    /// Where.
    pub conversation: ConversationId,
    /// To whom.
    pub user: UserId,
    /// Which.
    pub role: Role,
    /// The present.
    pub now: Timestamp,
}

/// What somebody chooses for a conversation.
#[derive(Debug, Clone, Copy)]
pub struct UpdatePreferences {
    /// For whom.
    pub actor: Actor,
    /// Where.
    pub conversation: ConversationId,
    /// What.
    pub change: PreferencesChange,
    /// The present.
    pub now: Timestamp,
}

/// Conversations and memberships.
#[async_trait]
pub trait ConversationStore: Send + Sync + 'static {
    /// Stores a conversation with its people at position 1, or finds the one with this id or this idempotency key.
    /// Twenty at once make one.
    ///
    /// # Errors
    /// [`conversations::Error::UnknownUsers`] with the pointer `/userId` or `/userIds/n` (users of another app are
    /// unknown), [`conversations::Error::IdempotencyKeyReused`], [`conversations::Error::SessionEnded`].
    async fn insert_conversation(
        &self,
        new: NewConversation,
    ) -> Result<CreatedConversation, conversations::Error>;

    /// A conversation as the viewer sees it, clipped to the viewer's intervals; none to strangers.
    async fn find_conversation(
        &self,
        viewer: UserId,
        id: ConversationId,
    ) -> Result<Option<ConversationView>, StoreError>;

    /// The user's latest interval; none of a stranger's.
    async fn find_membership(
        &self,
        user: UserId,
        conversation: ConversationId,
    ) -> Result<Option<Membership>, StoreError>;

    /// Everybody who is in. When each was last seen is read where they are few enough to be named, by
    /// [`PRESENCE_NAMED_MAX`](crate::limits::PRESENCE_NAMED_MAX).
    async fn list_present(&self, conversation: ConversationId) -> Result<Vec<Present>, StoreError>;

    /// The conversations that the viewer is in and that the filter takes: pinned ones first, then by the latest
    /// message.
    async fn list_conversations(
        &self,
        viewer: UserId,
        filter: ConversationFilter,
        after: Option<ConversationCursor>,
        limit: usize,
    ) -> Result<ConversationPage, StoreError>;

    /// Who is in, by `(from_pos, user)`; to one who left: who was in at the leaving.
    ///
    /// # Errors
    /// [`conversations::Error::NotFound`] to strangers.
    async fn list_participants(
        &self,
        viewer: UserId,
        conversation: ConversationId,
        after: Option<ParticipantCursor>,
        limit: usize,
    ) -> Result<ParticipantPage, conversations::Error>;

    /// Opens an interval, with an event each, for those who are not in. Gives all of the request as they stand.
    ///
    /// # Errors
    /// Nobody is added: [`conversations::Error::NotFound`] to strangers, `NotParticipant`, `Forbidden`,
    /// `FixedParticipants`, `UnknownUsers`, `TooManyParticipants`, `IdempotencyKeyReused`, `SessionEnded`.
    async fn add_participants(&self, add: AddParticipants) -> Result<Vec<Participant>, conversations::Error>;

    /// Gives a participant another role, with an event; gives them as they stand. The one that they have is nothing.
    ///
    /// # Errors
    /// [`conversations::Error::NotFound`] to strangers and for who is not in; `NotParticipant`, `Forbidden` to all but
    /// owners, `LastOwner`, `FixedParticipants`, `SessionEnded`.
    async fn update_participant(
        &self,
        update: UpdateParticipant,
    ) -> Result<Participant, conversations::Error>;

    /// Changes what the actor has chosen, with an event of their own stream; gives it as it is then. What is so already
    /// is nothing.
    ///
    /// # Errors
    /// [`conversations::Error::NotFound`] to strangers, `NotParticipant`, `SessionEnded`.
    async fn update_preferences(
        &self,
        update: UpdatePreferences,
    ) -> Result<Preferences, conversations::Error>;

    /// Closes an interval, with an event. Who is out already stays out.
    ///
    /// # Errors
    /// [`conversations::Error::NotFound`] to strangers and for who never was in; `NotParticipant` to an ex-member
    /// that would remove another, `Forbidden` unless the actor's role is above theirs, `LastOwner`,
    /// `FixedParticipants`, `SessionEnded`.
    async fn remove_participant(&self, remove: RemoveParticipant) -> Result<(), conversations::Error>;
}
