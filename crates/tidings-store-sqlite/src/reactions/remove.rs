//! Taking an emoji from a message.

use tidings_core::events::EventBody;
use tidings_core::ids::StreamId;
use tidings_core::messages;
use tidings_core::ports::store::RemoveReaction;
use tidings_core::reactions::{Error, Reaction, ReactionChange};

use super::{as_reaction, key, set_emoji};
use crate::messages::get_to_change;
use crate::write::{Change, Draft, Failure, Tx};

pub(super) fn remove_reaction(
    tx: &mut Tx<'_>,
    remove: &RemoveReaction,
) -> Result<Change<Vec<Reaction>>, Failure<Error>> {
    let (actor, id) = (remove.actor, remove.message);
    let (message, _) = get_to_change(tx, &actor, id).map_err(as_reaction)?;
    if message.deletion.is_some() {
        return Err(Failure::Refused(messages::Error::Deleted.into()));
    }
    if !tx.rows().own_emoji(id, actor.user)?.contains(&remove.emoji) {
        return Ok(Change::nothing(tx.rows().reactions(id, Some(actor.user))?));
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
    let change = ReactionChange {
        message: id,
        message_pos: message.pos,
        emoji: remove.emoji.clone(),
        reactions: tx.rows().reactions(id, None)?,
    };
    let draft = Draft { place, actor: actor.user, at: remove.now, body: EventBody::ReactionRemoved(change) };
    Ok(Change::with(tx.rows().reactions(id, Some(actor.user))?, draft, []))
}
