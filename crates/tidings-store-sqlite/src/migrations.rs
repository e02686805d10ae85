//! Numbered SQL, applied in order, each in a transaction of its own; what has been applied never changes again.
//!
//! To add one: `migrations/NNNN_what_it_does.sql`, and a line in [`MIGRATIONS`].

use rusqlite::Connection;
use tidings_core::clock::Timestamp;

use crate::open::OpenError;

struct Migration {
    number: i64,
    name: &'static str,
    sql: &'static str,
    /// What SQL cannot do.
    then: Option<fn(&Connection) -> rusqlite::Result<()>>,
}

const MIGRATIONS: &[Migration] = &[
    plain(1, "initial", include_str!("../migrations/0001_initial.sql")),
    plain(2, "participant_counts", include_str!("../migrations/0002_participant_counts.sql")),
    plain(3, "message_changes", include_str!("../migrations/0003_message_changes.sql")),
    plain(4, "open_sessions", include_str!("../migrations/0004_open_sessions.sql")),
    plain(5, "receipts", include_str!("../migrations/0005_receipts.sql")),
    plain(6, "former_roles", include_str!("../migrations/0006_former_roles.sql")),
    plain(7, "signals", include_str!("../migrations/0007_signals.sql")),
    plain(8, "known_addresses", include_str!("../migrations/0008_known_addresses.sql")),
    Migration {
        then: Some(crate::accounts::write_all_words),
        ..plain(9, "user_words", include_str!("../migrations/0009_user_words.sql"))
    },
    plain(10, "lists_from_an_index", include_str!("../migrations/0010_lists_from_an_index.sql")),
    plain(11, "refresh_families", include_str!("../migrations/0011_refresh_families.sql")),
];

const fn plain(number: i64, name: &'static str, sql: &'static str) -> Migration {
    Migration { number, name, sql, then: None }
}

/// Brings the schema to this program's, or says why it cannot be.
pub(crate) fn migrate(conn: &Connection, now: Timestamp) -> Result<(), OpenError> {
    apply(conn, MIGRATIONS, now)
}

fn apply(conn: &Connection, migrations: &[Migration], now: Timestamp) -> Result<(), OpenError> {
    conn.execute_batch(
        "CREATE TABLE IF NOT EXISTS migration
             (number INTEGER PRIMARY KEY, name TEXT NOT NULL, checksum BLOB NOT NULL, at INTEGER NOT NULL) STRICT",
    )?;
    let applied = list_applied(conn)?;
    let known = migrations.last().map_or(0, |migration| migration.number);
    if let Some((found, _)) = applied.last().filter(|(number, _)| *number > known) {
        return Err(OpenError::NewerSchema { found: *found, known });
    }
    for migration in migrations {
        let checksum = checksum(migration.sql);
        match applied.iter().find(|(number, _)| *number == migration.number) {
            Some((_, stored)) if *stored == checksum => {}
            Some(_) => {
                return Err(OpenError::ChangedMigration { number: migration.number, name: migration.name });
            }
            None => run(conn, migration, checksum, now)?,
        }
    }
    Ok(())
}

