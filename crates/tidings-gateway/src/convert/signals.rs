//! Signals, and who is here.

use tidings_core::presence::Presence;
use tidings_core::signals::{Opened, Signal};
use tidings_protocol::signals as wire;

use super::moment;

/// What others are told.
pub fn signal(signal: &Signal) -> wire::Signal {
    match *signal {
        Signal::TypingStarted { conversation, user } => wire::Signal::TypingStart(wire::Typing {
            conversation_id: conversation.to_string(),
            user_id: user.to_string(),
        }),
        Signal::TypingStopped { conversation, user } => wire::Signal::TypingStop(wire::Typing {
            conversation_id: conversation.to_string(),
            user_id: user.to_string(),
        }),
        Signal::PresenceChanged(of) => wire::Signal::PresenceChanged(presence(&of)),
        Signal::PresenceCounted { conversation, online } => {
            wire::Signal::PresenceCounted(wire::PresenceCounted {
                conversation_id: conversation.to_string(),
                online_count: online as u64,
            })
        }
    }
}

/// The ack of opening a conversation.
pub fn opened(opened: &Opened) -> wire::OpenAck {
    wire::OpenAck {
        ok: true,
        presence: opened.presence.iter().map(presence).collect(),
        online_count: opened.online as u64,
        typing: opened.typing.iter().map(ToString::to_string).collect(),
    }
}

fn presence(of: &Presence) -> wire::Presence {
    wire::Presence {
        user_id: of.user.to_string(),
        status: of.status.as_str().to_owned(),
        last_seen_at: moment(of.last_seen_at),
    }
}
