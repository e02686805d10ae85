//! Putting an emoji on a message.

use tidings_core::error::{Code, FieldError};
use tidings_core::events::EventBody;
use tidings_core::ids::StreamId;
use tidings_core::messages;
use tidings_core::ports::store::AddReaction;
use tidings_core::reactions::{Error, Reaction, ReactionChange};

use super::{as_reaction, key, set_emoji};
use crate::messages::get_to_change;
use crate::rows::int;
use crate::write::{Change, Draft, Failure, Tx};

pub(super) fn add_reaction(
    tx: &mut Tx<'_>,
    add: &AddReaction,
) -> Result<Change<Vec<Reaction>>, Failure<Error>> {
    let (actor, id) = (add.actor, add.message);
    let (message, _) = get_to_change(tx, &actor, id).map_err(as_reaction)?;
    if message.deletion.is_some() {
        return Err(Failure::Refused(messages::Error::Deleted.into()));
    }
    let own = tx.rows().own_emoji(id, actor.user)?;
    if own.contains(&add.emoji) {
        return Ok(Change::nothing(tx.rows().reactions(id, Some(actor.user))?));
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
    let change = ReactionChange {
        message: id,
        message_pos: message.pos,
        emoji: add.emoji.clone(),
        reactions: tx.rows().reactions(id, None)?,
    };
    let draft = Draft { place, actor: actor.user, at: add.now, body: EventBody::ReactionAdded(change) };
    Ok(Change::with(tx.rows().reactions(id, Some(actor.user))?, draft, []))
}

fn too_many(detail: String) -> Failure<Error> {
    Failure::Refused(Error::Invalid(vec![FieldError::new("/emoji", Code::TooMany, detail)]))
}
