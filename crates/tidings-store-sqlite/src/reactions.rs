//! Reactions: a row for each, and a count for each emoji of a message.

mod add;
mod remove;

use async_trait::async_trait;
use tidings_core::ids::{MessageId, UserId};
use tidings_core::messages;
use tidings_core::ports::store::{AddReaction, ReactionStore, RemoveReaction};
use tidings_core::reactions::{Error, Reaction, USERS_SHOWN};

use crate::SqliteStore;
use crate::rows::{Rows, bound, limit, uint};
use crate::write::{Failure, Tx};

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

pub(crate) const OWN_SQL: &str =
    "SELECT emoji FROM reaction WHERE conversation = ?1 AND seq = ?2 AND user = ?3";

impl Rows<'_> {
    /// What is on a message, as everybody sees it or as this viewer does, the emoji that came first being first.
    pub(crate) fn reactions(&self, id: MessageId, viewer: Option<UserId>) -> rusqlite::Result<Vec<Reaction>> {
        let own = match viewer {
            Some(viewer) => self.own_emoji(id, viewer)?,
            None => Vec::new(),
        };
        let mut statement = self.conn.prepare_cached(COUNTS_SQL)?;
        let mut rows = statement.query(key(&id))?;
        let mut reactions = Vec::new();
        while let Some(row) = rows.next()? {
            let (emoji, count): (String, _) = (row.get(0)?, uint(row, 1)?);
            let (users, mine) = (self.first_users(id, &emoji)?, own.contains(&emoji));
            reactions.push(Reaction { emoji, count, users, mine });
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

/// A change of a message that was refused is a reaction that was.
fn as_reaction(failure: Failure<messages::Error>) -> Failure<Error> {
    match failure {
        Failure::Refused(error) => Failure::Refused(error.into()),
        Failure::Unexpected(error) => Failure::Unexpected(error),
    }
}
