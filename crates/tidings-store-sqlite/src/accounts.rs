//! Users.

mod search;

#[cfg(test)]
pub(crate) use search::WORDS_SQL;
pub(crate) use search::write_all_words;

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, Row};
use tidings_core::accounts::{Credentials, Error, PasswordHash, User, UserSettings};
use tidings_core::clock::Timestamp;
use tidings_core::error::StoreError;
use tidings_core::events::EventBody;
use tidings_core::ids::{AppId, StreamId, UserId};
use tidings_core::ports::store::{AccountStore, UpdateUser};

use crate::SqliteStore;
use crate::rows::Rows;
use crate::write::{Change, Draft, Failure, Tx};

/// The columns that [`user_of`] reads.
pub(crate) const USER: &str = "id, app_id, external_id, username, email, first_name, last_name, display_name,
    avatar_url, created_at, last_seen_at, shows_receipts, shows_typing, shows_presence";

pub(crate) fn user_of(row: &Row<'_>) -> rusqlite::Result<User> {
    Ok(User {
        id: UserId::from_bytes(row.get(0)?),
        app: AppId(row.get(1)?),
        external_id: row.get(2)?,
        username: row.get(3)?,
        email: row.get(4)?,
        first_name: row.get(5)?,
        last_name: row.get(6)?,
        display_name: row.get(7)?,
        avatar_url: row.get(8)?,
        created_at: Timestamp(row.get(9)?),
        last_seen_at: row.get::<_, Option<i64>>(10)?.map(Timestamp),
        settings: UserSettings { read_receipts: row.get(11)?, typing: row.get(12)?, presence: row.get(13)? },
    })
}

impl Rows<'_> {
    pub(crate) fn user(&self, id: UserId) -> rusqlite::Result<Option<User>> {
        let mut statement = self.conn.prepare_cached(&format!("SELECT {USER} FROM users WHERE id = ?1"))?;
        statement.query_row([id.as_bytes()], user_of).optional()
    }

    /// A user of this app; those of others do not exist.
    pub(crate) fn user_of_app(&self, app: AppId, id: UserId) -> rusqlite::Result<Option<User>> {
        Ok(self.user(id)?.filter(|user| user.app == app))
    }

    /// A user whom another row names.
    pub(crate) fn named_user(&self, id: UserId) -> rusqlite::Result<User> {
        self.user(id)?.ok_or(rusqlite::Error::QueryReturnedNoRows)
    }
}

#[async_trait]
impl AccountStore for SqliteStore {
    async fn insert_user(&self, user: &User, password: &PasswordHash) -> Result<(), Error> {
        let (user, password) = (user.clone(), password.clone());
        self.writer.write(move |tx| insert_user(tx, &user, &password)).await
    }

    async fn update_user(&self, update: UpdateUser) -> Result<User, Error> {
        self.writer.write(move |tx| update_user(tx, &update)).await
    }

    async fn find_user(&self, app: AppId, id: UserId) -> Result<Option<User>, StoreError> {
        self.readers.read(move |reader| Ok(reader.snapshot(&[])?.rows().user_of_app(app, id)?)).await
    }

    async fn list_hidden(&self) -> Result<Vec<(UserId, UserSettings)>, StoreError> {
        self.readers.read(|reader| Ok(list_hidden(reader.snapshot(&[])?.rows().conn)?)).await
    }

    async fn set_last_seen(&self, seen: Vec<(UserId, Timestamp)>, now: Timestamp) -> Result<(), StoreError> {
        self.writer.write(move |tx| set_last_seen(tx, &seen, now)).await
    }

    async fn find_password(&self, id: UserId) -> Result<Option<PasswordHash>, StoreError> {
        self.readers.read(move |reader| Ok(find_password(reader.snapshot(&[])?.rows().conn, id)?)).await
    }

    async fn search_users(
        &self,
        app: AppId,
        words: Vec<String>,
        username: String,
    ) -> Result<Vec<User>, StoreError> {
        self.readers
            .read(move |reader| {
                Ok(search::search_users(reader.snapshot(&[])?.rows(), app, &words, &username)?)
            })
            .await
    }

    async fn find_credentials(&self, app: AppId, login: &str) -> Result<Option<Credentials>, StoreError> {
        let login = login.to_owned();
        self.readers
            .read(move |reader| Ok(find_credentials(reader.snapshot(&[])?.rows().conn, app, &login)?))
            .await
    }
}

fn insert_user(tx: &mut Tx<'_>, user: &User, password: &PasswordHash) -> Result<Change<()>, Failure<Error>> {
    if is_taken(tx.conn, "username", user.app, &user.username)? {
        return Err(Failure::Refused(Error::UsernameTaken));
    }
    if let Some(email) = &user.email
        && is_taken(tx.conn, "email", user.app, email)?
    {
        return Err(Failure::Refused(Error::EmailTaken));
    }
    let place = tx.open_stream(StreamId::User(user.id))?;
    let mut statement = tx.conn.prepare_cached(
        "INSERT INTO users (id, app_id, external_id, username, email, first_name, last_name, display_name, avatar_url,
                            created_at, last_seen_at, password_hash)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
    )?;
    statement.execute((
        user.id.as_bytes(),
        user.app.0,
        &user.external_id,
        &user.username,
        &user.email,
        &user.first_name,
        &user.last_name,
        &user.display_name,
        &user.avatar_url,
        user.created_at.0,
        user.last_seen_at.map(|at| at.0),
        &password.0,
    ))?;
    search::write_words(tx.conn, user)?;
    let body = EventBody::UserRegistered(user.clone());
    Ok(Change::with((), Draft { place, actor: user.id, at: user.created_at, body }, []))
}

