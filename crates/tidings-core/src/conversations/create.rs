//! Create a conversation. A direct or self conversation is found again instead of doubled, because its id is derived
//! from its people.

use aws_lc_rs::hmac;
use uuid::Builder;

use crate::error::{Code, FieldError};
use crate::idempotency::IdempotencyKey;
use crate::ids::{AppId, ConversationId, UserId};
use crate::ports::store::NewConversation;
use crate::services::Services;
use crate::sessions::Actor;
use crate::visible::{is_disruptive, is_visible};

use super::{ConversationKind, ConversationView, Error};

/// A conversation to be made.
#[derive(Debug, Clone)]
pub enum CreateConversation {
    /// With one other person.
    Direct {
        /// The other.
        user: UserId,
    },
    /// With any number of people beside the creator, who becomes its owner.
    Group {
        /// What it is called.
        title: String,
        /// The others; the creator and repetitions are folded away.
        users: Vec<UserId>,
    },
    /// Notes to oneself.
    SelfNotes,
}

/// The conversation that stands now.
#[derive(Debug, Clone)]
pub struct CreatedConversation {
    /// As the creator sees it.
    pub view: ConversationView,
    /// It stood before: found, or made by an earlier try of the same request.
    pub found: bool,
}

/// Derives the ids of direct and self conversations.
pub struct ConversationIds(hmac::Key);

impl ConversationIds {
    /// From the installation's secret: without it nobody can tell from an id who talks to whom.
    #[must_use]
    pub fn new(secret: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }

    /// `UUIDv8(HMAC(secret, app, lower user, higher user))`; with oneself twice it is the self conversation.
    #[must_use]
    pub fn of_pair(&self, app: AppId, one: UserId, other: UserId) -> ConversationId {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(&app.0.to_be_bytes());
        context.update(one.min(other).as_bytes());
        context.update(one.max(other).as_bytes());
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&context.sign().as_ref()[..16]);
        ConversationId(Builder::from_custom_bytes(bytes).into_uuid())
    }
}

impl Services {
    /// Makes a conversation, or finds the one that stands.
    ///
    /// # Errors
    /// [`Error::Invalid`], [`Error::UnknownUsers`], [`Error::IdempotencyKeyReused`], the store's.
    pub async fn create_conversation(
        &self,
        actor: &Actor,
        command: CreateConversation,
        key: Option<IdempotencyKey>,
    ) -> Result<CreatedConversation, Error> {
        let now = self.clock.now();
        let (kind, title, users, id) = match command {
            CreateConversation::Direct { user } if user == actor.user => {
                let detail = "somebody else; for notes to yourself use kind \"self\"";
                return Err(Error::Invalid(vec![FieldError::new("/userId", Code::Invalid, detail)]));
            }
            CreateConversation::Direct { user } => {
                let id = self.conversation_ids.of_pair(actor.app, actor.user, user);
                (ConversationKind::Direct, None, vec![user], id)
            }
            CreateConversation::SelfNotes => {
                let id = self.conversation_ids.of_pair(actor.app, actor.user, actor.user);
                (ConversationKind::SelfNotes, None, Vec::new(), id)
            }
            CreateConversation::Group { title, users } => {
                let title = self.check_title(&title, users.len())?;
                (ConversationKind::Group, Some(title), users, ConversationId(self.ids.uuid(now)))
            }
        };
        let request = {
            let users: Vec<u8> = users.iter().flat_map(|user| *user.as_bytes()).collect();
            let title = title.as_deref().unwrap_or_default();
            key.map(|key| {
                self.request_macs.keyed(key, &[b"create", kind.as_str().as_bytes(), title.as_bytes(), &users])
            })
        };
        let new = NewConversation { actor: *actor, id, kind, title, users, request, now };
        self.store.insert_conversation(new).await
    }

    fn check_title(&self, title: &str, users: usize) -> Result<String, Error> {
        let (chars_max, users_max) = (self.limits.title_chars_max, self.limits.user_ids_max);
        let mut errors = Vec::new();
        let trimmed = title.trim();
        if !is_visible(trimmed) {
            errors.push(FieldError::new("/title", Code::TooShort, "a group needs a visible title"));
        } else if trimmed.chars().count() > chars_max {
            errors.push(FieldError::new("/title", Code::TooLong, format!("at most {chars_max} characters")));
        } else if trimmed.chars().any(is_disruptive) {
            errors.push(FieldError::new("/title", Code::BadFormat, "one line, no control characters"));
        }
        if users > users_max {
            errors.push(FieldError::new("/userIds", Code::TooMany, format!("at most {users_max} a request")));
        }
        if errors.is_empty() { Ok(trimmed.to_owned()) } else { Err(Error::Invalid(errors)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn a_pair_has_one_conversation_whoever_begins_and_another_secret_gives_another() {
        let [a, b] = [1, 2].map(|n| UserId(Uuid::from_u128(n)));
        let ids = ConversationIds::new(&[7; 32]);
        let id = ids.of_pair(AppId::DEFAULT, a, b);
        assert_eq!(id, ids.of_pair(AppId::DEFAULT, b, a));
        assert_eq!(id.0.get_version_num(), 8);
        assert_ne!(id, ids.of_pair(AppId::DEFAULT, a, a));
        assert_ne!(id, ids.of_pair(AppId(2), a, b));
        assert_ne!(id, ConversationIds::new(&[8; 32]).of_pair(AppId::DEFAULT, a, b));
    }
}
