//! From a reference to the event: joined to the rows as they are now. A late reader sees the present text and then the
//! edit; it converges.

use std::sync::Arc;

use tidings_core::clock::Timestamp;
use tidings_core::conversations::Participant;
use tidings_core::events::{Event, EventBody};
use tidings_core::ids::{ConversationId, MessageId, StreamId};

use super::{EventRow, Kind};
use crate::rows::{Rows, bound, unreadable};

impl Rows<'_> {
    /// The event that a row refers to.
    pub(crate) fn hydrate(&self, event: &EventRow) -> rusqlite::Result<Event> {
        Ok(Event {
            log_id: event.log_id,
            stream: event.stream,
            pos: event.pos,
            span: 1,
            at: event.at,
            actor: event.actor,
            body: self.body(event)?,
        })
    }

    fn body(&self, event: &EventRow) -> rusqlite::Result<EventBody> {
        match event.kind {
            Kind::Sent => {
                let id = MessageId { conversation: conversation(event)?, seq: event.sent_seq()? };
                Ok(EventBody::MessageSent(Arc::new(self.named_message(id)?)))
            }
            Kind::ConversationCreated => self.created(event),
            Kind::ParticipantJoined => {
                let membership = self.interval_from(conversation(event)?, event.user()?, event.pos)?;
                Ok(EventBody::ParticipantJoined(Participant {
                    user: self.named_user(event.user()?)?,
                    membership,
                }))
            }
            Kind::ParticipantLeft => {
                let membership = self.interval_to(conversation(event)?, event.user()?, event.pos)?;
                Ok(EventBody::ParticipantLeft { user: self.named_user(event.user()?)?, membership })
            }
            Kind::UserRegistered => Ok(EventBody::UserRegistered(self.named_user(event.user()?)?)),
            Kind::SessionEnded => {
                let until =
                    event.data.as_deref().and_then(|data| data.try_into().ok().map(i64::from_be_bytes));
                let until = until.ok_or_else(|| unreadable(7, "the data of an ended session"))?;
                Ok(EventBody::SessionEnded { session: event.session()?, tokens_until: Timestamp(until) })
            }
        }
    }

    /// The conversation, and those who were in it from its first position.
    fn created(&self, event: &EventRow) -> rusqlite::Result<EventBody> {
        let conversation = self.named_conversation(conversation(event)?)?;
        let mut statement = self.conn.prepare_cached(
            "SELECT user FROM membership INDEXED BY membership_joined
             WHERE conversation = ?1 AND from_pos = ?2 ORDER BY user",
        )?;
        let mut rows = statement.query((conversation.id.as_bytes(), bound(event.pos.0)))?;
        let mut participants = Vec::new();
        while let Some(row) = rows.next()? {
            let user = self.named_user(tidings_core::ids::UserId::from_bytes(row.get(0)?))?;
            let membership = self.interval_from(conversation.id, user.id, event.pos)?;
            participants.push(Participant { user, membership });
        }
        Ok(EventBody::ConversationCreated { conversation, participants })
    }
}

fn conversation(event: &EventRow) -> rusqlite::Result<ConversationId> {
    match event.stream {
        StreamId::Conversation(id) => Ok(id),
        StreamId::User(_) => Err(unreadable(1, "a conversation's event in a user's stream")),
    }
}
