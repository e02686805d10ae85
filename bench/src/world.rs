//! Who is there and where they talk: what a scenario needs to know of a data set.

use std::collections::HashMap;
use std::path::Path;
use std::thread;

use anyhow::Context as _;
use rusqlite::Connection;
use tidings_core::clock::{Clock as _, SystemClock, Timestamp};
use tidings_core::ids::{AppId, IdSource as _, SessionId, SystemIds, UserId};
use tidings_core::limits::ACCESS_TOKEN_SECONDS;
use tidings_core::sessions::AccessTokens;
use tidings_server::keys;
use uuid::Uuid;

use crate::seed::Plan;

/// Tokens are signed by this many workers; one RSA signature takes half a millisecond.
const SIGNERS: usize = 2;
/// How long tokens of a run live: longer than any stage plays.
const TOKEN_SECONDS: i64 = 2 * 3_600;

/// Somebody with a session.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Person {
    pub user: UserId,
    pub session: SessionId,
}

/// A conversation, and where it stands before the run.
#[derive(Debug, Clone)]
pub(crate) struct Conversation {
    /// Its id as it goes over the wire.
    pub id: String,
    /// Indexes into the people.
    pub members: Vec<u32>,
    pub seq: u64,
    pub pos: u64,
}

/// People and conversations, by index.
#[derive(Debug, Clone, Default)]
pub(crate) struct World {
    pub people: Vec<Person>,
    pub conversations: Vec<Conversation>,
}

impl World {
    /// Reads a data directory that no server holds and that was closed in order.
    pub(crate) fn read(data_dir: &Path) -> anyhow::Result<Self> {
        let db = Connection::open(data_dir.join("tidings.db"))?;
        let people = db
            .prepare("SELECT user, min(id) FROM session GROUP BY user ORDER BY user")?
            .query_map([], |row| {
                let (user, session) = (UserId::from_bytes(row.get(0)?), SessionId::from_bytes(row.get(1)?));
                Ok(Person { user, session })
            })?
            .collect::<Result<Vec<_>, _>>()?;
        let index: HashMap<UserId, u32> = (0..).zip(&people).map(|(n, person)| (person.user, n)).collect();
        let mut conversations = db
            .prepare("SELECT substr(stream, 2), last_seq, last_pos FROM head WHERE kind = 1 ORDER BY stream")?
            .query_map([], |row| {
                let id = Uuid::from_bytes(row.get(0)?).to_string();
                let (seq, pos): (i64, i64) = (row.get(1)?, row.get(2)?);
                let (seq, pos) = (seq.cast_unsigned(), pos.cast_unsigned());
                Ok(Conversation { id, members: Vec::new(), seq, pos })
            })?
            .collect::<Result<Vec<_>, _>>()?;
        let places: HashMap<String, usize> =
            conversations.iter().enumerate().map(|(n, conversation)| (conversation.id.clone(), n)).collect();
        let mut statement = db.prepare(
            "SELECT conversation, user FROM membership WHERE to_pos IS NULL ORDER BY conversation, user",
        )?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let conversation = Uuid::from_bytes(row.get(0)?).to_string();
            let member = index.get(&UserId::from_bytes(row.get(1)?)).context("a member without a session")?;
            let place = places.get(&conversation).context("a membership without a conversation")?;
            conversations[*place].members.push(*member);
        }
        Ok(Self { people, conversations })
    }

    /// The same people and conversations as in a data set of the plan, for servers that check no membership.
    pub(crate) fn planned(plan: &Plan) -> Self {
        let people = (0..plan.people).map(|n| Person {
            user: UserId(Uuid::from_u128(0x0000_0000_0000_4000_8000_0000_0000_0000 + u128::from(n))),
            session: SessionId(Uuid::nil()),
        });
        let conversations = (0..plan.conversations).map(|n| Conversation {
            id: SystemIds.uuid(Timestamp(i64::from(n))).to_string(),
            members: (0..plan.members).map(|k| (n * plan.stride + k) % plan.people).collect(),
            seq: 0,
            pos: 0,
        });
        Self { people: people.collect(), conversations: conversations.collect() }
    }

    /// An access token for each of these people, signed with the data directory's own key. They live [`TOKEN_SECONDS`],
    /// because a stage with many rounds takes longer than the ten minutes of the server's own: they are signed as of a
    /// moment to come, which a server takes up to two hours ahead.
    pub(crate) fn mint_tokens(data_dir: &Path, people: &[Person]) -> anyhow::Result<Vec<String>> {
        let now = SystemClock.now().plus_seconds(TOKEN_SECONDS - ACCESS_TOKEN_SECONDS);
        let access = &AccessTokens::new(keys::load_or_make(data_dir)?);
        let issue = |person: &Person| {
            let issued = access.issue(person.user, person.session, AppId::DEFAULT, now);
            issued.map(|(token, _)| token).map_err(anyhow::Error::from)
        };
        let share = people.len().div_ceil(SIGNERS).max(1);
        thread::scope(|scope| {
            let workers: Vec<_> = people
                .chunks(share)
                .map(|part| scope.spawn(move || part.iter().map(issue).collect::<anyhow::Result<Vec<_>>>()))
                .collect();
            let mut tokens = Vec::with_capacity(people.len());
            for worker in workers {
                tokens.extend(worker.join().map_err(|_| anyhow::anyhow!("a signer panicked"))??);
            }
            Ok(tokens)
        })
    }
}
