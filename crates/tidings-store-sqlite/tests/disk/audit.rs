//! What the rows of a database say about themselves.

use std::path::Path;

use rusqlite::Connection;
use rusqlite::types::Value;

/// Asserts that the database is intact, and that every head and mark is what a count of all rows gives. Heads must have
/// been flushed.
pub fn assert_sound(database: &Path, context: &str) {
    let db = Connection::open(database).unwrap();
    let verdict: String = db.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(verdict, "ok", "{context}");
    for (what, sql) in RECOUNTS {
        let wrong: i64 = db.query_row(sql, [], |row| row.get(0)).unwrap();
        assert_eq!(wrong, 0, "{context}: {what}");
    }
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

/// Each counts what is wrong after a start, from the rows alone.
const RECOUNTS: [(&str, &str); 6] = [
    (
        "a head is not what its events say",
        "SELECT count(*) FROM head AS h
         LEFT JOIN (SELECT stream, count(*) AS n, max(pos) AS pos, max(log_id) AS log FROM event GROUP BY stream) AS e
           ON e.stream = h.stream
         WHERE (h.last_pos, h.last_pos, h.last_log) IS NOT (e.pos, e.n, e.log)",
    ),
    (
        "a conversation's head is not what its messages say",
        "SELECT count(*) FROM head AS h
         LEFT JOIN (SELECT conversation, count(*) AS n, max(seq) AS seq, max(ord) AS ord, max(log_id) AS log
                    FROM message GROUP BY conversation) AS m ON m.conversation = substr(h.stream, 2)
         WHERE h.kind = 1 AND m.n > 0 AND (h.last_seq, h.last_seq, h.last_ord, h.last_sent_log)
               IS NOT (m.seq, m.n, m.ord, m.log)",
    ),
    (
        "the log has a hole",
        "SELECT (SELECT max(log_id) - count(*) FROM event) + (SELECT max(log_id) FROM event)
              - (SELECT value FROM meta WHERE key = 'log_id_max')",
    ),
    (
        "a message and its event disagree",
        "SELECT (SELECT count(*) FROM message) + (SELECT count(*) FROM event WHERE kind = 0)
              - 2 * (SELECT count(*) FROM message AS m JOIN event AS e
                     ON e.log_id = m.log_id AND e.kind = 0 AND e.pos = m.pos AND e.ref = m.seq
                        AND e.actor = m.sender AND substr(e.stream, 2) = m.conversation)",
    ),
    (
        "somebody is in twice",
        "SELECT count(*) FROM (SELECT 1 FROM membership WHERE to_pos IS NULL
                               GROUP BY conversation, user HAVING count(*) > 1)",
    ),
    (
        "a sender's mark is behind what they sent",
        "SELECT count(*) FROM membership AS i JOIN message AS m
           ON m.conversation = i.conversation AND m.sender = i.user AND m.pos > i.from_pos
              AND (i.to_pos IS NULL OR m.pos < i.to_pos)
         WHERE i.read_seq < m.seq OR i.read_ord < m.ord OR i.public_read_seq < m.seq OR i.delivered_seq < m.seq",
    ),
];
