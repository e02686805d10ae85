//! Recovery (P14): killed with -9 at full load over a million messages, when the write-ahead log is about as large as the
//! store lets it grow; then from exec to the first delivery. Whatever was acknowledged must be in the rows afterwards.

use std::fs;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension as _};

use crate::crowd::{Choice, Door, Pace, Run};
use crate::dialect::operation_of;
use crate::measure::epoch_ms;
use crate::report::Report;
use crate::seed::ClientIds;
use crate::stage::{Bench, Cores, Stage};
use crate::world::World;

use super::{size, start};

const LINE: &str = "kill -9 at full load, 1 M messages";
/// The store makes a checkpoint at 64 MiB; shortly before, the most is to be recovered.
const WAL_BYTES: u64 = 56 << 20;
/// If the log does not grow so far, the kill comes all the same.
const LOAD_MAX: Duration = Duration::from_secs(30);
const IN_FLIGHT: usize = 256;

pub(super) fn run(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    for _ in 0..bench.rounds {
        let dir = size::plan(1_000_000, ClientIds::V7).obtain(&bench.root)?;
        let mut stage = Stage::open(bench, &dir, Cores::Shared)?;
        stage.come_online()?;
        let Stage { server, engine, crowd } = &mut stage;
        let wal = || fs::metadata(dir.join("tidings.db-wal")).map_or(0, |file| file.len());
        let pace = Pace::Closed { in_flight: IN_FLIGHT };
        crowd.begin_run(engine, Run::new(Door::Socket, Choice::Random, ClientIds::V7, pace, epoch_ms()));
        let until = engine.now() + crate::measure::nanos(LOAD_MAX);
        crowd.turn_until(engine, until, |_| wal() > WAL_BYTES)?;
        server.kill()?;
        report.add(LINE, "write-ahead log when killed", "MiB", crate::measure::as_float(wal() >> 20));
        let acknowledged = crowd.checker.acknowledged_places();
        let run = crowd.run.take();
        let places = acknowledged.into_iter().filter_map(|(operation, seq)| {
            let conversation = run.as_ref()?.conversation_of(operation)?;
            Some((operation, crowd.world.conversations[conversation as usize].id.clone(), seq))
        });
        let places: Vec<_> = places.collect();
        // The heads of the rows are behind until the next start; the first conversation is enough for it.
        let world = World { people: crowd.world.people.clone(), conversations: recount(&dir, &crowd.world)? };
        let (took, mut server) = start::first_delivery(bench, &dir, world)?;
        report.add(LINE, "exec to first delivery (P14)", "ms", 1e3 * took.as_secs_f64());
        server.stop()?;
        let missing = missing(&dir, &places)?;
        report.add(LINE, "acknowledged before", "messages", crate::measure::as_float(places.len() as u64));
        if missing > 0 {
            report.fail(format!("{LINE}: {missing} of {} acknowledged messages are not there", places.len()));
        }
    }
    Ok(())
}

/// Where the first conversation stands by its rows, read as the next start will.
fn recount(dir: &std::path::Path, world: &World) -> anyhow::Result<Vec<crate::world::Conversation>> {
    let db = Connection::open(dir.join("tidings.db"))?;
    // This connection must not take the log away: the next start is to find it.
    db.set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    let mut first: Vec<_> = world.conversations.iter().take(1).cloned().collect();
    for conversation in &mut first {
        let id = uuid::Uuid::try_parse(&conversation.id)?;
        let (seq, pos): (i64, i64) = db.query_row(
            "SELECT coalesce(max(seq), 0), coalesce(max(pos), 1) FROM message WHERE conversation = ?1",
            [id.as_bytes()],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?;
        (conversation.seq, conversation.pos) = (seq.cast_unsigned(), pos.cast_unsigned());
    }
    Ok(first)
}

/// How many acknowledged messages do not stand where the acknowledgement said.
fn missing(dir: &std::path::Path, places: &[(u64, String, u64)]) -> anyhow::Result<u64> {
    let db = Connection::open(dir.join("tidings.db"))?;
    let mut statement = db.prepare("SELECT body FROM message WHERE conversation = ?1 AND seq = ?2")?;
    let mut missing = 0;
    for (operation, conversation, seq) in places {
        let id = uuid::Uuid::try_parse(conversation)?;
        let body: Option<String> =
            statement.query_row((id.as_bytes(), seq.cast_signed()), |row| row.get(0)).optional()?;
        missing += u64::from(body.as_deref().and_then(operation_of) != Some(*operation));
    }
    Ok(missing)
}
