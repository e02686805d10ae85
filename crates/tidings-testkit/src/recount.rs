//! Counting a data set of the embedded store again, from its rows alone: what the store promises, whoever wrote them.
//!
//! To add a promise: a line in the table below that counts what breaks it.

use std::path::Path;

use rusqlite::Connection;

/// What is wrong with a database that nobody has open: nothing, if it is intact and right after a start every head and
/// mark is what a count of all rows gives.
///
/// # Errors
/// SQLite's, where the file is no database of the embedded store.
pub fn recount(database: &Path) -> rusqlite::Result<Vec<String>> {
    let db = Connection::open(database)?;
    let verdict: String = db.query_row("PRAGMA integrity_check", [], |row| row.get(0))?;
    let mut wrong = if verdict == "ok" { Vec::new() } else { vec![format!("damaged: {verdict}")] };
    for (what, sql) in RECOUNTS {
        let count: i64 = db.query_row(sql, [], |row| row.get(0))?;
        if count != 0 {
            wrong.push(format!("{what}: {count}"));
        }
    }
    Ok(wrong)
}

/// Each counts what is wrong.
const RECOUNTS: [(&str, &str); 7] = [
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
        "a joining or leaving has another number of participants than are in after it",
        "SELECT count(*) FROM (
             SELECT conversation, from_pos AS pos, count_at_from AS count FROM membership
             UNION ALL
             SELECT conversation, to_pos, count_at_to FROM membership WHERE to_pos IS NOT NULL) AS at
         WHERE at.count IS NOT (SELECT count(*) FROM membership AS m WHERE m.conversation = at.conversation
                                AND m.from_pos <= at.pos AND (m.to_pos IS NULL OR m.to_pos > at.pos))",
    ),
    (
        "a sender's mark is behind what they sent",
        "SELECT count(*) FROM membership AS i JOIN message AS m
           ON m.conversation = i.conversation AND m.sender = i.user AND m.pos > i.from_pos
              AND (i.to_pos IS NULL OR m.pos < i.to_pos)
         WHERE i.read_seq < m.seq OR i.read_ord < m.ord OR i.public_read_seq < m.seq OR i.delivered_seq < m.seq",
    ),
];
