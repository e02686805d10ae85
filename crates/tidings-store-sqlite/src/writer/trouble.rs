//! What an error of SQLite means for the requests of a batch.

use rusqlite::ffi::{SQLITE_IOERR_DIR_FSYNC, SQLITE_IOERR_FSYNC};
use rusqlite::{Connection, Error, ErrorCode};

use crate::write::Unexpected;

/// Why a batch does not stand.
#[derive(Debug)]
pub(super) enum Trouble {
    /// No room on the disk. Nothing was written.
    Full,
    /// One request, most likely. Nothing was written.
    Unexpected(Unexpected),
    /// It may have been written or not, or the disk has forgotten what it was given: nothing may be acknowledged any
    /// more.
    Fatal(String),
}

impl Trouble {
    /// An error before COMMIT: nothing was written, unless a sync failed, after which no later one can be believed.
    pub(super) fn before_commit(error: Unexpected) -> Self {
        match &error {
            Unexpected::Sql(sql) if is_full(sql) => Self::Full,
            Unexpected::Sql(sql) if is_failed_sync(sql) => Self::Fatal(sql.to_string()),
            _ => Self::Unexpected(error),
        }
    }

    /// An error of COMMIT itself. A full disk is found before the frame that commits is whole; of every other error
    /// it is not certain on which side of it it came.
    pub(super) fn at_commit(error: &Error) -> Self {
        if is_full(error) { Self::Full } else { Self::Fatal(error.to_string()) }
    }
}

pub(super) fn is_full(error: &Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::DiskFull)
}

fn is_failed_sync(error: &Error) -> bool {
    let code = error.sqlite_error().map(|error| error.extended_code);
    matches!(code, Some(SQLITE_IOERR_FSYNC | SQLITE_IOERR_DIR_FSYNC))
}

pub(super) fn begin(conn: &Connection) -> Result<(), Trouble> {
    execute(conn, "BEGIN IMMEDIATE").map_err(|error| Trouble::before_commit(error.into()))
}

pub(super) fn commit(conn: &Connection) -> Result<(), Trouble> {
    execute(conn, "COMMIT").map_err(|error| Trouble::at_commit(&error))
}

/// Undoes the transaction, and turns trouble into worse trouble where that cannot be done.
pub(super) fn roll_back(conn: &Connection, trouble: Trouble) -> Trouble {
    // SQLite rolls back by itself after some errors.
    if conn.is_autocommit() {
        return trouble;
    }
    match execute(conn, "ROLLBACK") {
        Ok(()) => trouble,
        Err(error) => Trouble::Fatal(format!("a rollback failed: {error}")),
    }
}

fn execute(conn: &Connection, sql: &str) -> rusqlite::Result<()> {
    conn.prepare_cached(sql)?.execute([]).map(drop)
}
