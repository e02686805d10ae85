//! Making the write-ahead log dirty once more, so that the next sync takes what the last one may have given up.
//!
//! When a sync fails, Linux reports it once, marks the pages clean and goes on showing them: whoever syncs later is
//! told that all is well. So after a process that ended by a failed sync, or was killed before it heard of one, the log
//! that a start reads may not be on the disk, and the checkpoint at the start would write the database over a log that
//! lacks it: a power cut before the database's own sync then leaves pages of two times. Writing the same bytes in place
//! marks them dirty again, and the checkpoint syncs the log before it touches the database.
//!
//! In place and not by a copy: what is durable already is written over with itself, which no power cut can harm, and it
//! needs no room on a full disk. The database file needs none of it: pages whose sync failed in a checkpoint are still
//! in the log, which begins again only after that sync, and the checkpoint at the start writes every one of them anew.
//! An orderly end leaves no log. So a log is what says that the end was not orderly, and no marker has to.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

/// Bytes before the first frame: among them the size of a page, and the salts that every frame of this log repeats.
const HEADER_BYTES: usize = 32;
const PAGE_BYTES_AT: usize = 8;
const SALTS_AT: usize = 16;
/// Bytes before the page in a frame.
const FRAME_HEADER_BYTES: usize = 24;
const FRAME_SALTS_AT: usize = 8;
const SALTS_BYTES: usize = 8;
/// No page of SQLite is larger.
const PAGE_BYTES_MAX: u32 = 65_536;
/// Frames that are read and written at a time: with the usual page a megabyte.
const FRAMES_AT_ONCE: usize = 256;

/// Writes the frames that SQLite may read in place, as they stand; gives how many bytes that were. Nothing is synced.
pub(super) fn rewrite_log(log: &Path) -> io::Result<u64> {
    let file = match File::options().read(true).write(true).open(log) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(error),
    };
    let mut header = [0; HEADER_BYTES];
    if read_at_most(&file, &mut header, 0)? < HEADER_BYTES {
        return Ok(0);
    }
    file.write_all_at(&header, 0)?;
    let Some(frame_bytes) = frame_bytes(&header) else { return Ok(HEADER_BYTES as u64) };
    let salts = &header[SALTS_AT..SALTS_AT + SALTS_BYTES];
    let is_live = |frame: &&[u8]| &frame[FRAME_SALTS_AT..FRAME_SALTS_AT + SALTS_BYTES] == salts;
    let mut frames = vec![0; frame_bytes * FRAMES_AT_ONCE];
    let mut end = HEADER_BYTES as u64;
    loop {
        let read = read_at_most(&file, &mut frames, end)?;
        // What follows the first frame of an older log is no part of this one.
        let live = frames[..read].chunks_exact(frame_bytes).take_while(is_live).count() * frame_bytes;
        file.write_all_at(&frames[..live], end)?;
        end += live as u64;
        if live < frames.len() {
            return Ok(end);
        }
    }
}

/// None where this is no log, which SQLite then does not read either.
fn frame_bytes(header: &[u8; HEADER_BYTES]) -> Option<usize> {
    let (_, from) = header.split_at(PAGE_BYTES_AT);
    let page_bytes = u32::from_be_bytes(*from.first_chunk()?);
    let is_size = page_bytes.is_power_of_two() && (512..=PAGE_BYTES_MAX).contains(&page_bytes);
    is_size.then_some(FRAME_HEADER_BYTES + page_bytes as usize)
}

/// Fills the buffer, or reads to the end of the file.
fn read_at_most(file: &File, buffer: &mut [u8], from: u64) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read_at(&mut buffer[filled..], from + filled as u64) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use rusqlite::Connection;

    use super::*;

    const FRAME_BYTES: u64 = FRAME_HEADER_BYTES as u64 + 4_096;

    /// A connection that leaves a log of so many one-page commits.
    fn log_of(dir: &Path, commits: u32) -> Connection {
        let db = Connection::open(dir.join("a.db")).unwrap();
        db.execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; PRAGMA wal_autocheckpoint = 0;
             CREATE TABLE t (x); PRAGMA wal_checkpoint(TRUNCATE)",
        )
        .unwrap();
        for n in 0..commits {
            db.execute("INSERT INTO t VALUES (?1)", [i64::from(n)]).unwrap();
        }
        db
    }

    #[test]
    fn every_frame_is_rewritten_as_it_stands() {
        let dir = tempfile::tempdir().unwrap();
        let db = log_of(dir.path(), 600);
        let log = dir.path().join("a.db-wal");
        let (bytes, before) = (fs::read(&log).unwrap(), fs::metadata(&log).unwrap().modified().unwrap());
        let frames = (bytes.len() as u64 - HEADER_BYTES as u64) / FRAME_BYTES;
        assert!(frames > 2 * FRAMES_AT_ONCE as u64, "more than are read at a time: {frames}");
        File::options().write(true).open(&log).unwrap().set_modified(std::time::UNIX_EPOCH).unwrap();
        assert_eq!(rewrite_log(&log).unwrap(), bytes.len() as u64);
        assert!(fs::metadata(&log).unwrap().modified().unwrap() >= before, "it was written");
        assert!(fs::read(&log).unwrap() == bytes, "the same");
        drop(db);
    }

    #[test]
    fn what_is_left_of_an_older_log_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let db = log_of(dir.path(), 300);
        db.execute_batch("PRAGMA wal_checkpoint(RESTART)").unwrap();
        for _ in 0..2 {
            db.execute("INSERT INTO t VALUES ('later')", []).unwrap();
        }
        let log = dir.path().join("a.db-wal");
        assert_eq!(fs::metadata(&log).unwrap().len(), HEADER_BYTES as u64 + 300 * FRAME_BYTES);
        assert_eq!(rewrite_log(&log).unwrap(), HEADER_BYTES as u64 + 2 * FRAME_BYTES);
    }

    #[test]
    fn no_log_and_no_log_of_sqlite_are_nothing_to_do() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("a.db-wal");
        assert_eq!(rewrite_log(&log).unwrap(), 0);
        for (content, rewritten) in [(&b"short"[..], 0), (&[7; 10_000][..], HEADER_BYTES as u64)] {
            fs::write(&log, content).unwrap();
            assert_eq!(rewrite_log(&log).unwrap(), rewritten);
            assert_eq!(fs::read(&log).unwrap(), content);
        }
    }
}