fn update_user(tx: &mut Tx<'_>, update: &UpdateUser) -> Result<Change<User>, Failure<Error>> {
    let (actor, change) = (update.actor, update.change.clone());
    if tx.has_ended(actor.session) {
        return Err(Failure::Refused(Error::SessionEnded));
    }
    let before = tx.rows().user_of_app(actor.app, actor.user)?.ok_or(Failure::Refused(Error::NotFound))?;
    let user = User {
        display_name: change.display_name.unwrap_or_else(|| before.display_name.clone()),
        first_name: change.first_name.unwrap_or_else(|| before.first_name.clone()),
        last_name: change.last_name.unwrap_or_else(|| before.last_name.clone()),
        avatar_url: change.avatar_url.unwrap_or_else(|| before.avatar_url.clone()),
        settings: before.settings.changed(change.settings),
        ..before.clone()
    };
    if user == before {
        return Ok(Change::nothing(user));
    }
    let place = tx.next(StreamId::User(user.id))?;
    let mut statement = tx.conn.prepare_cached(
        "UPDATE users SET display_name = ?2, first_name = ?3, last_name = ?4, avatar_url = ?5, shows_receipts = ?6,
                shows_typing = ?7, shows_presence = ?8
         WHERE id = ?1",
    )?;
    statement.execute((
        user.id.as_bytes(),
        &user.display_name,
        &user.first_name,
        &user.last_name,
        &user.avatar_url,
        user.settings.read_receipts,
        user.settings.typing,
        user.settings.presence,
    ))?;
    search::rewrite_words(tx.conn, &before, &user)?;
    let body = EventBody::UserUpdated(user.clone());
    Ok(Change::with(user, Draft { place, actor: actor.user, at: update.now, body }, []))
}

pub(crate) const HIDDEN_SQL: &str = "SELECT id, shows_receipts, shows_typing, shows_presence FROM users
    WHERE shows_typing = 0 OR shows_presence = 0";

fn list_hidden(conn: &Connection) -> rusqlite::Result<Vec<(UserId, UserSettings)>> {
    let mut statement = conn.prepare_cached(HIDDEN_SQL)?;
    let found = statement.query_map([], |row| {
        let settings =
            UserSettings { read_receipts: row.get(1)?, typing: row.get(2)?, presence: row.get(3)? };
        Ok((UserId::from_bytes(row.get(0)?), settings))
    })?;
    found.collect()
}

fn set_last_seen(
    tx: &mut Tx<'_>,
    seen: &[(UserId, Timestamp)],
    now: Timestamp,
) -> Result<Change<()>, Failure<StoreError>> {
    let mut statement = tx.conn.prepare_cached(
        "UPDATE users SET last_seen_at = ?2
         WHERE id = ?1 AND (last_seen_at IS NULL OR last_seen_at < ?2 OR last_seen_at > ?3)",
    )?;
    for (user, at) in seen {
        statement.execute((user.as_bytes(), at.0.min(now.0), now.0))?;
    }
    Ok(Change::silent((), "who is here is told by signals"))
}

fn is_taken(conn: &Connection, column: &str, app: AppId, value: &str) -> rusqlite::Result<bool> {
    let sql = format!("SELECT 1 FROM users WHERE app_id = ?1 AND {column} = ?2");
    conn.prepare_cached(&sql)?.exists((app.0, value))
}

fn find_credentials(conn: &Connection, app: AppId, login: &str) -> rusqlite::Result<Option<Credentials>> {
    let column = if login.contains('@') { "email" } else { "username" };
    let sql = format!("SELECT {USER}, password_hash FROM users WHERE app_id = ?1 AND {column} = ?2");
    let mut statement = conn.prepare_cached(&sql)?;
    let found = statement.query_row((app.0, login), |row| {
        let hash: Option<String> = row.get(14)?;
        Ok(hash
            .map(PasswordHash)
            .map(|password_hash| user_of(row).map(|user| Credentials { user, password_hash })))
    });
    // One without a password (a host product's own user) cannot log in with one.
    found.optional()?.flatten().transpose()
}

pub(crate) fn find_password(conn: &Connection, id: UserId) -> rusqlite::Result<Option<PasswordHash>> {
    let mut statement = conn.prepare_cached("SELECT password_hash FROM users WHERE id = ?1")?;
    let found = statement.query_row([id.as_bytes()], |row| row.get::<_, Option<String>>(0)).optional()?;
    Ok(found.flatten().map(PasswordHash))
}

pub(crate) fn set_password(conn: &Connection, id: UserId, password: &PasswordHash) -> rusqlite::Result<()> {
    let mut statement = conn.prepare_cached("UPDATE users SET password_hash = ?2 WHERE id = ?1")?;
    statement.execute((id.as_bytes(), &password.0)).map(drop)
}
