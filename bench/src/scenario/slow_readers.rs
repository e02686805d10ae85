//! Hundreds who stop reading (P16, R16): one room of a thousand at a quarter of what it takes, by the clock, without
//! them, with them, and while they read again and catch up. How long the others wait, and what the server keeps for
//! those who do not read.

use std::thread;
use std::time::Duration;

use anyhow::bail;

use crate::bare::LIBRARY;
use crate::cpu;
use crate::crowd::{Choice, Crowd, Door, Joining};
use crate::engine::Engine;
use crate::measure::{Rate, Series, as_float, nanos};
use crate::report::Report;
use crate::seed::{ClientIds, Plan};
use crate::stage::{Bench, Cores, Stage};
use crate::world::World;

/// Who reads, all in one room.
const READERS: u32 = 1_000;
/// Who does not: a second device of the first people of the room.
const SLOW: usize = 300;
/// What the kernel holds for one of them before the server feels it.
const RECEIVE_BYTES: usize = 4_096;
/// Sends in flight where it is measured what the room takes.
const IN_FLIGHT: usize = 16;

const P99: &str = "shown to all p99";

pub(super) fn run(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    let plan = Plan::rooms(1, READERS);
    let dir = tempfile::tempdir_in(&bench.root)?;
    let data = dir.path().join("data");
    plan.write(&data)?;
    series_of(bench, report, "Tidings", Stage::open(bench, &data, Cores::Apart)?)?;
    if let Some(library) = LIBRARY.start(bench, World::planned(&plan))? {
        series_of(bench, report, LIBRARY.name(), library)?;
    }
    Ok(())
}

fn series_of(bench: &Bench, report: &mut Report, who: &str, mut stage: Stage) -> anyhow::Result<()> {
    stage.come_online()?;
    let room = format!("{who}, one room of 1,000, socket");
    let full = stage.measure(&room, report, &series(bench, Rate::InFlight(IN_FLIGHT)))?;
    // Of more than that the generator is the limit before the server is.
    let rate = Rate::PerSecond(full.sends_per_second / 4.0);
    let without = format!("{room}, a quarter of the load, everybody reads");
    let with = format!("{room}, a quarter of the load, {SLOW} more who do not read");
    let catching_up = format!("{room}, a quarter of the load, those {SLOW} catch up");
    for _ in 0..bench.rounds {
        stage.breathe()?;
        measure(report, &mut stage, &without, &series(bench, rate))?;
        let rss_before = cpu::rss_bytes(stage.server.pid());
        let (mut engine, mut slow) = slow_crowd(&stage)?;
        slow.connect_devices(&mut engine, Joining::default())?;
        stage.breathe()?;
        // From here on nobody turns their engine.
        let sends = measure(report, &mut stage, &with, &series(bench, rate))?;
        report.add(&with, "sends while they did not read", "", as_float(sends));
        let grown = cpu::rss_bytes(stage.server.pid()).saturating_sub(rss_before);
        report.add(&with, "memory grown meanwhile (R16)", "MiB", as_float(grown) / f64::from(1 << 20));
        // They read what is there for them, on the generator's core, and so find out who was cut off.
        let at_once = Series { warm_up: Duration::ZERO, ..series(bench, rate) };
        let until = engine.now() + nanos(at_once.measured);
        thread::scope(|scope| {
            let reading = scope.spawn(|| slow.turn_until(&mut engine, until, |_| false));
            measure(report, &mut stage, &catching_up, &at_once)?;
            reading.join().unwrap_or_else(|_| bail!("the slow ones stopped reading"))
        })?;
        let cut_off = SLOW.saturating_sub(engine.link_count());
        report.add(&with, "of them cut off", "", as_float(cut_off as u64));
        slow.drop_devices(&mut engine);
        stage.wait_until_quiet()?;
    }
    for line in [&with, &catching_up] {
        report.ratio(line, "p99 to that without them (P16)", (line, P99), (&without, P99));
    }
    Ok(())
}

/// Their connections come after the crowd's own, by the same people.
fn slow_crowd(stage: &Stage) -> anyhow::Result<(Engine, Crowd)> {
    let crowd = &stage.crowd;
    let tokens = crowd.tokens[..SLOW].to_vec();
    let slow = Crowd::new(crowd.dialect, crowd.address, crowd.world.clone(), tokens);
    Ok((Engine::with_receive_bytes(RECEIVE_BYTES)?, slow))
}

fn measure(report: &mut Report, stage: &mut Stage, line: &str, series: &Series) -> anyhow::Result<u64> {
    let measured = stage.measure(line, report, series)?;
    report.add(line, "sends", "/s", measured.sends_per_second);
    report.add(line, "shown to all p50", "ms", measured.shown.percentile_ms(50.0));
    report.add(line, P99, "ms", measured.shown.percentile_ms(99.0));
    report.add(line, "generator CPU", "% of a core", 100.0 * measured.generator_share());
    report.add(line, "CPU of all others", "% of a core", 100.0 * measured.others_share());
    Ok(measured.sends)
}

fn series(bench: &Bench, rate: Rate) -> Series {
    Series {
        door: Door::Socket,
        choice: Choice::InTurn,
        client_ids: ClientIds::V7,
        rate,
        warm_up: Duration::from_secs(1),
        // Less than it takes until a heartbeat is missed.
        measured: Duration::from_secs(bench.quick_or(5, 10)),
    }
}
