//! Receipts: marks in the rows of `membership`, and what is unread by them.

mod advance;
mod mark_unread;
mod unread;

#[cfg(test)]
pub(crate) use unread::unread_sql;

use async_trait::async_trait;
use tidings_core::conversations::{self, Head, Membership, unread};
use tidings_core::error::{Code, FieldError, StoreError};
use tidings_core::ids::{ConversationId, LogId, StreamId, UserId};
use tidings_core::ports::store::{AdvanceMarks, MarkUnread, ReceiptStore};
use tidings_core::receipts::{Standing, UnreadList};
use tidings_core::sessions::Actor;

use crate::SqliteStore;
use crate::conversations::get_present;
use crate::rows::{bound, int};
use crate::write::{Failure, Tx};

#[async_trait]
impl ReceiptStore for SqliteStore {
    async fn advance_marks(
        &self,
        advance: AdvanceMarks,
    ) -> Result<Vec<Result<Standing, conversations::Error>>, StoreError> {
        self.writer.write(move |tx| advance::advance_marks(tx, &advance)).await
    }

    async fn mark_unread(&self, mark: MarkUnread) -> Result<Standing, conversations::Error> {
        self.writer.write(move |tx| mark_unread::mark_unread(tx, mark)).await
    }

    async fn list_unread(&self, user: UserId, conversations_max: usize) -> Result<UnreadList, StoreError> {
        self.readers
            .read(move |reader| {
                let snapshot = reader.user(user)?;
                Ok(unread::list_unread(snapshot.rows(), user, conversations_max)?)
            })
            .await
    }
}

/// The actor's present interval, and the last numbers of the conversation.
fn get_place(
    tx: &Tx<'_>,
    actor: &Actor,
    conversation: ConversationId,
) -> Result<(Membership, Head), Failure<conversations::Error>> {
    let me = get_present(tx, actor, conversation)?;
    let head = tx.head(StreamId::Conversation(conversation))?;
    Ok((me, head.ok_or(Failure::Refused(conversations::Error::NotFound))?))
}

fn no_such_message(detail: String) -> Failure<conversations::Error> {
    let error = FieldError::new("/seq", Code::Invalid, detail);
    Failure::Refused(conversations::Error::Invalid(vec![error]))
}

/// Writes the marks of an interval, which were set by the event at this place in the log.
fn write_marks(tx: &Tx<'_>, membership: &Membership, log: LogId) -> rusqlite::Result<()> {
    let mut statement = tx.conn.prepare_cached(
        "UPDATE membership SET read_seq = ?4, read_ord = ?5, read_all = ?6, public_read_seq = ?7, delivered_seq = ?8,
                marks_log = ?9
         WHERE conversation = ?1 AND user = ?2 AND from_pos = ?3",
    )?;
    let marks = &membership.marks;
    statement.execute((
        membership.conversation.as_bytes(),
        membership.user.as_bytes(),
        bound(membership.from_pos.0),
        int(marks.read_seq.0)?,
        int(marks.read_ord)?,
        int(marks.read_all)?,
        int(marks.public_read_seq.0)?,
        int(marks.delivered_seq.0)?,
        int(log.0)?,
    ))?;
    Ok(())
}

fn standing(head: &Head, membership: &Membership) -> Standing {
    Standing { marks: membership.marks, unread: unread(head, membership) }
}
