//! One measured series of sends, with the CPU that it cost on both sides.

use std::time::Duration;

use anyhow::ensure;
use tidings_core::clock::{Clock as _, SystemClock};

use crate::checker::Verdict;
use crate::cpu::{self, CpuTime};
use crate::crowd::{Choice, Crowd, Door, Pace, Run};
use crate::engine::{Engine, Nanos};
use crate::latency::Latency;
use crate::schedule::Schedule;
use crate::seed::ClientIds;

/// A generator that is busier than this is the limit, and not the server.
const GENERATOR_BUSY: f64 = 0.9;

/// What is sent, how, and for how long.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Series {
    pub door: Door,
    pub choice: Choice,
    pub client_ids: ClientIds,
    pub rate: Rate,
    pub warm_up: Duration,
    pub measured: Duration,
}

/// How fast.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Rate {
    /// As fast as it answers, with this many in flight.
    InFlight(usize),
    /// By the clock, a second.
    PerSecond(f64),
}

/// What a series showed.
#[derive(Debug)]
pub(crate) struct Measured {
    pub sends_per_second: f64,
    pub deliveries_per_second: f64,
    pub answered: Latency,
    pub shown: Latency,
    pub server_cpu: Duration,
    /// What it did not use for staying awake.
    pub generator_cpu: Duration,
    /// Of all other processes of the machine meanwhile.
    pub others_cpu: Duration,
    pub wall: Duration,
    pub sends: u64,
    pub refused: u64,
    /// What the first refusal said.
    pub refusal: Option<String>,
    /// The most that the generator itself was late.
    pub late_max: Duration,
    pub verdict: Verdict,
}

impl Measured {
    /// CPU of the server for each send, in microseconds.
    pub(crate) fn server_micros_per_send(&self) -> f64 {
        micros(self.server_cpu) / as_float(self.sends.max(1))
    }

    /// The part of one core that the generator used.
    pub(crate) fn generator_share(&self) -> f64 {
        self.generator_cpu.as_secs_f64() / self.wall.as_secs_f64()
    }

    /// The part of one core that everybody else used: of the peer its databases, else nobody should be there.
    pub(crate) fn others_share(&self) -> f64 {
        self.others_cpu.as_secs_f64() / self.wall.as_secs_f64()
    }

    /// The generator had no time left: the figure is its own.
    pub(crate) fn is_generator_bound(&self) -> bool {
        self.generator_share() > GENERATOR_BUSY
    }
}

/// Runs a series against the process `pid`. What the checker found since the crowd came online is in the verdict.
pub(crate) fn measure(
    engine: &mut Engine,
    crowd: &mut Crowd,
    pid: u32,
    series: &Series,
) -> anyhow::Result<Measured> {
    let begin = engine.now();
    let (warm, until) = (begin + nanos(series.warm_up), begin + nanos(series.warm_up + series.measured));
    let pace = match series.rate {
        Rate::InFlight(in_flight) => Pace::Closed { in_flight },
        Rate::PerSecond(per_second) => Pace::Open(Schedule::new(begin, per_second, u64::MAX)),
    };
    let mut run = Run::new(series.door, series.choice, series.client_ids, pace, epoch_ms());
    run.window = (warm, until);
    crowd.begin_run(engine, run);
    drive(engine, crowd, warm)?;
    let before = (CpuTime::of(pid), CpuTime::of(std::process::id()), engine.now(), cpu::worked());
    let idled_before = engine.idled();
    drive(engine, crowd, until)?;
    let after = (CpuTime::of(pid), CpuTime::of(std::process::id()), engine.now(), cpu::worked());
    let (server_cpu, generator_cpu) = (after.0.since(&before.0), after.1.since(&before.1));
    let idled = engine.idled() - idled_before;
    if let Some(run) = &mut crowd.run {
        run.is_over = true;
    }
    crowd.settle(engine)?;
    let run = crowd.run.take().unwrap_or_else(|| unreachable!("it was begun above"));
    ensure!(!run.is_overrun, "the server cannot keep the rate: sends have heaped up in the generator");
    ensure!(crowd.ended.is_empty(), "connections ended: {:?}", crowd.ended);
    let verdict = crowd.checker.verdict();
    let wall = Duration::from_nanos(after.2 - before.2);
    Ok(Measured {
        sends_per_second: as_float(run.answers) / wall.as_secs_f64(),
        deliveries_per_second: as_float(run.deliveries) / wall.as_secs_f64(),
        answered: run.answered,
        shown: run.shown,
        server_cpu,
        generator_cpu: generator_cpu.saturating_sub(idled),
        others_cpu: after.3.saturating_sub(before.3).saturating_sub(server_cpu + generator_cpu),
        wall,
        sends: run.answers,
        refused: run.refused,
        refusal: run.refusal,
        late_max: Duration::from_nanos(run.late_max),
        verdict,
    })
}

/// Sends what is due and hears what comes, until a moment.
fn drive(engine: &mut Engine, crowd: &mut Crowd, until: Nanos) -> anyhow::Result<()> {
    while engine.now() < until && crowd.ended.is_empty() {
        crowd.send_due(engine);
        crowd.type_due(engine);
        let due = crowd.next_at();
        engine.turn(crowd, due.unwrap_or(until).min(until))?;
    }
    Ok(())
}

/// The present, as client ids carry it, in milliseconds.
pub(crate) fn epoch_ms() -> u64 {
    SystemClock.now().0.cast_unsigned()
}

pub(crate) fn nanos(duration: Duration) -> Nanos {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

pub(crate) fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

#[expect(clippy::cast_precision_loss, reason = "counts of a run of minutes")]
pub(crate) fn as_float(count: u64) -> f64 {
    count as f64
}
