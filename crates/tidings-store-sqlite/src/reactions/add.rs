//! Putting an emoji on a message.

use tidings_core::error::{Code, FieldError};
use tidings_core::events::EventBody;
use tidings_core::ids::StreamId;
use tidings_core::ports::store::AddReaction;
use tidings_core::reactions::{Error, Reaction};

use super::{changed, get_to_react, key, set_emoji};
use crate::rows::int;
use crate::write::{Change, Failure, Tx};

pub(super) fn add_reaction(
    tx: &mut Tx<'_>,
    add: &AddReaction,
) -> Result<Change<Vec<Reaction>>, Failure<Error>> {
    let (actor, id) = (add.actor, add.message);
    let message = get_to_react(tx, &actor, id)?;
    let own = tx.rows().own_emoji(id, actor.user)?;
    if own.contains(&add.emoji) {
        return Ok(Change::nothing(tx.rows().reactions_to(actor.user, id, message.reactions)?));
    }
    let is_new = message.reactions.iter().all(|reaction| reaction.emoji != add.emoji);
    if own.len() >= add.user_emoji_max {
        return Err(too_many(format!("yours are {} already: take one away", add.user_emoji_max)));
    }
    if is_new && message.reactions.len() >= add.emoji_max {
        return Err(too_many(format!("there are {} already: choose one of them", add.emoji_max)));
    }
    let place = tx.next(StreamId::Conversation(id.conversation))?;
    let ((conversation, seq), log_id) = (key(&id), int(place.log_id.0)?);
    let mut statement = tx.conn.prepare_cached(
        "INSERT INTO reaction (conversation, seq, user, emoji, log_id) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    statement.execute((conversation, seq, actor.user.as_bytes(), &add.emoji, log_id))?;
    let mut statement = tx.conn.prepare_cached(
        "INSERT INTO reaction_count (conversation, seq, emoji, count, first_log) VALUES (?1, ?2, ?3, 1, ?4)
         ON CONFLICT (conversation, seq, emoji) DO UPDATE SET count = count + 1",
    )?;
    statement.execute((conversation, seq, &add.emoji, log_id))?;
    if is_new {
        set_emoji(tx, &id, message.reactions.len() + 1)?;
    }
    Ok(changed(tx, place, (actor.user, add.now), &message, &add.emoji, EventBody::ReactionAdded)?)
}

fn too_many(detail: String) -> Failure<Error> {
    Failure::Refused(Error::Invalid(vec![FieldError::new("/emoji", Code::TooMany, detail)]))
}
