//! A reconnect storm (P12): everybody is gone at once and comes again. Tidings, where each resumes by its token, and
//! the library alone take turns with the floor, of which each wants the upgrade to WebSocket and nothing more.

use crate::bare::{FLOOR, LIBRARY};
use crate::cpu::CpuTime;
use crate::crowd::Joining;
use crate::dialect::Dialect;
use crate::measure::{as_float, micros};
use crate::report::Report;
use crate::seed::Plan;
use crate::stage::{Bench, Cores, Stage};
use crate::world::World;

/// One descriptor each on both sides, of 20,000.
const SOCKETS: u32 = 19_000;
/// Connects that are under way at a time: as many as the servers' backlogs take, which the kernel bounds at 4,096.
const AT_ONCE: usize = 4_000;

const TOOK: &str = "all are back after";

pub(super) fn run(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    let sockets = bench.quick_or(4_000, SOCKETS);
    let plan = Plan::pairs(sockets / 2);
    let dir = tempfile::tempdir_in(&bench.root)?;
    let data = dir.path().join("data");
    plan.write(&data)?;
    let line = |who: &str| format!("{who}, a storm of {sockets}, one core");
    let product = line("Tidings, resumes by token");
    let (library, floor) = (line("the library alone, connects"), line("the floor, upgrades"));
    let mut stage = Stage::open(bench, &data, Cores::Apart)?;
    // They get the tokens that they will resume by.
    stage.crowd.connect_devices(&mut stage.engine, Joining::default())?;
    let mut others = Vec::new();
    for (server, line, dialect) in [(LIBRARY, &library, Dialect::Bare), (FLOOR, &floor, Dialect::Upgrade)] {
        let world = World { conversations: Vec::new(), ..World::planned(&plan) };
        if let Some(mut stage) = server.start(bench, world)? {
            stage.crowd.dialect = dialect;
            others.push((line, stage));
        }
    }
    for _ in 0..bench.rounds {
        storm(report, &mut stage, &product)?;
        for (line, stage) in &mut others {
            storm(report, stage, line)?;
        }
    }
    report.ratio(&product, "to the floor's (P12)", (&product, TOOK), (&floor, TOOK));
    report.ratio(&library, "to the floor's (P12)", (&library, TOOK), (&floor, TOOK));
    Ok(())
}

/// Whoever is online goes, and all come; then they make room for the next server's.
fn storm(report: &mut Report, stage: &mut Stage, line: &str) -> anyhow::Result<()> {
    stage.crowd.drop_devices(&mut stage.engine);
    stage.wait_until_quiet()?;
    let (server, own) = (stage.server.pid(), std::process::id());
    let (before, begun) = ((CpuTime::of(server), CpuTime::of(own)), stage.engine.now());
    stage.crowd.connect_devices(&mut stage.engine, Joining { at_once: AT_ONCE, resume: true })?;
    let seconds = as_float(stage.engine.now() - begun) / 1e9;
    let count = as_float(stage.crowd.devices.len() as u64);
    report.add(line, TOOK, "s", seconds);
    report.add(line, "server CPU each", "µs", micros(CpuTime::of(server).since(&before.0)) / count);
    let share = CpuTime::of(own).since(&before.1).as_secs_f64() / seconds;
    report.add(line, "generator CPU", "% of a core", 100.0 * share);
    stage.crowd.drop_devices(&mut stage.engine);
    stage.wait_until_quiet()
}
