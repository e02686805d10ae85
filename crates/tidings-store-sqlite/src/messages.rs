//! Messages: appended once, found again by id and by page.

mod append;
mod history;

use async_trait::async_trait;
use rusqlite::{OptionalExtension, Row};
use tidings_core::clock::Timestamp;
use tidings_core::error::StoreError;
use tidings_core::ids::{ClientMessageId, ConversationId, MessageId, StreamId, UserId};
use tidings_core::messages::{Error, HistoryAnchor, HistoryPage, Message, MessageKind, Sent};
use tidings_core::ports::store::{AppendMessage, MessageStore};

use crate::SqliteStore;
use crate::rows::{Rows, bound, named, pos, seq, uint};
use crate::stats::count;
use crate::write::Failure;

pub(crate) use history::readable;
#[cfg(test)]
pub(crate) use {append::SENDER, append::original_sql, history::run_sql};

/// The columns that [`message_of`] reads.
pub(crate) const MESSAGE: &str =
    "conversation, seq, pos, ord, sender, client_id, type, body, metadata, version, created_at";

pub(crate) fn message_of(row: &Row<'_>) -> rusqlite::Result<Message> {
    Ok(Message {
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
    })
}

impl Rows<'_> {
    /// A message, whoever may read it.
    pub(crate) fn message(&self, id: MessageId) -> rusqlite::Result<Option<Message>> {
        let sql = format!("SELECT {MESSAGE} FROM message WHERE conversation = ?1 AND seq = ?2");
        let mut statement = self.conn.prepare_cached(&sql)?;
        statement.query_row((id.conversation.as_bytes(), bound(id.seq.0)), message_of).optional()
    }

    /// A message that another row names.
    pub(crate) fn named_message(&self, id: MessageId) -> rusqlite::Result<Message> {
        self.message(id)?.ok_or(rusqlite::Error::QueryReturnedNoRows)
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
                let rows = snapshot.rows();
                let Some(head) = rows.head(StreamId::Conversation(id.conversation))? else { return Ok(None) };
                let readable = readable(&rows.intervals(id.conversation, viewer, head.last_pos)?, &head);
                let may_read = readable.iter().any(|range| range.contains(&id.seq.0));
                Ok(if may_read { rows.message(id)? } else { None })
            })
            .await
    }
}
