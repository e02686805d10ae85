//! Durable events: the frame that everybody gets, encoded once.

use tidings_core::accounts::User;
use tidings_core::conversations::Membership;
use tidings_core::events::{Event, EventBody};
use tidings_core::ids::{Seq, UserId};
use tidings_core::sync::Token;
use tidings_protocol::events as wire;

use super::{accounts, conversations, messages};

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
        EventBody::MessageSent(message) => wire::EventBody::MessageNew(messages::message(message)),
        EventBody::ConversationCreated { conversation, participants } => {
            // It begins empty: what was sent since has events of its own.
            let created = conversations::shared(conversation, participants.len(), participants, Seq(0));
            wire::EventBody::ConversationCreated(created)
        }
        EventBody::ParticipantJoined(participant) => {
            let change = participant_change(&participant.user, &participant.membership, event.actor);
            wire::EventBody::ParticipantJoined(change)
        }
        EventBody::ParticipantLeft { user, membership } => {
            wire::EventBody::ParticipantLeft(participant_change(user, membership, event.actor))
        }
        EventBody::UserRegistered(user) => wire::EventBody::UserUpdated(accounts::user(user)),
        EventBody::SessionEnded { session, .. } => {
            wire::EventBody::SessionEnded(wire::SessionEnded { session_id: session.to_string() })
        }
    }
}

fn participant_change(user: &User, membership: &Membership, by: UserId) -> wire::ParticipantChange {
    wire::ParticipantChange {
        conversation_id: membership.conversation.to_string(),
        user_id: user.id.to_string(),
        user: accounts::user(user),
        role: membership.role.as_str().to_owned(),
        by: by.to_string(),
        history_from_seq: membership.history_from_seq.0,
    }
}
