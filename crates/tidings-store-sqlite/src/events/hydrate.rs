//! From a reference to the event: joined to the rows as they are now, or as they were for who left, or at the event. A
//! late reader sees the present text and then the edit; it converges.
//!
//! Who came in is given as they came in: an old event must not tell how far somebody has read since, nor that they
//! went.

use std::sync::Arc;

use tidings_core::clock::Timestamp;
use tidings_core::conversations::{Marks, Membership, MembershipState, Participant, Preferences, Role};
use tidings_core::events::{Event, EventBody};
use tidings_core::ids::{ConversationId, MessageId, StreamId, UserId};
use tidings_core::reactions::ReactionChange;
use tidings_core::receipts::ReceiptKind;

use super::{EntryData, EventRow, Kind, RoleData, receipts};
use crate::conversations::{decode_preferences, role_at_creation};
use crate::messages::Until;
use crate::rows::{Rows, bound, unreadable};

impl Rows<'_> {
    /// The event that a row refers to, as one who left may know of it, or as everybody does.
    pub(crate) fn hydrate(&self, event: &EventRow, until: Option<Until>) -> rusqlite::Result<Event> {
        Ok(Event {
            log_id: event.log_id,
            stream: event.stream,
            pos: event.pos,
            span: 1,
            at: event.at,
            actor: event.actor,
            body: self.body(event, until)?,
        })
    }

    /// The same as it would have been told in time: what came later may not be for all who are told of it.
    pub(super) fn hydrate_as_committed(&self, event: &EventRow) -> rusqlite::Result<Event> {
        self.hydrate(event, Some(Until { pos: event.pos, log: event.log_id }))
    }

    fn body(&self, event: &EventRow, until: Option<Until>) -> rusqlite::Result<EventBody> {
        let message = || Ok(Arc::new(self.named_message(message_id(event)?, until)?));
        match event.kind {
            Kind::Sent => message().map(EventBody::MessageSent),
            Kind::MessageEdited => message().map(EventBody::MessageEdited),
            Kind::MessageDeleted => message().map(EventBody::MessageDeleted),
            Kind::ReactionAdded => Ok(EventBody::ReactionAdded(self.reaction_change(event, until)?)),
            Kind::ReactionRemoved => Ok(EventBody::ReactionRemoved(self.reaction_change(event, until)?)),
            Kind::MessagesRead => Ok(EventBody::MessagesRead(receipts::decode(event)?)),
            Kind::MessagesDelivered => Ok(EventBody::MessagesDelivered(receipts::decode(event)?)),
            Kind::OwnRead => own_marks(event, ReceiptKind::Read),
            Kind::OwnDelivered => own_marks(event, ReceiptKind::Delivered),
            Kind::PreferencesUpdated => {
                let (from_pos, preferences) = decode_preferences(event)?;
                Ok(EventBody::PreferencesUpdated {
                    conversation: event.conversation()?,
                    from_pos,
                    preferences,
                })
            }
            Kind::ConversationCreated => self.created(event),
            Kind::ParticipantJoined => {
                let joined = self.entered(event, conversation(event)?, event.user()?, Role::Member)?;
                Ok(EventBody::ParticipantJoined(joined))
            }
            Kind::ParticipantLeft => {
                let membership = self.interval_to(conversation(event)?, event.user()?, event.pos)?;
                Ok(EventBody::ParticipantLeft { user: self.named_user(event.user()?)?, membership })
            }
            Kind::ParticipantUpdated => self.updated(event),
            Kind::UserRegistered => Ok(EventBody::UserRegistered(self.named_user(event.user()?)?)),
            Kind::UserUpdated => Ok(EventBody::UserUpdated(self.named_user(event.user()?)?)),
            Kind::SessionEnded => {
                let until =
                    event.data.as_deref().and_then(|data| data.try_into().ok().map(i64::from_be_bytes));
                let until = until.ok_or_else(|| unreadable(7, "the data of an ended session"))?;
                Ok(EventBody::SessionEnded { session: event.session()?, tokens_until: Timestamp(until) })
            }
        }
    }

    /// What is on the message now: of a late reader the count comes from later changes too.
    fn reaction_change(&self, event: &EventRow, until: Option<Until>) -> rusqlite::Result<ReactionChange> {
        let message = self.named_message(message_id(event)?, until)?;
        Ok(ReactionChange {
            message: message.id,
            message_pos: message.pos,
            emoji: event.emoji()?.to_owned(),
            reactions: message.reactions,
        })
    }

    /// The event as it is shown to the user: nothing of what happened to a message that is not theirs to read, nor of
    /// who reacted to one that has been deleted since.
    pub(crate) fn shown_to(&self, user: UserId, event: Event) -> rusqlite::Result<Event> {
        let Some(about) = event.body.about() else { return Ok(event) };
        let is_gone = event.body.is_of_reactions() && self.is_deleted(about.message)?;
        if is_gone || !self.may_read(user, about.message)? { Ok(event.withheld()) } else { Ok(event) }
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
            let user = UserId::from_bytes(row.get(0)?);
            let role = role_at_creation(&conversation, user);
            participants.push(self.entered(event, conversation.id, user, role)?);
        }
        Ok(EventBody::ConversationCreated { conversation, participants })
    }

    fn updated(&self, event: &EventRow) -> rusqlite::Result<EventBody> {
        let RoleData { from_pos, role } = RoleData::decode(event)?;
        let interval = self.interval_from(conversation(event)?, event.user()?, from_pos)?;
        Ok(EventBody::ParticipantUpdated {
            user: self.named_user(interval.user)?,
            from_pos,
            history_from_seq: interval.history_from_seq,
            role,
        })
    }

    /// One who came in with this event, as they stood then.
    fn entered(
        &self,
        event: &EventRow,
        conversation: ConversationId,
        user: UserId,
        role: Role,
    ) -> rusqlite::Result<Participant> {
        let row = self.interval_from(conversation, user, event.pos)?;
        let EntryData { ord, all } = EntryData::decode(event)?;
        let membership = Membership {
            to_pos: None,
            to_seq: None,
            to_log: None,
            role,
            state: MembershipState::Active,
            marks: Marks::at_entry(row.from_seq.previous(), ord, all),
            preferences: Preferences::default(),
            ..row
        };
        Ok(Participant { user: self.named_user(user)?, membership })
    }
}

fn own_marks(event: &EventRow, kind: ReceiptKind) -> rusqlite::Result<EventBody> {
    let (from_pos, marks) = receipts::decode_own(event)?;
    Ok(EventBody::OwnMarks { conversation: event.conversation()?, from_pos, kind, marks })
}

fn message_id(event: &EventRow) -> rusqlite::Result<MessageId> {
    Ok(MessageId { conversation: conversation(event)?, seq: event.seq()? })
}

fn conversation(event: &EventRow) -> rusqlite::Result<ConversationId> {
    match event.stream {
        StreamId::Conversation(id) => Ok(id),
        StreamId::User(_) => Err(unreadable(1, "a conversation's event in a user's stream")),
    }
}