fn list_applied(conn: &Connection) -> rusqlite::Result<Vec<(i64, [u8; 8])>> {
    let mut statement = conn.prepare("SELECT number, checksum FROM migration ORDER BY number")?;
    statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

fn run(conn: &Connection, migration: &Migration, checksum: [u8; 8], now: Timestamp) -> rusqlite::Result<()> {
    let transaction = conn.unchecked_transaction()?;
    transaction.execute_batch(migration.sql)?;
    if let Some(then) = migration.then {
        then(&transaction)?;
    }
    transaction.execute(
        "INSERT INTO migration (number, name, checksum, at) VALUES (?1, ?2, ?3, ?4)",
        (migration.number, migration.name, checksum, now.0),
    )?;
    transaction.commit()
}

/// FNV-1a, 64 bits: it guards against an edit by mistake, not against an enemy.
fn checksum(sql: &str) -> [u8; 8] {
    let hash = sql.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    hash.to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Migration = plain(1, "first", "CREATE TABLE a (x) STRICT_");

    fn migration(number: i64, sql: &'static str) -> Migration {
        plain(number, "test", sql)
    }

    #[test]
    fn a_migration_is_applied_once() {
        let conn = Connection::open_in_memory().unwrap();
        let both = [migration(1, "CREATE TABLE a (x)"), migration(2, "CREATE TABLE b (x)")];
        apply(&conn, &both[..1], Timestamp(0)).unwrap();
        apply(&conn, &both, Timestamp(0)).unwrap();
        apply(&conn, &both, Timestamp(0)).unwrap();
        conn.execute("INSERT INTO b VALUES (1)", []).unwrap();
    }

    #[test]
    fn a_changed_one_is_refused() {
        let conn = Connection::open_in_memory().unwrap();
        apply(&conn, &[migration(1, "CREATE TABLE a (x)")], Timestamp(0)).unwrap();
        let error = apply(&conn, &[migration(1, "CREATE TABLE a (y)")], Timestamp(0)).unwrap_err();
        assert!(matches!(error, OpenError::ChangedMigration { number: 1, .. }), "{error}");
    }

    #[test]
    fn a_newer_schema_is_refused() {
        let conn = Connection::open_in_memory().unwrap();
        let both = [migration(1, "CREATE TABLE a (x)"), migration(2, "CREATE TABLE b (x)")];
        apply(&conn, &both, Timestamp(0)).unwrap();
        let error = apply(&conn, &both[..1], Timestamp(0)).unwrap_err();
        assert!(matches!(error, OpenError::NewerSchema { found: 2, known: 1 }), "{error}");
    }

    #[test]
    fn one_that_fails_leaves_nothing() {
        let conn = Connection::open_in_memory().unwrap();
        assert!(apply(&conn, &[FIRST], Timestamp(0)).is_err());
        assert!(list_applied(&conn).unwrap().is_empty());
    }

    /// One who was in from the first position, one who joined, one who left, and another conversation.
    #[test]
    fn counts_are_made_of_the_intervals_that_stand() {
        let conn = Connection::open_in_memory().unwrap();
        apply(&conn, &MIGRATIONS[..1], Timestamp(0)).unwrap();
        let insert = |conversation: u8, user: u8, from_pos: i64, to_pos: Option<i64>| {
            conn.execute(
                "INSERT INTO membership (conversation, user, from_pos, to_pos, from_seq, history_from_seq, from_log,
                     joined_at, role, state, read_seq, read_ord, read_all, public_read_seq, delivered_seq)
                 VALUES (?1, ?2, ?3, ?4, 1, 1, 1, 0, 'member', 'member', 0, 0, 0, 0, 0)",
                ([conversation; 16], [user; 16], from_pos, to_pos),
            )
        };
        for (conversation, user, from_pos, to_pos) in
            [(1, 1, 1, None), (1, 2, 1, Some(7)), (1, 3, 5, None), (1, 2, 9, None), (2, 1, 1, None)]
        {
            insert(conversation, user, from_pos, to_pos).unwrap();
        }
        apply(&conn, MIGRATIONS, Timestamp(0)).unwrap();
        let mut statement = conn
            .prepare("SELECT from_pos, count_at_from, count_at_to FROM membership ORDER BY conversation, from_pos, user")
            .unwrap();
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
        let rows: Vec<(i64, i64, Option<i64>)> = rows.map(Result::unwrap).collect();
        assert_eq!(rows, [(1, 2, None), (1, 2, Some(2)), (5, 3, None), (9, 3, None), (1, 1, None)]);
    }

    /// Two messages of one conversation, edited by turns.
    #[test]
    fn former_texts_are_given_the_edit_that_replaced_them() {
        let conn = Connection::open_in_memory().unwrap();
        apply(&conn, &MIGRATIONS[..5], Timestamp(0)).unwrap();
        let stream = [&[1_u8][..], &[7; 16]].concat();
        for (pos, seq) in [(3, 1), (4, 2), (6, 1)] {
            let event = "INSERT INTO event (stream, pos, kind, actor, at, ref) VALUES (?1, ?2, 6, ?1, 0, ?3)";
            conn.execute(event, (&stream, pos, seq)).unwrap();
        }
        for (seq, version) in [(1, 1), (1, 2), (2, 1)] {
            let former = "INSERT INTO message_version (conversation, seq, version, body, written_at)
                          VALUES (?1, ?2, ?3, '', 0)";
            conn.execute(former, ([7_u8; 16], seq, version)).unwrap();
        }
        apply(&conn, MIGRATIONS, Timestamp(0)).unwrap();
        let mut statement = conn
            .prepare("SELECT seq, version, replaced_pos FROM message_version ORDER BY seq, version")
            .unwrap();
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
        let rows: Vec<(i64, i64, i64)> = rows.map(Result::unwrap).collect();
        assert_eq!(rows, [(1, 1, 3), (1, 2, 6), (2, 1, 4)]);
    }

    #[test]
    fn who_has_an_account_already_is_found_by_name() {
        let conn = Connection::open_in_memory().unwrap();
        apply(&conn, &MIGRATIONS[..8], Timestamp(0)).unwrap();
        let user = "INSERT INTO users (id, app_id, username, display_name, created_at)
                    VALUES (zeroblob(16), 1, 'zhanna', 'ЖАННА D''Arc', 0)";
        conn.execute(user, []).unwrap();
        apply(&conn, MIGRATIONS, Timestamp(0)).unwrap();
        let mut statement = conn.prepare("SELECT word FROM user_word ORDER BY word").unwrap();
        let words: Vec<String> =
            statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        assert_eq!(words, ["arc", "d", "zhanna", "жанна"]);
    }
}
