//! Conversations and participants.

use tidings_core::clock::Timestamp;
use tidings_core::conversations::{
    Conversation, ConversationPage, ConversationView, CreateConversation, Error, Membership, Notify,
    PARTICIPANTS_SHOWN, Participant, ParticipantPage, Preferences, PreferencesChange, Settings,
};
use tidings_core::error::{Code, FieldError};
use tidings_core::ids::{Seq, UserId};
use tidings_protocol::conversations as wire;

use crate::cursor;

use super::ids::read_id;
use super::{accounts, messages, moment};

/// A conversation as one of its people sees it.
pub fn conversation(view: &ConversationView) -> wire::Conversation {
    wire::Conversation {
        shared: shared(&view.conversation, view.participant_count, &view.participants, view.last_seq),
        pos: view.pos.0,
        last_message: view.last_message.as_ref().map(messages::message),
        unread: view.unread,
        // Messages name nobody yet.
        mentions: 0,
        me: my_participation(&view.me),
    }
}

/// What everybody in it sees.
pub fn shared(
    conversation: &Conversation,
    participant_count: usize,
    participants: &[Participant],
    last_seq: Seq,
) -> wire::SharedConversation {
    wire::SharedConversation {
        id: conversation.id.to_string(),
        kind: conversation.kind.as_str().to_owned(),
        title: conversation.title.clone(),
        avatar_url: conversation.avatar_url.clone(),
        created_at: conversation.created_at.rfc3339(),
        created_by: conversation.created_by.to_string(),
        settings: settings(conversation.settings),
        participant_count: participant_count as u64,
        participants: participants.iter().take(PARTICIPANTS_SHOWN).map(participant).collect(),
        last_seq: last_seq.0,
    }
}

fn settings(settings: Settings) -> wire::ConversationSettings {
    wire::ConversationSettings {
        send: settings.send.as_str().to_owned(),
        add: settings.add.as_str().to_owned(),
        edit: settings.edit.as_str().to_owned(),
        history: settings.history.as_str().to_owned(),
    }
}

fn my_participation(me: &Membership) -> wire::MyParticipation {
    wire::MyParticipation {
        state: me.state.as_str().to_owned(),
        role: me.role.as_str().to_owned(),
        read_seq: me.marks.read_seq.0,
        delivered_seq: me.marks.delivered_seq.0,
        history_from_seq: me.history_from_seq.0,
        preferences: preferences(&me.preferences),
    }
}

/// What somebody has chosen.
pub fn preferences(preferences: &Preferences) -> wire::Preferences {
    wire::Preferences {
        muted_until: moment(preferences.muted_until),
        pinned: preferences.pinned,
        archived: preferences.archived,
        notify: preferences.notify.as_str().to_owned(),
    }
}

/// What somebody chooses.
pub fn preferences_change(request: &wire::PreferencesRequest) -> Result<PreferencesChange, Error> {
    let mut errors = Vec::new();
    let muted_until = request.muted_until.as_ref().map(|until| {
        until.as_ref().and_then(|text| {
            let until = Timestamp::parse_rfc3339(text);
            if until.is_none() {
                let detail = "a time like 2030-01-31T12:00:00Z, or null";
                errors.push(FieldError::new("/mutedUntil", Code::BadFormat, detail));
            }
            until
        })
    });
    let notify = request.notify.as_ref().and_then(|text| {
        let notify = Notify::parse(text);
        if notify.is_none() {
            errors.push(FieldError::new("/notify", Code::BadFormat, "all, mentions or none"));
        }
        notify
    });
    let change =
        PreferencesChange { muted_until, pinned: request.pinned, archived: request.archived, notify };
    if errors.is_empty() { Ok(change) } else { Err(Error::Invalid(errors)) }
}

/// Somebody in a conversation.
pub fn participant(participant: &Participant) -> wire::Participant {
    let membership = &participant.membership;
    wire::Participant {
        user_id: participant.user.id.to_string(),
        user: accounts::user(&participant.user),
        role: membership.role.as_str().to_owned(),
        joined_at: membership.joined_at.rfc3339(),
        read_seq: membership.marks.public_read_seq.0,
        delivered_seq: membership.marks.delivered_seq.0,
    }
}

/// A page of conversations.
pub fn conversation_list(page: &ConversationPage) -> wire::ConversationList {
    wire::ConversationList {
        conversations: page.conversations.iter().map(conversation).collect(),
        next_cursor: page.next.as_ref().map(cursor::write),
    }
}

/// A page of participants.
pub fn participant_list(page: &ParticipantPage) -> wire::ParticipantList {
    wire::ParticipantList {
        participants: page.participants.iter().map(participant).collect(),
        next_cursor: page.next.as_ref().map(cursor::write),
    }
}

/// The answer to adding people.
pub fn added_participants(participants: &[Participant]) -> wire::AddedParticipants {
    wire::AddedParticipants { participants: participants.iter().map(participant).collect() }
}

/// A conversation to be made.
pub fn create_conversation(request: wire::CreateConversationRequest) -> CreateConversation {
    match request {
        wire::CreateConversationRequest::Direct { user_id } => {
            CreateConversation::Direct { user: read_id(&user_id) }
        }
        wire::CreateConversationRequest::Group { title, user_ids } => {
            CreateConversation::Group { title, users: self::user_ids(&user_ids) }
        }
        wire::CreateConversationRequest::SelfNotes {} => CreateConversation::SelfNotes,
    }
}

/// Ids of users, in the order of the request.
pub fn user_ids(texts: &[String]) -> Vec<UserId> {
    texts.iter().map(|text| read_id(text)).collect()
}
