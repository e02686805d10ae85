//! Messages: appended once, found again by id and by page, edited and deleted in place.

mod append;
mod change;
mod delete;
mod edit;
mod history;

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
    /// A message as everybody sees it, or as this viewer does; whoever may read it.
    pub(crate) fn message(&self, id: MessageId, viewer: Option<UserId>) -> rusqlite::Result<Option<Message>> {
        let sql = format!("SELECT {MESSAGE} FROM message WHERE conversation = ?1 AND seq = ?2");
        let mut statement = self.conn.prepare_cached(&sql)?;
        let found =
            statement.query_row((id.conversation.as_bytes(), bound(id.seq.0)), message_of).optional()?;
        found.map(|stored| self.whole(stored, viewer)).transpose()
    }

    /// A message that another row names, as everybody sees it.
    pub(crate) fn named_message(&self, id: MessageId) -> rusqlite::Result<Message> {
        self.message(id, None)?.ok_or(rusqlite::Error::QueryReturnedNoRows)
    }

    /// A row together with what is on the message.
    pub(crate) fn whole(&self, stored: Stored, viewer: Option<UserId>) -> rusqlite::Result<Message> {
        let Stored { mut message, has_reactions } = stored;
        if has_reactions {
            let reactions = self.reactions(message.id)?;
            message.reactions = match viewer {
                Some(viewer) => self.reactions_to(viewer, message.id, reactions)?,
                None => reactions,
            };
        }
        Ok(message)
    }

    /// How many countable messages there were up to this one; 0 before the first.
    pub(crate) fn ord_at(&self, id: MessageId) -> rusqlite::Result<u64> {
        let mut statement =
            self.conn.prepare_cached("SELECT ord FROM message WHERE conversation = ?1 AND seq = ?2")?;
        let key = (id.conversation.as_bytes(), bound(id.seq.0));
        Ok(statement.query_row(key, |row| uint(row, 0)).optional()?.unwrap_or_default())
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
                let message = find_message(snapshot.rows(), viewer, id)?;
                Ok(message.map(|message| edit::versions(snapshot.rows(), message)).transpose()?)
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
            .read(move |reader| Ok(find_message(reader.conversation(id.conversation)?.rows(), viewer, id)?))
            .await
    }
}

/// A message that the viewer may read, as the viewer sees it.
fn find_message(rows: Rows<'_>, viewer: UserId, id: MessageId) -> rusqlite::Result<Option<Message>> {
    let Some(head) = rows.head(StreamId::Conversation(id.conversation))? else { return Ok(None) };
    let readable = readable(&rows.intervals(id.conversation, viewer, head.last_pos)?, &head);
    let may_read = readable.iter().any(|range| range.contains(&id.seq.0));
    if may_read { rows.message(id, Some(viewer)) } else { Ok(None) }
}
