//! Reactions: a row for each, and a count for each emoji of a message.

mod add;
mod remove;

use async_trait::async_trait;
use tidings_core::clock::Timestamp;
use tidings_core::events::EventBody;
use tidings_core::ids::{LogId, MessageId, UserId};
use tidings_core::messages::{self, Message};
use tidings_core::ports::store::{AddReaction, ReactionStore, RemoveReaction};
use tidings_core::reactions::{Error, Reaction, ReactionChange, USERS_SHOWN};
use tidings_core::sessions::Actor;

use crate::SqliteStore;
use crate::messages::get_to_change;
use crate::rows::{Rows, bound, limit, uint};
use crate::write::{Change, Draft, Failure, Place, Tx};

/// A message's key: conversation and `seq`.
type Key<'a> = (&'a [u8; 16], i64);

fn key(id: &MessageId) -> Key<'_> {
    (id.conversation.as_bytes(), bound(id.seq.0))
}

#[async_trait]
impl ReactionStore for SqliteStore {
    async fn add_reaction(&self, add: AddReaction) -> Result<Vec<Reaction>, Error> {
        self.writer.write(move |tx| add::add_reaction(tx, &add)).await
    }

    async fn remove_reaction(&self, remove: RemoveReaction) -> Result<Vec<Reaction>, Error> {
        self.writer.write(move |tx| remove::remove_reaction(tx, &remove)).await
    }
}

pub(crate) const COUNTS_SQL: &str =
    "SELECT emoji, count FROM reaction_count WHERE conversation = ?1 AND seq = ?2 ORDER BY first_log";

pub(crate) const FIRST_SQL: &str = "SELECT user FROM reaction INDEXED BY reaction_first
    WHERE conversation = ?1 AND seq = ?2 AND emoji = ?3 ORDER BY log_id LIMIT ?4";

pub(crate) const UNTIL_SQL: &str = "SELECT user FROM reaction INDEXED BY reaction_first
    WHERE conversation = ?1 AND seq = ?2 AND emoji = ?3 AND log_id <= ?4 ORDER BY log_id LIMIT ?5";

pub(crate) const LATER_SQL: &str = "SELECT count(*) FROM reaction INDEXED BY reaction_first
    WHERE conversation = ?1 AND seq = ?2 AND emoji = ?3 AND log_id > ?4";

pub(crate) const OWN_SQL: &str =
    "SELECT emoji FROM reaction WHERE conversation = ?1 AND seq = ?2 AND user = ?3";

impl Rows<'_> {
    /// What is on a message, as everybody sees it, the emoji that came first being first.
    pub(crate) fn reactions(&self, id: MessageId) -> rusqlite::Result<Vec<Reaction>> {
        let mut statement = self.conn.prepare_cached(COUNTS_SQL)?;
        let mut rows = statement.query(key(&id))?;
        let mut reactions = Vec::new();
        while let Some(row) = rows.next()? {
            let (emoji, count): (String, _) = (row.get(0)?, uint(row, 1)?);
            let users = self.first_users(id, &emoji)?;
            reactions.push(Reaction { emoji, count, users, mine: false });
        }
        Ok(reactions)
    }

    /// What is left of what was on it then.
    pub(crate) fn reactions_until(&self, id: MessageId, last: LogId) -> rusqlite::Result<Vec<Reaction>> {
        let mut emoji = self.conn.prepare_cached(
            "SELECT emoji, count FROM reaction_count WHERE conversation = ?1 AND seq = ?2 AND first_log <= ?3
             ORDER BY first_log",
        )?;
        let mut later = self.conn.prepare_cached(LATER_SQL)?;
        let mut users = self.conn.prepare_cached(UNTIL_SQL)?;
        let (conversation, seq) = key(&id);
        let mut rows = emoji.query((conversation, seq, bound(last.0)))?;
        let mut reactions = Vec::new();
        while let Some(row) = rows.next()? {
            let (emoji, count): (String, _) = (row.get(0)?, uint(row, 1)?);
            let place = (conversation, seq, &emoji, bound(last.0));
            let count = count.saturating_sub(later.query_row(place, |row| uint(row, 0))?);
            // Those who brought it may have taken it away since.
            if count > 0 {
                let place = (conversation, seq, &emoji, bound(last.0), limit(USERS_SHOWN));
                let users = users.query_map(place, |row| row.get(0).map(UserId::from_bytes))?;
                let users = users.collect::<rusqlite::Result<_>>()?;
                reactions.push(Reaction { emoji, count, users, mine: false });
            }
        }
        Ok(reactions)
    }

    /// The same as this viewer sees it.
    pub(crate) fn reactions_to(
        &self,
        viewer: UserId,
        id: MessageId,
        mut reactions: Vec<Reaction>,
    ) -> rusqlite::Result<Vec<Reaction>> {
        if !reactions.is_empty() {
            let own = self.own_emoji(id, viewer)?;
            reactions.iter_mut().for_each(|reaction| reaction.mine = own.contains(&reaction.emoji));
        }
        Ok(reactions)
    }

    fn first_users(&self, id: MessageId, emoji: &str) -> rusqlite::Result<Vec<UserId>> {
        let mut statement = self.conn.prepare_cached(FIRST_SQL)?;
        let (conversation, seq) = key(&id);
        let users = statement.query_map((conversation, seq, emoji, limit(USERS_SHOWN)), |row| {
            row.get(0).map(UserId::from_bytes)
        })?;
        users.collect()
    }

    /// What the user has put on a message.
    fn own_emoji(&self, id: MessageId, user: UserId) -> rusqlite::Result<Vec<String>> {
        let mut statement = self.conn.prepare_cached(OWN_SQL)?;
        let (conversation, seq) = key(&id);
        let emoji = statement.query_map((conversation, seq, user.as_bytes()), |row| row.get(0))?;
        emoji.collect()
    }
}

/// Writes how many different emoji are on a message.
fn set_emoji(tx: &Tx<'_>, id: &MessageId, emoji: usize) -> rusqlite::Result<()> {
    let mut statement =
        tx.conn.prepare_cached("UPDATE message SET emoji = ?3 WHERE conversation = ?1 AND seq = ?2")?;
    let (conversation, seq) = key(id);
    statement.execute((conversation, seq, limit(emoji)))?;
    Ok(())
}

/// The message, if the actor may react to it.
fn get_to_react(tx: &Tx<'_>, actor: &Actor, id: MessageId) -> Result<Message, Failure<Error>> {
    match get_to_change(tx, actor, id) {
        Ok((message, _)) if message.deletion.is_none() => Ok(message),
        Ok(_) => Err(Failure::Refused(messages::Error::Deleted.into())),
        Err(Failure::Refused(error)) => Err(Failure::Refused(error.into())),
        Err(Failure::Unexpected(error)) => Err(Failure::Unexpected(error)),
    }
}

/// What has changed, for everybody and for who did it, once the rows say so.
fn changed(
    tx: &Tx<'_>,
    place: Place,
    (actor, at): (UserId, Timestamp),
    message: &Message,
    emoji: &str,
    body: fn(ReactionChange) -> EventBody,
) -> rusqlite::Result<Change<Vec<Reaction>>> {
    let reactions = tx.rows().reactions(message.id)?;
    let seen = tx.rows().reactions_to(actor, message.id, reactions.clone())?;
    let emoji = emoji.to_owned();
    let change = ReactionChange { message: message.id, message_pos: message.pos, emoji, reactions };
    Ok(Change::with(seen, Draft { place, actor, at, body: body(change) }, []))
}
