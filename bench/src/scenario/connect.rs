//! Coming online: CPU for each connect with a token that was never seen (P6), memory of an idle connection (P5), CPU
//! for each connect with a token seen before, and for each resume from the tail in memory. Of the peer the same, as
//! far as it has it; and of the servers without a database, of which each connection joins nothing.

use crate::bare::{Bare, FLOOR, LIBRARY};
use crate::cpu::{self, CpuTime};
use crate::crowd::Joining;
use crate::measure::{as_float, micros};
use crate::peer::Peer;
use crate::report::Report;
use crate::seed::Plan;
use crate::stage::{Bench, Cores, Stage};
use crate::world::World;

/// Connects that are under way at a time.
const AT_ONCE: usize = 64;

pub(super) fn run(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    let conversations = bench.quick_or(500, 5_000);
    let plan = Plan::pairs(conversations);
    let dir = tempfile::tempdir_in(&bench.root)?;
    let data = dir.path().join("data");
    plan.write(&data)?;
    let line = format!("{} connections, one core", 2 * conversations);
    let peer_line = format!("the peer, {line}");
    for _ in 0..bench.rounds {
        of_tidings(report, Stage::open(bench, &data, Cores::Apart)?, &line)?;
        if let Some(mut peer) = Peer::start_if_wanted_without_devices(bench, &plan)? {
            connects(report, &mut peer.stage, &peer_line, "CPU a connect", false)?;
        }
        for bare in [LIBRARY, FLOOR, Bare::Node] {
            let world = World { conversations: Vec::new(), ..World::planned(&plan) };
            if let Some(mut stage) = bare.start(bench, world)? {
                let line = format!("{}, {line}", bare.name());
                report.add(&line, "process base (P5)", "MiB", mib(stage.server.pid()));
                connects(report, &mut stage, &line, "CPU a connect", false)?;
            }
        }
    }
    Ok(())
}

/// Takes the stage: the generator has descriptors for one crowd at a time.
fn of_tidings(report: &mut Report, mut stage: Stage, line: &str) -> anyhow::Result<()> {
    report.add(line, "process base (P5)", "MiB", mib(stage.server.pid()));
    connects(report, &mut stage, line, "CPU a connect, token never seen (P6)", false)?;
    report.add(line, "process with all of them", "MiB", mib(stage.server.pid()));
    again(report, &mut stage, line, "CPU a connect, token seen before (P6)", false)?;
    again(report, &mut stage, line, "CPU a resume (P6)", true)?;
    stage.server.stop()
}

/// Everybody comes at once, and stays.
fn connects(
    report: &mut Report,
    stage: &mut Stage,
    line: &str,
    name: &str,
    resume: bool,
) -> anyhow::Result<()> {
    stage.wait_until_quiet()?;
    let pid = stage.server.pid();
    let (before, rss_before, begun) = (CpuTime::of(pid), cpu::rss_bytes(pid), stage.engine.now());
    stage.crowd.connect_devices(&mut stage.engine, Joining { at_once: AT_ONCE, resume })?;
    let took = stage.engine.now() - begun;
    let count = as_float(stage.crowd.devices.len() as u64);
    report.add(line, name, "µs", micros(CpuTime::of(pid).since(&before)) / count);
    report.add(line, &format!("{name}, rate"), "/s", count / (as_float(took) / 1e9));
    stage.wait_until_quiet()?;
    let grown = cpu::rss_bytes(pid).saturating_sub(rss_before);
    // Only those who come first grow the process.
    if !name.contains("before") && !resume {
        report.add(line, "memory of an idle connection (P5)", "KiB", as_float(grown) / 1024.0 / count);
    }
    Ok(())
}

/// Everybody goes away and comes again.
fn again(report: &mut Report, stage: &mut Stage, line: &str, name: &str, resume: bool) -> anyhow::Result<()> {
    stage.crowd.drop_devices(&mut stage.engine);
    connects(report, stage, line, name, resume)
}

fn mib(pid: u32) -> f64 {
    as_float(cpu::rss_bytes(pid)) / f64::from(1 << 20)
}
