//! Taking an emoji from a message.

use tidings_core::events::EventBody;
use tidings_core::ids::StreamId;
use tidings_core::ports::store::RemoveReaction;
use tidings_core::reactions::{Error, Reaction};

use super::{changed, get_to_react, key, set_emoji};
use crate::write::{Change, Failure, Tx};

pub(super) fn remove_reaction(
    tx: &mut Tx<'_>,
    remove: &RemoveReaction,
) -> Result<Change<Vec<Reaction>>, Failure<Error>> {
    let (actor, id) = (remove.actor, remove.message);
    let message = get_to_react(tx, &actor, id)?;
    if !tx.rows().own_emoji(id, actor.user)?.contains(&remove.emoji) {
        return Ok(Change::nothing(tx.rows().reactions_to(actor.user, id, message.reactions)?));
    }
    let place = tx.next(StreamId::Conversation(id.conversation))?;
    let (conversation, seq) = key(&id);
    let mut statement = tx.conn.prepare_cached(
        "DELETE FROM reaction WHERE conversation = ?1 AND seq = ?2 AND user = ?3 AND emoji = ?4",
    )?;
    statement.execute((conversation, seq, actor.user.as_bytes(), &remove.emoji))?;
    let mut statement = tx.conn.prepare_cached(
        "UPDATE reaction_count SET count = count - 1 WHERE conversation = ?1 AND seq = ?2 AND emoji = ?3",
    )?;
    statement.execute((conversation, seq, &remove.emoji))?;
    let mut statement = tx.conn.prepare_cached(
        "DELETE FROM reaction_count WHERE conversation = ?1 AND seq = ?2 AND emoji = ?3 AND count = 0",
    )?;
    if statement.execute((conversation, seq, &remove.emoji))? > 0 {
        set_emoji(tx, &id, message.reactions.len() - 1)?;
    }
    Ok(changed(tx, place, (actor.user, remove.now), &message, &remove.emoji, EventBody::ReactionRemoved)?)
}
