//! Users by the words of their names.

use std::collections::HashSet;

use rusqlite::Connection;
use tidings_core::accounts::{User, words_of};
use tidings_core::ids::{AppId, UserId};
use tidings_core::limits::USERS_LOOKED_AT_MAX;

use super::{USER, user_of};
use crate::rows::{Rows, limit};

/// The words of one range: from what was typed to what sorts behind everything that begins with it.
pub(crate) const WORDS_SQL: &str =
    "SELECT user FROM user_word WHERE app_id = ?1 AND word >= ?2 AND word < ?3 LIMIT ?4";

/// The longest word is the rarest, by and large: those who have it are looked at, whether they have the others too.
pub(super) fn search_users(rows: Rows<'_>, app: AppId, words: &[String]) -> rusqlite::Result<Vec<User>> {
    let Some(rarest) = words.iter().max_by_key(|word| word.chars().count()) else { return Ok(Vec::new()) };
    let mut statement = rows.conn.prepare_cached(WORDS_SQL)?;
    // Whose word it is as a whole comes first in the range, and is found however many follow.
    let key = (app.0, rarest, format!("{rarest}\u{10ffff}"), limit(USERS_LOOKED_AT_MAX));
    let candidates = statement.query_map(key, |row| row.get(0).map(UserId::from_bytes))?;
    let mut seen = HashSet::new();
    let mut found = Vec::new();
    for candidate in candidates {
        let candidate = candidate?;
        if seen.insert(candidate) {
            let user = rows.named_user(candidate)?;
            let names = words_of(&user);
            if words.iter().all(|word| names.iter().any(|name| name.starts_with(word))) {
                found.push(user);
            }
        }
    }
    Ok(found)
}

pub(super) fn write_words(conn: &Connection, user: &User) -> rusqlite::Result<()> {
    let mut statement =
        conn.prepare_cached("INSERT INTO user_word (app_id, word, user) VALUES (?1, ?2, ?3)")?;
    for word in words_of(user) {
        statement.execute((user.app.0, word, user.id.as_bytes()))?;
    }
    Ok(())
}

pub(super) fn forget_words(conn: &Connection, user: &User) -> rusqlite::Result<()> {
    let mut statement =
        conn.prepare_cached("DELETE FROM user_word WHERE app_id = ?1 AND word = ?2 AND user = ?3")?;
    for word in words_of(user) {
        statement.execute((user.app.0, word, user.id.as_bytes()))?;
    }
    Ok(())
}

/// Of everybody who has an account already.
pub(crate) fn write_all_words(conn: &Connection) -> rusqlite::Result<()> {
    let mut statement = conn.prepare(&format!("SELECT {USER} FROM users"))?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        write_words(conn, &user_of(row)?)?;
    }
    Ok(())
}
