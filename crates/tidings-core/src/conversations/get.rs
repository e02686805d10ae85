//! One conversation, and the list of them.

use crate::error::{Code, FieldError};
use crate::ids::{ConversationId, LogId};
use crate::services::Services;
use crate::sessions::Actor;

use super::{ConversationKind, ConversationView, Error};

/// Which conversations a list shows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ConversationFilter {
    /// Only of this kind.
    pub kind: Option<ConversationKind>,
    /// Only those that are archived, or that are not.
    pub archived: Option<bool>,
    /// Only those in whose title, or in the names of the person beside whom, each of these stands. In lower case.
    pub words: Vec<String>,
}

/// The last entry of a page: the next one is after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConversationCursor {
    /// Whether it is pinned: those come first.
    pub pinned: bool,
    /// Its order among them.
    pub last_sent_log: LogId,
    /// Itself.
    pub conversation: ConversationId,
}

/// A page of conversations: pinned ones first, then by the latest message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConversationPage {
    /// Those the asker is in.
    pub conversations: Vec<ConversationView>,
    /// Where the next page begins, if there is one.
    pub next: Option<ConversationCursor>,
}

/// Conversations in a page where the asker does not say.
const DEFAULT_LIMIT: usize = 50;

impl Services {
    /// A conversation that the actor is or was in.
    ///
    /// # Errors
    /// [`Error::NotFound`] to strangers.
    pub async fn get_conversation(
        &self,
        actor: &Actor,
        id: ConversationId,
    ) -> Result<ConversationView, Error> {
        self.store.find_conversation(actor.user, id).await?.ok_or(Error::NotFound)
    }

    /// A page of the conversations that the actor is in: pinned ones first, then by the latest message.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a limit out of range.
    pub async fn list_conversations(
        &self,
        actor: &Actor,
        filter: ConversationFilter,
        after: Option<ConversationCursor>,
        limit: Option<usize>,
    ) -> Result<ConversationPage, Error> {
        let limit = self.check_list_limit(limit)?;
        Ok(self.store.list_conversations(actor.user, filter, after, limit).await?)
    }

    pub(super) fn check_list_limit(&self, limit: Option<usize>) -> Result<usize, Error> {
        let max = self.limits.list_page_max;
        let limit = limit.unwrap_or(DEFAULT_LIMIT.min(max));
        if (1..=max).contains(&limit) {
            return Ok(limit);
        }
        let error = FieldError::new("/limit", Code::Invalid, format!("from 1 to {max}"));
        Err(Error::Invalid(vec![error]))
    }
}
