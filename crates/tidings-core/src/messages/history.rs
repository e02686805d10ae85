//! History: a page of a conversation, oldest first, as far as the asker may read.

use crate::error::{Code, FieldError};
use crate::ids::{ConversationId, Pos, Seq};
use crate::services::Services;
use crate::sessions::Actor;

use super::{Error, Message};

/// Where a page of history is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HistoryAnchor {
    /// The newest.
    Latest,
    /// Those before this `seq`, without it.
    Before(Seq),
    /// Those after this `seq`, without it.
    After(Seq),
    /// Half a page before this `seq`, then it, then half a page after.
    Around(Seq),
}

/// A page of history, and the position at which it was read: what came later comes live.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryPage {
    /// Oldest first.
    pub messages: Vec<Message>,
    /// The stream's last position when this was read, as far as the asker may see.
    pub pos: Pos,
    /// There are older ones that the asker may read.
    pub has_more_before: bool,
    /// There are newer ones that the asker may read.
    pub has_more_after: bool,
}

/// Messages in a page where the asker does not say.
const DEFAULT_LIMIT: usize = 50;

impl Services {
    /// A page of history.
    ///
    /// # Errors
    /// [`Error::NotFound`] to strangers, [`Error::Invalid`] for a limit out of range.
    pub async fn get_history(
        &self,
        actor: &Actor,
        conversation: ConversationId,
        anchor: HistoryAnchor,
        limit: Option<usize>,
    ) -> Result<HistoryPage, Error> {
        let max = self.limits.history_page_max;
        let limit = limit.unwrap_or(DEFAULT_LIMIT.min(max));
        if !(1..=max).contains(&limit) {
            let error = FieldError::new("/limit", Code::Invalid, format!("from 1 to {max}"));
            return Err(Error::Invalid(vec![error]));
        }
        self.store.list_messages(actor.user, conversation, anchor, limit).await
    }
}
