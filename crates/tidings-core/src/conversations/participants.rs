//! Who is in a conversation: list, add, give a role, remove, leave.

use crate::error::{Code, FieldError};
use crate::idempotency::IdempotencyKey;
use crate::ids::{ConversationId, Pos, UserId};
use crate::ports::store::{AddParticipants, RemoveParticipant, UpdateParticipant};
use crate::services::Services;
use crate::sessions::Actor;

use super::{Error, Participant, Role};

/// The last entry of a page: the next one is after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParticipantCursor {
    /// When they joined.
    pub from_pos: Pos,
    /// Who.
    pub user: UserId,
}

/// A page of participants, first who joined first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParticipantPage {
    /// Who is in; to one who left: who was, at the leaving.
    pub participants: Vec<Participant>,
    /// Where the next page begins, if there is one.
    pub next: Option<ParticipantCursor>,
}

impl Services {
    /// A page of the people in a conversation that the actor is or was in.
    ///
    /// # Errors
    /// [`Error::NotFound`] to strangers, [`Error::Invalid`] for a limit out of range.
    pub async fn list_participants(
        &self,
        actor: &Actor,
        conversation: ConversationId,
        after: Option<ParticipantCursor>,
        limit: Option<usize>,
    ) -> Result<ParticipantPage, Error> {
        let limit = self.check_list_limit(limit)?;
        self.store.list_participants(actor.user, conversation, after, limit).await
    }

    /// Adds people to a group; who is in already stays as they are. Gives those of the request, as they stand.
    ///
    /// # Errors
    /// [`Error::Invalid`], [`Error::UnknownUsers`] (then nobody was added), [`Error::Forbidden`],
    /// [`Error::FixedParticipants`], [`Error::TooManyParticipants`], [`Error::IdempotencyKeyReused`].
    pub async fn add_participants(
        &self,
        actor: &Actor,
        conversation: ConversationId,
        users: Vec<UserId>,
        key: Option<IdempotencyKey>,
    ) -> Result<Vec<Participant>, Error> {
        let max = self.limits.user_ids_max;
        if !(1..=max).contains(&users.len()) {
            let code = if users.is_empty() { Code::TooShort } else { Code::TooMany };
            let error = FieldError::new("/userIds", code, format!("from 1 to {max} a request"));
            return Err(Error::Invalid(vec![error]));
        }
        let ids: Vec<u8> = users.iter().flat_map(|user| *user.as_bytes()).collect();
        let request = key.map(|key| self.request_macs.keyed(key, &[b"add", conversation.as_bytes(), &ids]));
        let add = AddParticipants {
            actor: *actor,
            conversation,
            users,
            participants_max: self.limits.participants_max,
            request,
            now: self.clock.now(),
        };
        self.store.add_participants(add).await
    }

    /// Gives somebody in a group another role; gives them as they stand. Twice is once.
    ///
    /// # Errors
    /// [`Error::Invalid`] for what is no role, [`Error::Forbidden`] to all but owners, [`Error::NotFound`] for who is
    /// not in it, [`Error::LastOwner`], [`Error::FixedParticipants`].
    pub async fn update_participant(
        &self,
        actor: &Actor,
        conversation: ConversationId,
        user: UserId,
        role: &str,
    ) -> Result<Participant, Error> {
        let Some(role) = Role::parse(role) else {
            let error = FieldError::new("/role", Code::BadFormat, "owner, admin or member");
            return Err(Error::Invalid(vec![error]));
        };
        let update = UpdateParticipant { actor: *actor, conversation, user, role, now: self.clock.now() };
        self.store.update_participant(update).await
    }

    /// Takes somebody out of a group. Twice is once.
    ///
    /// # Errors
    /// [`Error::Forbidden`] unless the actor's role is above theirs, [`Error::NotFound`] for who never was in it.
    pub async fn remove_participant(
        &self,
        actor: &Actor,
        conversation: ConversationId,
        user: UserId,
    ) -> Result<(), Error> {
        let remove = RemoveParticipant { actor: *actor, conversation, user, now: self.clock.now() };
        self.store.remove_participant(remove).await
    }

    /// Leaves a group. Twice is once.
    ///
    /// # Errors
    /// [`Error::LastOwner`], [`Error::FixedParticipants`].
    pub async fn leave_conversation(&self, actor: &Actor, conversation: ConversationId) -> Result<(), Error> {
        self.remove_participant(actor, conversation, actor.user).await
    }
}
