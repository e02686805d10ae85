//! Deleting: the row stays, its text goes.

use std::sync::Arc;

use tidings_core::conversations::{ConversationKind, Role};
use tidings_core::events::EventBody;
use tidings_core::ids::{MessageId, StreamId};
use tidings_core::messages::{Deletion, Error, Message};
use tidings_core::ports::store::DeleteMessage;

use super::get_to_change;
use crate::rows::bound;
use crate::write::{Change, Draft, Failure, Tx};

pub(super) fn delete_message(
    tx: &mut Tx<'_>,
    delete: DeleteMessage,
) -> Result<Change<Message>, Failure<Error>> {
    let DeleteMessage { actor, message: id, now } = delete;
    let (message, me) = get_to_change(tx, &actor, id)?;
    if message.sender != actor.user && !runs_the_group(tx, id, me.role)? {
        return Err(Failure::Refused(Error::NotAllowedToDelete));
    }
    if message.deletion.is_some() {
        return Ok(Change::nothing(message));
    }
    let place = tx.next(StreamId::Conversation(id.conversation))?;
    let left = Message {
        content: String::new(),
        metadata: None,
        deletion: Some(Deletion { at: now, by: actor.user }),
        reactions: Vec::new(),
        ..message
    };
    let key = (id.conversation.as_bytes(), bound(id.seq.0));
    let mut statement = tx.conn.prepare_cached(
        "UPDATE message SET body = '', metadata = NULL, deleted_at = ?3, deleted_by = ?4, emoji = 0
         WHERE conversation = ?1 AND seq = ?2",
    )?;
    statement.execute((key.0, key.1, now.0, actor.user.as_bytes()))?;
    // Both are few, by limits. Who has reacted may be as many as a group has people: those rows are not read any more.
    tx.conn
        .prepare_cached("DELETE FROM message_version WHERE conversation = ?1 AND seq = ?2")?
        .execute(key)?;
    tx.conn
        .prepare_cached("DELETE FROM reaction_count WHERE conversation = ?1 AND seq = ?2")?
        .execute(key)?;
    let body = EventBody::MessageDeleted(Arc::new(left.clone()));
    Ok(Change::with(left, Draft { place, actor: actor.user, at: now, body }, []))
}

fn runs_the_group(tx: &Tx<'_>, id: MessageId, role: Role) -> rusqlite::Result<bool> {
    let is_group = tx.rows().named_conversation(id.conversation)?.kind == ConversationKind::Group;
    Ok(is_group && role >= Role::Admin)
}
