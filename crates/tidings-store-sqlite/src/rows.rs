//! From columns to numbers and ids and back, checked; and the view through which every noun reads its rows.

use rusqlite::types::{FromSqlError, Type};
use rusqlite::{Connection, Error, Result, Row};
use tidings_core::conversations::Head;
use tidings_core::ids::{LogId, Pos, Seq, StreamId};

use crate::heads::{self, Newer};

/// Rows together with what is newer than they are: a snapshot with its part of the overlay, or a transaction with what
/// its batch has staged. Each noun adds its reads in its own file.
#[derive(Clone, Copy)]
pub(crate) struct Rows<'a> {
    pub conn: &'a Connection,
    pub newer: &'a dyn Newer,
}

impl Rows<'_> {
    /// The last numbers of a stream; the row's or the newer ones.
    pub(crate) fn head(&self, stream: StreamId) -> Result<Option<Head>> {
        let row = heads::find_row(self.conn, stream)?;
        Ok(later(row, self.newer.head(stream)))
    }
}

/// The head with the greater `last_log`.
pub(crate) fn later(row: Option<Head>, newer: Option<Head>) -> Option<Head> {
    match (row, newer) {
        (Some(row), Some(newer)) => Some(if newer.last_log > row.last_log { newer } else { row }),
        (row, newer) => row.or(newer),
    }
}

/// A number to be stored; more than SQLite's 63 bits is an error, not another number.
pub(crate) fn int(number: u64) -> Result<i64> {
    i64::try_from(number).map_err(|error| Error::ToSqlConversionFailure(Box::new(error)))
}

/// A number to compare with: nothing that is stored is greater than what fits.
pub(crate) fn bound(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A limit for a query.
pub(crate) fn limit(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

pub(crate) fn uint(row: &Row<'_>, column: usize) -> Result<u64> {
    let value: i64 = row.get(column)?;
    u64::try_from(value).map_err(|_| Error::IntegralValueOutOfRange(column, value))
}

pub(crate) fn opt_uint(row: &Row<'_>, column: usize) -> Result<Option<u64>> {
    let value: Option<i64> = row.get(column)?;
    value
        .map(|value| u64::try_from(value).map_err(|_| Error::IntegralValueOutOfRange(column, value)))
        .transpose()
}

pub(crate) fn pos(row: &Row<'_>, column: usize) -> Result<Pos> {
    uint(row, column).map(Pos)
}

pub(crate) fn seq(row: &Row<'_>, column: usize) -> Result<Seq> {
    uint(row, column).map(Seq)
}

pub(crate) fn log_id(row: &Row<'_>, column: usize) -> Result<LogId> {
    uint(row, column).map(LogId)
}

pub(crate) fn stream(row: &Row<'_>, column: usize) -> Result<StreamId> {
    let bytes = row.get_ref(column)?.as_blob().map_err(|error| from_sql(column, Type::Blob, error))?;
    StreamId::from_bytes(bytes)
        .map_err(|error| Error::FromSqlConversionFailure(column, Type::Blob, Box::new(error)))
}

/// A text that is one of a few names.
pub(crate) fn named<T>(row: &Row<'_>, column: usize, parse: impl Fn(&str) -> Option<T>) -> Result<T> {
    let text = row.get_ref(column)?.as_str().map_err(|error| from_sql(column, Type::Text, error))?;
    parse(text).ok_or_else(|| unreadable(column, text))
}

/// The database holds something that this program never wrote.
pub(crate) fn unreadable(column: usize, what: &str) -> Error {
    let what = format!("not a value that this program writes: {what:?}");
    Error::FromSqlConversionFailure(column, Type::Text, what.into())
}

fn from_sql(column: usize, kind: Type, error: FromSqlError) -> Error {
    Error::FromSqlConversionFailure(column, kind, Box::new(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_greater_last_log_wins() {
        let at = |log: u64| Some(Head { last_log: LogId(log), ..Head::default() });
        assert_eq!(later(at(1), at(2)), at(2));
        assert_eq!(later(at(3), at(2)), at(3));
        assert_eq!(later(at(3), None), at(3));
        assert_eq!(later(None, None), None);
    }

    #[test]
    fn a_number_beyond_63_bits_is_refused_and_a_bound_is_clipped() {
        assert!(int(u64::MAX).is_err());
        assert_eq!(bound(u64::MAX), i64::MAX);
        assert_eq!(int(7).unwrap(), 7);
    }
}
