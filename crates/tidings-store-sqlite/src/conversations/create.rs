//! Storing a conversation, or finding the one that stands.

use rusqlite::Connection;
use tidings_core::conversations::{
    Conversation, ConversationKind, CreatedConversation, Error, Marks, Membership, MembershipState,
    Participant, Preferences, Role, Settings,
};
use tidings_core::events::EventBody;
use tidings_core::ids::{ConversationId, StreamId, UserId};
use tidings_core::ports::store::NewConversation;

use super::{check_session, check_users, membership, missing, settings_text};
use crate::idempotency;
use crate::write::{Change, Draft, Failure, Place, Tx};

type Created = Result<Change<CreatedConversation>, Failure<Error>>;

pub(super) fn insert_conversation(tx: &mut Tx<'_>, new: &NewConversation) -> Created {
    check_session(tx, &new.actor)?;
    if let Some(request) = &new.request
        && let Some(conversation) = idempotency::find(tx.conn, &new.actor, request, new.now)?
    {
        return Ok(Change::nothing(found(tx, new.actor.user, conversation)?));
    }
    if tx.rows().conversation(new.id)?.is_some() {
        return find_again(tx, new);
    }
    let pointer = |index| match new.kind {
        ConversationKind::Direct => "/userId".to_owned(),
        ConversationKind::Group | ConversationKind::SelfNotes => format!("/userIds/{index}"),
    };
    check_users(tx, new.actor.app, &new.users, pointer)?;
    insert(tx, new)
}

/// One per pair, and one per person: the id is derived from the people, and so it stands already.
fn find_again(tx: &Tx<'_>, new: &NewConversation) -> Created {
    let created = found(tx, new.actor.user, new.id)?;
    let Some(request) = &new.request else { return Ok(Change::nothing(created)) };
    idempotency::insert(tx.conn, &new.actor, request, new.id, new.now)?;
    Ok(Change::silent(created, "it stands already; only the request's key is kept"))
}

fn found(
    tx: &Tx<'_>,
    actor: UserId,
    conversation: ConversationId,
) -> Result<CreatedConversation, Failure<Error>> {
    match tx.rows().view(actor, conversation)? {
        Some(view) => Ok(CreatedConversation { view, found: true }),
        None => Err(Failure::Refused(Error::NotFound)),
    }
}

fn insert(tx: &mut Tx<'_>, new: &NewConversation) -> Created {
    let conversation = Conversation {
        id: new.id,
        app: new.actor.app,
        kind: new.kind,
        title: new.title.clone(),
        avatar_url: None,
        settings: Settings::default(),
        created_at: new.now,
        created_by: new.actor.user,
    };
    let place = tx.open_stream(StreamId::Conversation(new.id))?;
    insert_row(tx.conn, &conversation)?;
    let participants = insert_participants(tx, new, &conversation, place)?;
    if let Some(request) = &new.request {
        idempotency::insert(tx.conn, &new.actor, request, new.id, new.now)?;
    }
    let view = tx.rows().view(new.actor.user, new.id)?.ok_or_else(|| missing("the creator's membership"))?;
    let body = EventBody::ConversationCreated { conversation, participants };
    let draft = Draft { place, actor: new.actor.user, at: new.now, body };
    Ok(Change::with(CreatedConversation { view, found: false }, draft, []))
}

fn insert_row(conn: &Connection, conversation: &Conversation) -> rusqlite::Result<()> {
    let mut statement = conn.prepare_cached(
        "INSERT INTO conversation (id, app_id, kind, title, avatar_url, settings, created_at, created_by)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?;
    statement.execute((
        conversation.id.as_bytes(),
        conversation.app.0,
        conversation.kind.as_str(),
        &conversation.title,
        &conversation.avatar_url,
        settings_text(&conversation.settings)?,
        conversation.created_at.0,
        conversation.created_by.as_bytes(),
    ))?;
    Ok(())
}

/// A direct conversation is nobody's own.
pub(crate) fn role_at_creation(conversation: &Conversation, user: UserId) -> Role {
    let owns = user == conversation.created_by && conversation.kind != ConversationKind::Direct;
    if owns { Role::Owner } else { Role::Member }
}

/// Everybody is in from the position of the creation on, in the order in which participants are always listed.
fn insert_participants(
    tx: &mut Tx<'_>,
    new: &NewConversation,
    conversation: &Conversation,
    place: Place,
) -> Result<Vec<Participant>, Failure<Error>> {
    let head = tx.head(place.stream)?.ok_or_else(|| missing("the head of a new stream"))?;
    let mut users: Vec<UserId> = new.users.iter().copied().chain([new.actor.user]).collect();
    users.sort_unstable();
    users.dedup();
    let count = users.len();
    let mut participants = Vec::with_capacity(count);
    for user in users {
        let membership = Membership {
            conversation: new.id,
            user,
            from_pos: place.pos,
            to_pos: None,
            from_seq: head.last_seq.next(),
            to_seq: None,
            history_from_seq: head.last_seq.next(),
            from_log: place.log_id,
            to_log: None,
            joined_at: new.now,
            role: role_at_creation(conversation, user),
            state: MembershipState::Active,
            marks: Marks::at_entry(head.last_seq, head.last_ord, head.last_all),
            preferences: Preferences::default(),
        };
        membership::insert(tx.conn, &membership, count)?;
        tx.forget_sender(new.id, user);
        participants.push(Participant { user: tx.rows().named_user(user)?, membership });
    }
    Ok(participants)
}
