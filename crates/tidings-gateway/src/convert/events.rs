//! Durable events: the frame that everybody gets, encoded once.

use tidings_core::accounts::User;
use tidings_core::conversations::{Marks, Participant, Role};
use tidings_core::events::{Event, EventBody};
use tidings_core::ids::{ConversationId, Seq, StreamId};
use tidings_core::messages::Message;
use tidings_core::reactions::ReactionChange;
use tidings_core::receipts::{Receipt, ReceiptKind};
use tidings_core::sync::Token;
use tidings_protocol::events as wire;
use tidings_protocol::receipts::MarksMoved;

use super::ids::KnownForm;
use super::{accounts, conversations, messages, reactions};

/// The event at its place. `next` resumes after it; replayed frames carry none.
pub fn frame(event: &Event, next: Option<&Token>) -> wire::Frame<wire::EventBody> {
    wire::Frame {
        stream: event.stream.to_string(),
        pos: event.pos.0,
        span: event.span,
        at: event.at.rfc3339(),
        next: next.map(ToString::to_string),
        own: body(event),
    }
}

fn body(event: &Event) -> wire::EventBody {
    match &event.body {
        EventBody::MessageSent(message) => wire::EventBody::MessageNew(messages::shared(message)),
        EventBody::MessageEdited(message) => wire::EventBody::MessageEdited(messages::shared(message)),
        EventBody::MessageDeleted(message) => wire::EventBody::MessageDeleted(deleted(event, message)),
        EventBody::ReactionAdded(change) => wire::EventBody::ReactionAdded(reaction(event, change)),
        EventBody::ReactionRemoved(change) => wire::EventBody::ReactionRemoved(reaction(event, change)),
        EventBody::ReactionsChanged { message, reactions, .. } => {
            wire::EventBody::ReactionsChanged(wire::ReactionsChanged {
                message_id: message.to_string(),
                conversation_id: message.conversation.to_string(),
                seq: message.seq.0,
                reactions: reactions::shared(reactions),
            })
        }
        EventBody::MessagesRead(receipts) => wire::EventBody::MessagesRead(marks_moved(event, receipts)),
        EventBody::MessagesDelivered(receipts) => {
            wire::EventBody::MessagesDelivered(marks_moved(event, receipts))
        }
        EventBody::OwnMarks { conversation, kind, marks, .. } => {
            own_marks(event, *conversation, *kind, marks)
        }
        EventBody::PreferencesUpdated { conversation, preferences, .. } => {
            wire::EventBody::PreferencesUpdated(wire::PreferencesUpdated {
                conversation_id: conversation.to_string(),
                preferences: conversations::preferences(preferences),
            })
        }
        EventBody::Withheld => wire::EventBody::StreamAdvanced(wire::StreamAdvanced {}),
        EventBody::ConversationCreated { conversation, participants } => {
            // It begins empty: what was sent since has events of its own.
            let created = conversations::shared(conversation, participants.len(), participants, Seq(0));
            wire::EventBody::ConversationCreated(created)
        }
        EventBody::ParticipantJoined(participant) => {
            let Participant { user, membership } = participant;
            let change = participant_change(event, user, membership.role, membership.history_from_seq);
            wire::EventBody::ParticipantJoined(change)
        }
        EventBody::ParticipantLeft { user, membership } => {
            let change = participant_change(event, user, membership.role, membership.history_from_seq);
            wire::EventBody::ParticipantLeft(change)
        }
        EventBody::ParticipantUpdated { user, history_from_seq, role, .. } => {
            wire::EventBody::ParticipantUpdated(participant_change(event, user, *role, *history_from_seq))
        }
        EventBody::UserRegistered(user) | EventBody::UserUpdated(user) => {
            wire::EventBody::UserUpdated(accounts::me(user))
        }
        EventBody::SessionEnded { session, .. } => {
            wire::EventBody::SessionEnded(wire::SessionEnded { session_id: session.to_string() })
        }
    }
}

/// The event says who did it and when, as the message does.
fn deleted(event: &Event, message: &Message) -> wire::MessageDeleted {
    wire::MessageDeleted {
        message_id: message.id.to_string(),
        conversation_id: message.id.conversation.to_string(),
        seq: message.id.seq.0,
        deleted_by: event.actor.to_string(),
        deleted_at: event.at.rfc3339(),
    }
}

fn reaction(event: &Event, change: &ReactionChange) -> wire::ReactionChange {
    wire::ReactionChange {
        message_id: change.message.to_string(),
        conversation_id: change.message.conversation.to_string(),
        seq: change.message.seq.0,
        user_id: event.actor.to_string(),
        emoji: change.emoji.clone(),
        count: change.count(),
    }
}

fn marks_moved(event: &Event, receipts: &[Receipt]) -> MarksMoved {
    super::receipts::marks_moved(conversation_of(event), receipts)
}

/// Of an event that stands in a conversation's stream, and nowhere else.
fn conversation_of(event: &Event) -> ConversationId {
    match event.stream {
        StreamId::Conversation(id) => id,
        StreamId::User(_) => ConversationId::NOBODY,
    }
}

/// In the stream of the person whose they are.
fn own_marks(
    event: &Event,
    conversation: ConversationId,
    kind: ReceiptKind,
    marks: &Marks,
) -> wire::EventBody {
    let moved = |seq| {
        let receipt = Receipt { user: event.actor, seq, at: event.at };
        super::receipts::marks_moved(conversation, &[receipt])
    };
    match kind {
        ReceiptKind::Read => wire::EventBody::MessagesRead(moved(marks.read_seq)),
        ReceiptKind::Delivered => wire::EventBody::MessagesDelivered(moved(marks.delivered_seq)),
    }
}

fn participant_change(
    event: &Event,
    user: &User,
    role: Role,
    history_from_seq: Seq,
) -> wire::ParticipantChange {
    wire::ParticipantChange {
        conversation_id: conversation_of(event).to_string(),
        user_id: user.id.to_string(),
        user: accounts::user(user),
        role: role.as_str().to_owned(),
        by: event.actor.to_string(),
        history_from_seq: history_from_seq.0,
    }
}
