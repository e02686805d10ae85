//! Pages of history at random depths, by the clock: how long they take and what CPU each costs on one core over a
//! million messages, and how long they take beside half of the load at ten million (P9).

use std::path::Path;
use std::time::Duration;

use anyhow::ensure;

use crate::cpu::CpuTime;
use crate::crowd::{Choice, Door, Pace, Run};
use crate::measure::{Rate, Series, as_float, epoch_ms, micros, nanos};
use crate::report::Report;
use crate::schedule::Schedule;
use crate::seed::{ClientIds, Plan};
use crate::stage::{Bench, Cores, Stage};

use super::readers::{PAGE, Readers, What};
use super::size;

/// Sends in flight where what the set takes is measured.
const IN_FLIGHT: usize = 256;

pub(super) fn run(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    let line = "history, pages of 50 at random depths, 1 M messages, 200/s by the clock, one core";
    on_one_core(bench, report, line, &a_million(), What::History)
}

/// How long pages take on a core of the server's own, and what CPU each costs.
pub(super) fn on_one_core(
    bench: &Bench,
    report: &mut Report,
    line: &str,
    plan: &Plan,
    what: What,
) -> anyhow::Result<()> {
    let mut stage = open(bench, &plan.obtain(&bench.root)?, Cores::Apart)?;
    for round in 0..bench.rounds {
        let before = CpuTime::of(stage.server.pid());
        let read = pages(bench, report, line, &mut stage, what, round)?;
        let cpu = CpuTime::of(stage.server.pid()).since(&before);
        report.add(line, "server CPU a page", "µs", micros(cpu) / as_float(read.max(1)));
    }
    stage.server.stop()
}

pub(super) fn run_at_ten_million(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    let (millions, plan) = bench.quick_or((1, a_million()), (10, size::plan(10_000_000, ClientIds::V7)));
    let mut stage = open(bench, &plan.obtain(&bench.root)?, Cores::Shared)?;
    let half = half_load(bench, report, &mut stage, millions)?;
    let line =
        format!("history, pages of 50 at random depths, {millions} M messages, half load beside it (P9)");
    for round in 0..bench.rounds {
        report.add(&line, "sends beside it, by the clock", "/s", half);
        beside_sends(bench, report, &line, &mut stage, round, half)?;
    }
    let verdict = stage.crowd.checker.verdict();
    if !verdict.is_good() {
        report.fail(format!("{line}: {verdict:?}"));
    }
    stage.server.stop()
}

/// A set whose conversations are long: a page at a random place is a whole one, and seldom one that was just read.
fn a_million() -> Plan {
    Plan {
        people: 1_000,
        conversations: 500,
        members: 2,
        stride: 2,
        messages: 1_000_000,
        client_ids: ClientIds::V7,
    }
}

fn open(bench: &Bench, dir: &Path, cores: Cores) -> anyhow::Result<Stage> {
    let mut stage = Stage::open(bench, dir, cores)?;
    let mut conversations = stage.crowd.world.conversations.iter();
    ensure!(
        conversations.all(|conversation| conversation.seq >= PAGE),
        "a conversation without a whole page"
    );
    stage.come_online()?;
    Ok(stage)
}

/// Half of what this set takes on this machine, measured now: of `size` there is none over as many messages.
fn half_load(bench: &Bench, report: &mut Report, stage: &mut Stage, millions: u64) -> anyhow::Result<f64> {
    let line = format!("sends, socket, 256 in flight, {millions} M messages, before the pages");
    let series = Series {
        door: Door::Socket,
        choice: Choice::Random,
        client_ids: ClientIds::V7,
        rate: Rate::InFlight(IN_FLIGHT),
        warm_up: Duration::from_secs(2),
        measured: Duration::from_secs(bench.quick_or(3, 6)),
    };
    let measured = stage.measure(&line, report, &series)?;
    report.add(&line, "sends", "/s", measured.sends_per_second);
    Ok(measured.sends_per_second / 2.0)
}

/// One round of pages with sends by the clock beside it.
fn beside_sends(
    bench: &Bench,
    report: &mut Report,
    line: &str,
    stage: &mut Stage,
    round: usize,
    per_second: f64,
) -> anyhow::Result<()> {
    let begin = stage.engine.now();
    let pace = Pace::Open(Schedule::new(begin, per_second, u64::MAX));
    let mut run = Run::new(Door::Socket, Choice::Random, ClientIds::V7, pace, epoch_ms());
    run.window = (begin, begin + nanos(seconds(bench)));
    stage.crowd.begin_run(&mut stage.engine, run);
    pages(bench, report, line, stage, What::History, round)?;
    stage.crowd.settle(&mut stage.engine)?;
    let Some(run) = stage.crowd.run.take() else { return Ok(()) };
    report.add(line, "sends beside it", "/s", as_float(run.answers) / seconds(bench).as_secs_f64());
    report.add(line, "sends beside it, answer p99", "ms", run.answered.percentile_ms(99.0));
    if run.refused > 0 {
        let refusal = run.refusal.unwrap_or_default();
        report.fail(format!("{line}: {} sends were refused: {refusal}", run.refused));
    }
    Ok(())
}

/// One round of pages; gives how many.
fn pages(
    bench: &Bench,
    report: &mut Report,
    line: &str,
    stage: &mut Stage,
    what: What,
    round: usize,
) -> anyhow::Result<u64> {
    let Stage { engine, crowd, .. } = stage;
    let mut readers = Readers::connect(engine, crowd, what, round)?;
    let took = readers.read_for(engine, crowd, seconds(bench))?;
    readers.leave(engine);
    report.add(line, "pages", "/s", as_float(took.count()) / seconds(bench).as_secs_f64());
    report.add(line, "page p50", "ms", took.percentile_ms(50.0));
    report.add(line, "page p99", "ms", took.percentile_ms(99.0));
    Ok(took.count())
}

/// A round.
fn seconds(bench: &Bench) -> Duration {
    Duration::from_secs(bench.quick_or(3, 8))
}
