//! A server over a data set, with everybody online: where a scenario plays.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::cpu::{self, CpuTime};
use crate::crowd::{Crowd, Joining};
use crate::dialect::Dialect;
use crate::engine::Engine;
use crate::measure::{Measured, Rate, Series, measure};
use crate::report::Report;
use crate::server::Server;
use crate::world::World;

/// A server that used less than this of the time is quiet.
const QUIET_SHARE: f64 = 0.03;
/// How long a server is waited for until it is quiet.
const QUIET_PATIENCE: Duration = Duration::from_secs(20);

/// What a run is told from outside.
#[derive(Debug, Clone)]
pub(crate) struct Bench {
    /// The Tidings binary.
    pub server: PathBuf,
    /// Where data sets are kept.
    pub root: PathBuf,
    /// The peer's directory; none where it is not to be run.
    pub peer: Option<PathBuf>,
    pub quick: bool,
    pub rounds: usize,
}

impl Bench {
    /// One of two values.
    pub(crate) fn quick_or<T>(&self, quick: T, whole: T) -> T {
        if self.quick { quick } else { whole }
    }
}

/// A server and its crowd.
pub(crate) struct Stage {
    pub server: Server,
    pub engine: Engine,
    pub crowd: Crowd,
}

/// Cores for the server and the generator, or none: wherever the kernel likes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cores {
    /// The server on the first, the generator on the second.
    Apart,
    Shared,
}

impl Cores {
    pub(crate) fn of_server(self) -> Option<usize> {
        (self == Self::Apart).then_some(0)
    }

    /// Puts the generator where it belongs.
    pub(crate) fn pin_generator(self) {
        cpu::pin_self((self == Self::Apart).then_some(1));
    }
}

/// Enough for everything that has come meanwhile, in nanoseconds.
const BREATH: u64 = 20_000_000;

impl Stage {
    /// Tidings over a data set, nobody online yet.
    pub(crate) fn open(bench: &Bench, dir: &Path, cores: Cores) -> anyhow::Result<Self> {
        Self::open_with(bench, dir, cores, &[])
    }

    /// The same with a server that is configured otherwise, by variables of its environment.
    pub(crate) fn open_with(
        bench: &Bench,
        dir: &Path,
        cores: Cores,
        environment: &[(&str, &str)],
    ) -> anyhow::Result<Self> {
        cpu::pin_self(None);
        let world = World::read(dir)?;
        let tokens = World::mint_tokens(dir, &world.people)?;
        let server = Server::start(&bench.server, dir, cores.of_server(), environment)?;
        cores.pin_generator();
        let crowd = Crowd::new(Dialect::Tidings, server.address, world, tokens);
        Ok(Self { server, engine: Engine::new()?, crowd })
    }

    /// Everybody comes online, and the checker begins to watch.
    pub(crate) fn come_online(&mut self) -> anyhow::Result<()> {
        self.crowd.connect_devices(&mut self.engine, Joining::default())?;
        self.crowd.expect_everything();
        Ok(())
    }

    /// Answers the heartbeats that have come while another stage was measured.
    pub(crate) fn breathe(&mut self) -> anyhow::Result<()> {
        let until = self.engine.now() + BREATH;
        self.crowd.turn_until(&mut self.engine, until, |_| false)?;
        anyhow::ensure!(self.crowd.ended.is_empty(), "connections ended: {:?}", self.crowd.ended);
        Ok(())
    }

    /// One series of sends, of which none may be refused. What the checker found goes to the report, which then scores
    /// zero.
    pub(crate) fn measure(
        &mut self,
        line: &str,
        report: &mut Report,
        series: &Series,
    ) -> anyhow::Result<Measured> {
        let measured = self.measure_to_the_limit(line, report, series)?;
        if measured.refused > 0 {
            let refusal = measured.refusal.as_deref().unwrap_or_default();
            report.fail(format!("{line}: {} sends were refused: {refusal}", measured.refused));
        }
        Ok(measured)
    }

    /// The same where the server may turn sends away.
    pub(crate) fn measure_to_the_limit(
        &mut self,
        line: &str,
        report: &mut Report,
        series: &Series,
    ) -> anyhow::Result<Measured> {
        let measured = measure(&mut self.engine, &mut self.crowd, self.server.pid(), series)?;
        let verdict = &measured.verdict;
        // The peer puts two at once in one conversation out of order.
        if self.crowd.dialect != Dialect::Node && !verdict.is_good() {
            report.fail(format!("{line}: {verdict:?}"));
        }
        Ok(measured)
    }

    /// Waits until the server has nothing left to do.
    pub(crate) fn wait_until_quiet(&mut self) -> anyhow::Result<()> {
        let (pid, begun) = (self.server.pid(), Instant::now());
        loop {
            let before = CpuTime::of(pid);
            let until = self.engine.now() + 100_000_000;
            self.crowd.turn_until(&mut self.engine, until, |_| false)?;
            let used = CpuTime::of(pid).since(&before).as_secs_f64() / 0.1;
            if used < QUIET_SHARE || begun.elapsed() > QUIET_PATIENCE {
                return Ok(());
            }
        }
    }
}

/// Puts what a series of sends says into the report. Of a closed loop no latencies: it does not send while it waits, so
/// they would say how many were in flight.
pub(crate) fn report_series(report: &mut Report, line: &str, measured: &Measured, rate: Rate) {
    report.add(line, "sends", "/s", measured.sends_per_second);
    if matches!(rate, Rate::PerSecond(_)) {
        report.add(line, "answer p50", "ms", measured.answered.percentile_ms(50.0));
        report.add(line, "answer p99", "ms", measured.answered.percentile_ms(99.0));
        report.add(line, "shown to all p50", "ms", measured.shown.percentile_ms(50.0));
        report.add(line, "shown to all p99", "ms", measured.shown.percentile_ms(99.0));
    }
    report.add(line, "server CPU a send", "µs", measured.server_micros_per_send());
    let share = measured.server_cpu.as_secs_f64() / measured.wall.as_secs_f64();
    report.add(line, "server CPU", "% of a core", 100.0 * share);
    let name =
        if measured.is_generator_bound() { "generator CPU (IT IS THE LIMIT)" } else { "generator CPU" };
    report.add(line, name, "% of a core", 100.0 * measured.generator_share());
    report.add(line, "CPU of all others", "% of a core", 100.0 * measured.others_share());
}
