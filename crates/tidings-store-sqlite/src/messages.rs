//! Messages: appended once, found again by id and by page, edited and deleted in place.

mod append;
mod change;
mod delete;
mod edit;
mod history;
mod seen;

use async_trait::async_trait;
use rusqlite::{OptionalExtension, Row};
use tidings_core::clock::Timestamp;
use tidings_core::error::StoreError;
use tidings_core::ids::{ClientMessageId, ConversationId, MessageId, StreamId, UserId};
use tidings_core::messages::{
    Deletion, Error, HistoryAnchor, HistoryPage, Message, MessageKind, MessageVersion, Sent,
};
use tidings_core::ports::store::{AppendMessage, DeleteMessage, EditMessage, MessageStore};

use crate::SqliteStore;
use crate::rows::{Rows, bound, named, pos, seq, uint};
use crate::stats::count;
use crate::write::Failure;

pub(crate) use change::get_to_change;
pub(crate) use history::readable;
pub(crate) use seen::{Eyes, Until};
#[cfg(test)]
pub(crate) use {append::SENDER, append::original_sql, history::run_sql};

/// The columns that [`message_of`] reads.
pub(crate) const MESSAGE: &str =
    "conversation, seq, pos, ord, sender, client_id, type, body, metadata, version,
    created_at, edited_at, deleted_at, deleted_by, emoji";

/// A message's row.
#[derive(Debug)]
pub(crate) struct Stored {
    /// Without what is on it.
    message: Message,
    /// Whether anything is.
    has_reactions: bool,
}

impl Stored {
    /// Then it looks the same to everybody.
    fn is_as_sent(&self) -> bool {
        self.message.version == 1 && !self.has_reactions
    }
}

pub(crate) fn message_of(row: &Row<'_>) -> rusqlite::Result<Stored> {
    let (at, by): (Option<i64>, Option<[u8; 16]>) = (row.get(12)?, row.get(13)?);
    let deletion = at.zip(by).map(|(at, by)| Deletion { at: Timestamp(at), by: UserId::from_bytes(by) });
    let message = Message {
        id: MessageId { conversation: ConversationId::from_bytes(row.get(0)?), seq: seq(row, 1)? },
        pos: pos(row, 2)?,
        ord: uint(row, 3)?,
        sender: UserId::from_bytes(row.get(4)?),
        client_id: ClientMessageId::from_bytes(row.get(5)?),
        kind: named(row, 6, MessageKind::parse)?,
        content: row.get(7)?,
        metadata: row.get(8)?,
        version: row.get(9)?,
        created_at: Timestamp(row.get(10)?),
        edited_at: row.get::<_, Option<i64>>(11)?.map(Timestamp),
        deletion,
        reactions: Vec::new(),
    };
    Ok(Stored { message, has_reactions: row.get(14)? })
}

impl Rows<'_> {
    fn stored_message(&self, id: MessageId) -> rusqlite::Result<Option<Stored>> {
        let sql = format!("SELECT {MESSAGE} FROM message WHERE conversation = ?1 AND seq = ?2");
        let mut statement = self.conn.prepare_cached(&sql)?;
        statement.query_row((id.conversation.as_bytes(), bound(id.seq.0)), message_of).optional()
    }

    /// How many countable messages there were up to this one; 0 before the first.
    pub(crate) fn ord_at(&self, id: MessageId) -> rusqlite::Result<u64> {
        let mut statement =
            self.conn.prepare_cached("SELECT ord FROM message WHERE conversation = ?1 AND seq = ?2")?;
        let key = (id.conversation.as_bytes(), bound(id.seq.0));
        Ok(statement.query_row(key, |row| uint(row, 0)).optional()?.unwrap_or_default())
    }

    pub(crate) fn is_deleted(&self, id: MessageId) -> rusqlite::Result<bool> {
        let mut statement = self.conn.prepare_cached(
            "SELECT 1 FROM message WHERE conversation = ?1 AND seq = ?2 AND deleted_at IS NOT NULL",
        )?;
        statement.exists((id.conversation.as_bytes(), bound(id.seq.0)))
    }

    /// Whether the message is the user's to read.
    pub(crate) fn may_read(&self, user: UserId, id: MessageId) -> rusqlite::Result<bool> {
        let mut statement = self.conn.prepare_cached(
            "SELECT 1 FROM membership WHERE conversation = ?1 AND user = ?2 AND history_from_seq <= ?3
               AND (to_seq IS NULL OR to_seq >= ?3) LIMIT 1",
        )?;
        statement.exists((id.conversation.as_bytes(), user.as_bytes(), bound(id.seq.0)))
    }
}

#[async_trait]
impl MessageStore for SqliteStore {
    async fn append_message(&self, append: AppendMessage) -> Result<Sent, Error> {
        let sent = self.writer.write(move |tx| append::append_message(tx, &append)).await?;
        if sent.replayed {
            count(&self.counters.replays);
        }
        Ok(sent)
    }

    async fn edit_message(&self, edit: EditMessage) -> Result<Message, Error> {
        self.writer.write(move |tx| edit::edit_message(tx, &edit)).await
    }

    async fn delete_message(&self, delete: DeleteMessage) -> Result<Message, Error> {
        self.writer.write(move |tx| delete::delete_message(tx, delete)).await
    }

    async fn list_message_versions(
        &self,
        viewer: UserId,
        id: MessageId,
    ) -> Result<Option<Vec<MessageVersion>>, StoreError> {
        self.readers
            .read(move |reader| {
                let snapshot = reader.conversation(id.conversation)?;
                let found = find_message(snapshot.rows(), viewer, id)?;
                let versions =
                    found.map(|(message, eyes)| edit::versions(snapshot.rows(), message, eyes.until));
                Ok(versions.transpose()?)
            })
            .await
    }

    async fn list_messages(
        &self,
        viewer: UserId,
        conversation: ConversationId,
        anchor: HistoryAnchor,
        limit: usize,
    ) -> Result<HistoryPage, Error> {
        self.readers
            .read(move |reader| {
                let snapshot = reader.conversation(conversation)?;
                let page = history::list_messages(snapshot.rows(), viewer, conversation, anchor, limit)?;
                page.ok_or(Failure::Refused(Error::NotFound))
            })
            .await
    }

    async fn find_message(&self, viewer: UserId, id: MessageId) -> Result<Option<Message>, StoreError> {
        self.readers
            .read(move |reader| {
                let snapshot = reader.conversation(id.conversation)?;
                Ok(find_message(snapshot.rows(), viewer, id)?.map(|(message, _)| message))
            })
            .await
    }
}

/// A message that the viewer may read, through their eyes.
fn find_message(rows: Rows<'_>, viewer: UserId, id: MessageId) -> rusqlite::Result<Option<(Message, Eyes)>> {
    let Some(head) = rows.head(StreamId::Conversation(id.conversation))? else { return Ok(None) };
    let intervals = rows.intervals(id.conversation, viewer, head.last_pos)?;
    if !readable(&intervals, &head).iter().any(|range| range.contains(&id.seq.0)) {
        return Ok(None);
    }
    let eyes = Eyes::of(viewer, &intervals);
    Ok(rows.message(id, eyes)?.map(|message| (message, eyes)))
}
