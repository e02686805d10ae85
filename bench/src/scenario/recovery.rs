//! Recovery (P14): killed with -9 at full load over a million messages; then from exec to the first delivery. Once
//! with as large a write-ahead log as there is to recover, and once at any moment with the server as it comes.
//! Whatever was acknowledged must be in the rows afterwards.

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use rusqlite::{Connection, OptionalExtension as _};
use tidings_core::ids::{IdSource as _, SystemIds};

use crate::crowd::{Choice, Crowd, Door, Pace, Run};
use crate::dialect::operation_of;
use crate::measure::{as_float, epoch_ms, nanos};
use crate::report::Report;
use crate::seed::ClientIds;
use crate::stage::{Bench, Cores, Stage};
use crate::world::{Conversation, World};

use super::{size, start};

const LARGE_LOG: &str = "kill -9 at full load, 1 M messages, a large log";
const ANY_MOMENT: &str = "kill -9 at full load, 1 M messages, at any moment";
/// Twice the default. From half of it on the store copies the log into the database, so up to there all of it is to be
/// recovered.
const ROOMY: [(&str, &str); 1] = [("TIDINGS_WAL_BYTES_MAX", "134217728")];
/// The kill comes when the log has passed this for the first time: shortly before the store begins to copy.
const WAL_BYTES: u64 = 56 << 20;
/// A log that has not grown so far by then will not.
const LOAD_MAX: Duration = Duration::from_secs(30);
/// When a kill at any moment comes, in milliseconds of full load.
const ANY_MILLIS: Range<u64> = 3_000..8_000;
const IN_FLIGHT: usize = 256;

pub(super) fn run(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    for _ in 0..bench.rounds {
        let mut large = Load::begin(bench, &ROOMY)?;
        let wal = large.wal();
        let is_large = large.go_on(LOAD_MAX, || bytes(&wal) > WAL_BYTES)?;
        let mib = bytes(&wal) >> 20;
        ensure!(
            is_large,
            "after {LOAD_MAX:?} of full load the write-ahead log stands at {mib} MiB, and never was at 56"
        );
        large.kill(bench, report, LARGE_LOG)?;

        let mut any = Load::begin(bench, &[])?;
        any.go_on(any_moment(), || false)?;
        any.kill(bench, report, ANY_MOMENT)?;
    }
    Ok(())
}

/// A server at full load.
struct Load {
    stage: Stage,
    dir: PathBuf,
}

impl Load {
    fn begin(bench: &Bench, environment: &[(&str, &str)]) -> anyhow::Result<Self> {
        let dir = size::plan(1_000_000, ClientIds::V7).obtain(&bench.root)?;
        let mut stage = Stage::open_with(bench, &dir, Cores::Shared, environment)?;
        stage.come_online()?;
        let pace = Pace::Closed { in_flight: IN_FLIGHT };
        let run = Run::new(Door::Socket, Choice::Random, ClientIds::V7, pace, epoch_ms());
        stage.crowd.begin_run(&mut stage.engine, run);
        Ok(Self { stage, dir })
    }

    fn wal(&self) -> PathBuf {
        self.dir.join("tidings.db-wal")
    }

    /// Goes on until `done`, at most for this time; gives whether it was done. Whoever ends meanwhile fails the run.
    fn go_on(&mut self, time: Duration, done: impl Fn() -> bool) -> anyhow::Result<bool> {
        let Stage { engine, crowd, .. } = &mut self.stage;
        let until = engine.now() + nanos(time);
        crowd.turn_until(engine, until, |crowd| done() || !crowd.ended.is_empty())?;
        ensure!(crowd.ended.is_empty(), "connections ended before the kill: {:?}", crowd.ended);
        Ok(done())
    }

    /// Kills the server, starts it again, and looks for everything that was acknowledged.
    fn kill(mut self, bench: &Bench, report: &mut Report, line: &str) -> anyhow::Result<()> {
        self.stage.server.kill()?;
        report.add(line, "write-ahead log found", "MiB", as_float(bytes(&self.wal()) >> 20));
        let Self { stage, dir } = self;
        let places = acknowledged(&stage.crowd)?;
        report.add(line, "acknowledged before", "messages", as_float(places.len() as u64));
        // The heads of the rows are behind until the next start; the first conversation is enough for it.
        let world = &stage.crowd.world;
        let world = World { people: world.people.clone(), conversations: recount(&dir, world)? };
        let (took, mut server) = start::first_delivery(bench, &dir, world)?;
        report.add(line, "exec to first delivery (P14)", "ms", 1e3 * took.as_secs_f64());
        server.stop()?;
        let missing = missing(&dir, &places)?;
        if missing > 0 {
            report.fail(format!("{line}: {missing} of {} acknowledged messages are not there", places.len()));
        }
        Ok(())
    }
}

/// The operation, conversation and place of each message that was acknowledged. What was in flight at the kill may be
/// neither acknowledged nor shown; everything else has to be in order.
fn acknowledged(crowd: &Crowd) -> anyhow::Result<Vec<(u64, String, u64)>> {
    let run = crowd.run.as_ref().context("a run")?;
    let (verdict, refused) = (crowd.checker.verdict(), run.refused);
    let wrong = verdict.doubled + verdict.reordered + verdict.misplaced;
    ensure!(
        wrong == 0 && refused == 0,
        "before the kill: {refused} refused ({:?}), {verdict:?}",
        run.refusal
    );
    let places = crowd.checker.acknowledged_places().into_iter().filter_map(|(operation, seq)| {
        let conversation = run.conversation_of(operation)?;
        Some((operation, crowd.world.conversations[conversation as usize].id.clone(), seq))
    });
    let places: Vec<_> = places.collect();
    ensure!(!places.is_empty(), "nothing was acknowledged before the kill");
    Ok(places)
}

fn any_moment() -> Duration {
    let mut random = [0; 8];
    SystemIds.fill(&mut random);
    let within = u64::from_be_bytes(random) % (ANY_MILLIS.end - ANY_MILLIS.start);
    Duration::from_millis(ANY_MILLIS.start + within)
}

fn bytes(file: &Path) -> u64 {
    fs::metadata(file).map_or(0, |file| file.len())
}

/// Where the first conversation stands by its rows, read as the next start will.
fn recount(dir: &Path, world: &World) -> anyhow::Result<Vec<Conversation>> {
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
fn missing(dir: &Path, places: &[(u64, String, u64)]) -> anyhow::Result<u64> {
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
