//! What the rows of a database say about themselves.

use std::path::Path;

use rusqlite::Connection;
use rusqlite::types::Value;
use tidings_testkit::recount::recount;

/// Asserts that the database is intact, and that every head and mark is what a count of all rows gives. Heads must have
/// been flushed.
pub fn assert_sound(database: &Path, context: &str) {
    assert_eq!(recount(database).unwrap(), [] as [String; 0], "{context}");
}

/// Every row of every table, in order, but for what is written late: heads and marks.
pub fn dump(database: &Path) -> Vec<String> {
    let db = Connection::open(database).unwrap();
    let names = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'
                 AND name NOT IN ('head', 'membership', 'meta') ORDER BY name";
    let mut statement = db.prepare(names).unwrap();
    let tables: Vec<String> =
        statement.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap();
    let intervals =
        "SELECT conversation, user, from_pos, to_pos, from_log, to_log, role, state FROM membership";
    let mut dumped = rows(&db, "membership", intervals);
    dumped.extend(tables.iter().flat_map(|table| rows(&db, table, &format!("SELECT * FROM {table}"))));
    dumped.sort();
    dumped
}

fn rows(db: &Connection, table: &str, sql: &str) -> Vec<String> {
    let mut statement = db.prepare(sql).unwrap();
    let columns = statement.column_count();
    let row = |row: &rusqlite::Row<'_>| {
        let values: Result<Vec<Value>, _> = (0..columns).map(|column| row.get(column)).collect();
        Ok(format!("{table} {:?}", values?))
    };
    statement.query_map([], row).unwrap().collect::<Result<_, _>>().unwrap()
}
