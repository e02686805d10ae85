//! Typing (R19): 50,000 signals a second, by people who have their conversation open, beside messages at a quarter of
//! what the server takes. How much longer the messages wait than in silence.

use std::time::Duration;

use crate::cpu;
use crate::crowd::{BEGINNINGS, Choice, Door, Typing};
use crate::measure::{Rate, Series, as_float, nanos};
use crate::report::Report;
use crate::seed::{ClientIds, Plan};
use crate::stage::{Bench, Cores, Stage};

/// Of ten people each.
const ROOMS: u32 = 100;
const PEOPLE: u32 = 10;
/// Signals a second, of all together.
const SIGNALS: f64 = 50_000.0;
/// Sends in flight where it is measured what the server takes.
const IN_FLIGHT: usize = 64;

const P99: &str = "shown to all p99";

pub(super) fn run(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    let plan = Plan::rooms(ROOMS, PEOPLE);
    let dir = tempfile::tempdir_in(&bench.root)?;
    let data = dir.path().join("data");
    plan.write(&data)?;
    let mut stage = Stage::open(bench, &data, Cores::Apart)?;
    stage.come_online()?;
    stage.crowd.open_conversations(&mut stage.engine);
    let rooms = "Tidings, 100 rooms of 10, socket";
    let full = stage.measure(rooms, report, &series(bench, Rate::InFlight(IN_FLIGHT)))?;
    let rate = Rate::PerSecond(full.sends_per_second / 4.0);
    let [without, with] = ["nobody types", "50,000 typing signals a second"]
        .map(|what| format!("{rooms}, a quarter of the load, {what}"));
    for _ in 0..bench.rounds {
        measure(report, &mut stage, &without, &series(bench, rate))?;
        let rss_before = cpu::rss_bytes(stage.server.pid());
        stage.crowd.typing = Some(Typing::new(stage.engine.now(), SIGNALS));
        let begin = stage.engine.now();
        measure(report, &mut stage, &with, &series(bench, rate))?;
        let wall = Duration::from_nanos(stage.engine.now() - begin);
        let sent = stage.crowd.typing.take().map_or(0, |typing| typing.sent);
        report.add(&with, "typing signals", "/s", as_float(sent) / wall.as_secs_f64());
        let grown = cpu::rss_bytes(stage.server.pid()).saturating_sub(rss_before);
        report.add(&with, "memory grown meanwhile", "MiB", as_float(grown) / f64::from(1 << 20));
        // What they typed last is over.
        let until = stage.engine.now() + nanos(Duration::from_secs(6));
        stage.crowd.turn_until(&mut stage.engine, until, |_| false)?;
    }
    report.ratio(&with, "p99 to that without (R19)", (&with, P99), (&without, P99));
    Ok(())
}

fn measure(report: &mut Report, stage: &mut Stage, line: &str, series: &Series) -> anyhow::Result<()> {
    let measured = stage.measure(line, report, series)?;
    report.add(line, "sends", "/s", measured.sends_per_second);
    report.add(line, "shown to all p50", "ms", measured.shown.percentile_ms(50.0));
    report.add(line, P99, "ms", measured.shown.percentile_ms(99.0));
    let share = measured.server_cpu.as_secs_f64() / measured.wall.as_secs_f64();
    report.add(line, "server CPU", "% of a core", 100.0 * share);
    report.add(line, "generator CPU", "% of a core", 100.0 * measured.generator_share());
    Ok(())
}

fn series(bench: &Bench, rate: Rate) -> Series {
    Series {
        door: Door::Socket,
        choice: Choice::Random,
        client_ids: ClientIds::V7,
        rate,
        warm_up: BEGINNINGS + Duration::from_secs(1),
        measured: Duration::from_secs(bench.quick_or(10, 60)),
    }
}
