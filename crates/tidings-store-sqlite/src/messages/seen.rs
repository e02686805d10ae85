//! A message as it is seen: by everybody, by one who is in, by one who left.

use rusqlite::OptionalExtension;
use tidings_core::clock::Timestamp;
use tidings_core::conversations::Membership;
use tidings_core::ids::{ConversationId, LogId, MessageId, Pos, StreamId, UserId};
use tidings_core::messages::Message;

use super::Stored;
use crate::rows::{Rows, bound};

/// The last event that one who left may know of: their own leaving.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Until {
    pub pos: Pos,
    pub log: LogId,
}

impl Until {
    /// Nothing for one who is in. The intervals are all of the user's, first to last.
    pub(crate) fn of(intervals: &[Membership]) -> Option<Self> {
        let last = intervals.last()?;
        last.to_pos.zip(last.to_log).map(|(pos, log)| Self { pos, log })
    }
}

/// Through whose eyes a message is read.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Eyes {
    /// Whose reactions are marked as their own.
    pub own: Option<UserId>,
    /// What came later is not seen, except that it was deleted: then its text is gone for everybody.
    pub until: Option<Until>,
}

impl Eyes {
    pub(crate) const EVERYBODY: Self = Self { own: None, until: None };

    /// Somebody's who has been in during these intervals, all of theirs, first to last.
    pub(crate) fn of(viewer: UserId, intervals: &[Membership]) -> Self {
        Self { own: Some(viewer), until: Until::of(intervals) }
    }
}

impl Rows<'_> {
    /// Nothing for one who is in, or never was.
    pub(crate) fn until(
        &self,
        conversation: ConversationId,
        user: UserId,
    ) -> rusqlite::Result<Option<Until>> {
        let Some(head) = self.head(StreamId::Conversation(conversation))? else { return Ok(None) };
        Ok(Until::of(&self.intervals(conversation, user, head.last_pos)?))
    }

    /// A message; whoever may read it.
    pub(crate) fn message(&self, id: MessageId, eyes: Eyes) -> rusqlite::Result<Option<Message>> {
        let stored = self.stored_message(id)?;
        stored.map(|stored| self.seen(stored, eyes)).transpose()
    }

    /// A message that another row names, without anybody's own reactions.
    pub(crate) fn named_message(&self, id: MessageId, until: Option<Until>) -> rusqlite::Result<Message> {
        self.message(id, Eyes { own: None, until })?.ok_or(rusqlite::Error::QueryReturnedNoRows)
    }

    /// A row together with what is on the message.
    pub(crate) fn seen(&self, stored: Stored, eyes: Eyes) -> rusqlite::Result<Message> {
        let Stored { mut message, has_reactions } = stored;
        if has_reactions {
            let reactions = match eyes.until {
                Some(until) => self.reactions_until(message.id, until.log)?,
                None => self.reactions(message.id)?,
            };
            message.reactions = match eyes.own {
                Some(viewer) => self.reactions_to(viewer, message.id, reactions)?,
                None => reactions,
            };
        }
        match eyes.until {
            Some(until) if message.version > 1 => self.as_it_was(message, until.pos),
            _ => Ok(message),
        }
    }

    /// What it said then. Of a deleted message no version is kept.
    fn as_it_was(&self, message: Message, at: Pos) -> rusqlite::Result<Message> {
        let mut statement = self.conn.prepare_cached(
            "SELECT version, body, written_at FROM message_version
             WHERE conversation = ?1 AND seq = ?2 AND replaced_pos > ?3 ORDER BY version LIMIT 1",
        )?;
        let key = (message.id.conversation.as_bytes(), bound(message.id.seq.0), bound(at.0));
        let then = statement.query_row(key, |row| {
            let version = row.get(0)?;
            let written_at = Timestamp(row.get(2)?);
            Ok((version, row.get(1)?, (version > 1).then_some(written_at)))
        });
        Ok(match then.optional()? {
            Some((version, content, edited_at)) => Message { version, content, edited_at, ..message },
            None => message,
        })
    }
}
