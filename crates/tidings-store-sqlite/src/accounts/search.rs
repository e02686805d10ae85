//! Users by the words of their names.

use std::collections::HashSet;

use rusqlite::{Connection, OptionalExtension};
use tidings_core::accounts::{User, words_of};
use tidings_core::ids::{AppId, UserId};
use tidings_core::limits::{NAME_WORDS_MAX, USERS_LOOKED_AT_MAX};

use super::{USER, user_of};
use crate::rows::{Rows, limit, uint};

/// The words of one range: from what was typed to what sorts behind everything that begins with it.
pub(crate) const WORDS_SQL: &str =
    "SELECT user FROM user_word WHERE app_id = ?1 AND word >= ?2 AND word < ?3 LIMIT ?4";

/// How many there are, as far as it matters.
const COUNT_SQL: &str =
    "SELECT count(*) FROM (SELECT 1 FROM user_word WHERE app_id = ?1 AND word >= ?2 AND word < ?3 LIMIT ?4)";

/// Those who have the rarest word are looked at, whether they have the others too.
pub(super) fn search_users(
    rows: Rows<'_>,
    app: AppId,
    words: &[String],
    username: &str,
) -> rusqlite::Result<Vec<User>> {
    let mut counted = Vec::new();
    for word in words.iter().take(NAME_WORDS_MAX) {
        let mut statement = rows.conn.prepare_cached(COUNT_SQL)?;
        let key = (app.0, word, end_of(word), limit(USERS_LOOKED_AT_MAX + 1));
        counted.push((statement.query_row(key, |row| uint(row, 0))?, word));
    }
    let Some((_, rarest)) = counted.into_iter().min_by_key(|(count, _)| *count) else {
        return Ok(Vec::new());
    };
    let mut statement = rows.conn.prepare_cached(WORDS_SQL)?;
    let key = (app.0, rarest, end_of(rarest), limit(USERS_LOOKED_AT_MAX));
    let candidates = statement.query_map(key, |row| row.get(0).map(UserId::from_bytes))?;
    let mut found: Vec<User> = Vec::new();
    let mut seen = HashSet::new();
    let sql = format!("SELECT {USER} FROM users WHERE app_id = ?1 AND username = ?2");
    let named = rows.conn.prepare_cached(&sql)?.query_row((app.0, username), user_of).optional()?;
    if let Some(named) = named {
        seen.insert(named.id);
        found.push(named);
    }
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

/// What sorts behind everything that begins with a word.
fn end_of(word: &str) -> String {
    format!("{word}\u{10ffff}")
}

pub(super) fn write_words(conn: &Connection, user: &User) -> rusqlite::Result<()> {
    let mut statement =
        conn.prepare_cached("INSERT OR IGNORE INTO user_word (app_id, word, user) VALUES (?1, ?2, ?3)")?;
    for word in words_of(user) {
        statement.execute((user.app.0, word, user.id.as_bytes()))?;
    }
    Ok(())
}

pub(super) fn rewrite_words(conn: &Connection, before: &User, user: &User) -> rusqlite::Result<()> {
    let (former, present) = (words_of(before), words_of(user));
    let mut statement =
        conn.prepare_cached("DELETE FROM user_word WHERE app_id = ?1 AND word = ?2 AND user = ?3")?;
    for word in former.difference(&present) {
        statement.execute((user.app.0, word, user.id.as_bytes()))?;
    }
    if former == present { Ok(()) } else { write_words(conn, user) }
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
