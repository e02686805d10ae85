//! What the rows of a database say about themselves.

use std::path::Path;

use rusqlite::Connection;
use rusqlite::types::Value;
use tidings_testkit::recount::recount;

/// Asserts that the database is intact, and that right after a start every head and mark is what a count of all rows
/// gives.
pub fn assert_sound(database: &Path, context: &str) {
    assert_eq!(recount(database).unwrap(), [] as [String; 0], "{context}");
}

/// Every row of every table, in order.
pub fn dump(database: &Path) -> Vec<String> {
    let db = Connection::open(database).unwrap();
    let names =
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name";
    let mut statement = db.prepare(names).unwrap();
    let tables: Vec<String> =
        statement.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap();
    tables.iter().flat_map(|table| rows(&db, table)).collect()
}

fn rows(db: &Connection, table: &str) -> Vec<String> {
    let mut statement = db.prepare(&format!("SELECT * FROM {table}")).unwrap();
    let columns = statement.column_count();
    let row = |row: &rusqlite::Row<'_>| {
        let values: Result<Vec<Value>, _> = (0..columns).map(|column| row.get(column)).collect();
        Ok(format!("{table} {:?}", values?))
    };
    let mut rows: Vec<String> = statement.query_map([], row).unwrap().collect::<Result<_, _>>().unwrap();
    rows.sort();
    rows
}
