//! What the machine can do, in the same run: the disk, loopback, and the raw insert into the same tables.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::FileExt as _;
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tidings_core::clock::{Clock as _, SystemClock, Timestamp};
use tidings_core::ids::{IdSource as _, SystemIds};

use crate::latency::Latency;
use crate::measure::as_float;
use crate::report::Report;
use crate::seed::{Plan, message_columns};
use crate::stage::Bench;

/// The line of the raw insert.
pub(super) const RAW_INSERT: &str = "raw insert into the same tables, batches of 64, synchronous=FULL";
/// Rows in one commit of the raw insert.
const BATCH: usize = 64;
/// A frame as it goes to a device.
const FRAME: [u8; 210] = [b'x'; 210];
/// Pages that are written far apart, and those of their file.
const SCATTERED: u64 = 2_000;
const SCATTERED_OVER: u64 = 65_536;
/// Sockets over which frames are spread.
const SOCKETS: usize = 1_000;

pub(super) fn run(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    for _ in 0..bench.rounds {
        disk(bench, report)?;
        scattered(bench, report)?;
        loopback(report)?;
    }
    Ok(())
}

/// Appends and syncs as a commit does.
fn disk(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    let line = "the disk, append and fdatasync";
    for (name, pages) in [("4 KiB", 1), ("64 × 4 KiB", 64)] {
        let mut file = tempfile::tempfile_in(&bench.root)?;
        let (block, mut latency) = (vec![0x5a; 4096 * pages], Latency::new());
        let (begun, time) = (Instant::now(), Duration::from_millis(bench.quick_or(500, 1_500)));
        while begun.elapsed() < time {
            let at = Instant::now();
            file.write_all(&block)?;
            file.sync_data()?;
            latency.record(crate::measure::nanos(at.elapsed()));
        }
        report.add(
            line,
            &format!("{name}, rate"),
            "/s",
            as_float(latency.count()) / begun.elapsed().as_secs_f64(),
        );
        report.add(line, &format!("{name}, p50"), "ms", latency.percentile_ms(50.0));
        report.add(line, &format!("{name}, p99"), "ms", latency.percentile_ms(99.0));
    }
    Ok(())
}

/// Writes and syncs as a checkpoint does: pages far apart in one file.
fn scattered(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    let file = tempfile::tempfile_in(&bench.root)?;
    let block = vec![0x5a; 4096];
    for page in 0..SCATTERED_OVER {
        file.write_all_at(&block, page * 4096)?;
    }
    file.sync_data()?;
    let begun = Instant::now();
    for n in 0..SCATTERED {
        // Coprime with the number of pages: each is another one, and no two are neighbours.
        file.write_all_at(&block, n * 7_919 % SCATTERED_OVER * 4096)?;
    }
    file.sync_data()?;
    let line = "the disk, 2,000 scattered pages and one fdatasync";
    report.add(line, "4 KiB, rate", "/s", as_float(SCATTERED) / begun.elapsed().as_secs_f64());
    Ok(())
}

/// A frame to each of many sockets, and one there and back.
fn loopback(report: &mut Report) -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let mut pairs = Vec::with_capacity(SOCKETS);
    for _ in 0..SOCKETS {
        let near = TcpStream::connect(address)?;
        near.set_nodelay(true)?;
        pairs.push((near, listener.accept()?.0));
    }
    let mut buffer = [0; FRAME.len()];
    let mut sending = Duration::ZERO;
    let rounds = 50;
    for _ in 0..rounds {
        let begun = Instant::now();
        for (near, _) in &mut pairs {
            near.write_all(&FRAME)?;
        }
        sending += begun.elapsed();
        for (_, far) in &mut pairs {
            far.read_exact(&mut buffer)?;
        }
    }
    let line = "loopback, 210 bytes";
    let sends = as_float(rounds * SOCKETS as u64);
    report.add(line, "send() over 1,000 sockets", "µs", sending.as_secs_f64() * 1e6 / sends);
    report.add(line, "there and back p50", "µs", 1e3 * ping_pong(&listener)?.percentile_ms(50.0));
    Ok(())
}

fn ping_pong(listener: &TcpListener) -> anyhow::Result<Latency> {
    let mut near = TcpStream::connect(listener.local_addr()?)?;
    let mut far = listener.accept()?.0;
    near.set_nodelay(true)?;
    far.set_nodelay(true)?;
    let echo = thread::spawn(move || {
        let mut buffer = [0; FRAME.len()];
        while far.read_exact(&mut buffer).and_then(|()| far.write_all(&buffer)).is_ok() {}
    });
    let (mut latency, mut buffer) = (Latency::new(), [0; FRAME.len()]);
    for _ in 0..5_000 {
        let begun = Instant::now();
        near.write_all(&FRAME)?;
        near.read_exact(&mut buffer)?;
        latency.record(crate::measure::nanos(begun.elapsed()));
    }
    drop(near);
    let _ = echo.join();
    Ok(latency)
}

/// What the disk and SQLite take without a server: the same rows into the same tables, one commit for each batch.
pub(super) fn raw_insert(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    let dir = tempfile::tempdir_in(&bench.root)?;
    let data = dir.path().join("data");
    Plan::pairs(128).write(&data)?;
    let db = Connection::open(data.join("tidings.db"))?;
    db.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0; PRAGMA cache_size = -8192",
    )?;
    let rooms: Vec<([u8; 16], [u8; 16])> = db
        .prepare("SELECT conversation, min(user) FROM membership GROUP BY conversation")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    let first: i64 = db.query_row("SELECT max(log_id) FROM event", [], |row| row.get(0))?;
    let (begun, time) = (Instant::now(), Duration::from_secs(bench.quick_or(1, 3)));
    let mut written = 0_usize;
    while begun.elapsed() < time {
        db.execute_batch("BEGIN IMMEDIATE")?;
        for n in written..written + BATCH {
            insert(&db, &rooms, first, n)?;
        }
        db.execute_batch("COMMIT")?;
        written += BATCH;
    }
    report.add(RAW_INSERT, "messages", "/s", as_float(written as u64) / begun.elapsed().as_secs_f64());
    let wal = File::open(data.join("tidings.db-wal"))?.metadata()?.len();
    report.add(RAW_INSERT, "pages a message", "", as_float(wal / 4096) / as_float(written as u64));
    Ok(())
}

fn insert(db: &Connection, rooms: &[([u8; 16], [u8; 16])], first: i64, n: usize) -> anyhow::Result<()> {
    let (conversation, sender) = &rooms[n % rooms.len()];
    let (seq, log) = (i64::try_from(n / rooms.len())? + 1, first + 1 + i64::try_from(n)?);
    let now = SystemClock.now().0;
    let client_id = SystemIds.uuid(Timestamp(now));
    let text = crate::dialect::content_of(n as u64);
    let row = (conversation, seq, seq + 1, log, sender, client_id.as_bytes(), [0_u8; 16], now, text);
    db.prepare_cached(message_columns())?.execute(row)?;
    let stream = [&[1][..], conversation].concat();
    db.prepare_cached(
        "INSERT INTO event (log_id, stream, pos, kind, actor, at, ref, data) VALUES (?1, ?2, ?3, 0, ?4, ?5, ?6, ?7)",
    )?
    .execute((log, stream, seq + 1, sender, now, seq, [0_u8, 1]))?;
    Ok(())
}
