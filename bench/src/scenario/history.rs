//! Pages of history at random depths: how many one core gives, and how long they take beside half of the load at ten
//! million messages (P9).

use std::collections::HashMap;
use std::time::Duration;

use anyhow::ensure;

use crate::cpu::CpuTime;
use crate::crowd::{Choice, Crowd, Door, Pace, Run};
use crate::engine::{Engine, LinkId, Nanos};
use crate::latency::Latency;
use crate::measure::{as_float, micros};
use crate::report::Report;
use crate::schedule::Schedule;
use crate::seed::ClientIds;
use crate::stage::{Bench, Cores, Stage};
use crate::wire::http;

use super::size;

/// Messages in a page: the default.
const PAGE: u32 = 50;
/// Pages that are asked for at a time.
const LINKS: usize = 64;
/// Pages a second, by the clock.
const PER_SECOND: f64 = 200.0;
/// About half of what a send to so many messages takes of the machine.
const HALF_LOAD: f64 = 1_500.0;

pub(super) fn run(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    let line = "history, pages of 50 at random depths, 1 M messages, by the clock, one core";
    let plan = size::plan(1_000_000, ClientIds::V7);
    pages(bench, report, line, &plan.obtain(&bench.root)?, Cores::Apart, None)
}

pub(super) fn run_at_ten_million(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    let millions = bench.quick_or(1, 10);
    let line =
        format!("history, pages of 50 at random depths, {millions} M messages, 1,500 sends/s beside it (P9)");
    let plan = size::plan(millions * 1_000_000, ClientIds::V7);
    pages(bench, report, &line, &plan.obtain(&bench.root)?, Cores::Shared, Some(HALF_LOAD))
}

fn pages(
    bench: &Bench,
    report: &mut Report,
    line: &str,
    dir: &std::path::Path,
    cores: Cores,
    sends: Option<f64>,
) -> anyhow::Result<()> {
    let mut stage = Stage::open(bench, dir, cores)?;
    stage.come_online()?;
    let Stage { server, engine, crowd } = &mut stage;
    let mut readers = Readers::connect(engine, crowd)?;
    for _ in 0..bench.rounds {
        let seconds = bench.quick_or(3, 8);
        if let Some(rate) = sends {
            let pace = Pace::Open(Schedule::new(engine.now(), rate, u64::MAX));
            let run = Run::new(Door::Socket, Choice::Random, ClientIds::V7, pace, crate::measure::epoch_ms());
            crowd.begin_run(engine, run);
        }
        let before = CpuTime::of(server.pid());
        let took = readers.read_for(engine, crowd, Duration::from_secs(seconds))?;
        let cpu = CpuTime::of(server.pid()).since(&before);
        report.add(line, "pages", "/s", as_float(took.count()) / as_float(seconds));
        report.add(line, "page p50", "ms", took.percentile_ms(50.0));
        report.add(line, "page p99", "ms", took.percentile_ms(99.0));
        if sends.is_none() {
            report.add(line, "server CPU a page", "µs", micros(cpu) / as_float(took.count().max(1)));
        }
        let until = engine.now() + crate::crowd::PATIENCE;
        crowd.turn_until(engine, until, |crowd| crowd.checker.is_settled())?;
        if let Some(run) = crowd.run.take() {
            report.add(line, "sends beside it, answer p99", "ms", run.answered.percentile_ms(99.0));
        }
        readers.connect_again(engine, crowd)?;
    }
    let verdict = crowd.checker.verdict();
    if !verdict.is_good() {
        report.fail(format!("{line}: {verdict:?}"));
    }
    stage.server.stop()
}

/// Connections on which pages are asked for.
struct Readers {
    free: Vec<LinkId>,
    asked: HashMap<LinkId, Nanos>,
    random: u64,
}

impl Readers {
    fn connect(engine: &mut Engine, crowd: &mut Crowd) -> anyhow::Result<Self> {
        let mut readers = Self { free: Vec::new(), asked: HashMap::new(), random: 0x9e37_79b9_7f4a_7c15 };
        readers.connect_again(engine, crowd)?;
        Ok(readers)
    }

    fn connect_again(&mut self, engine: &mut Engine, crowd: &mut Crowd) -> anyhow::Result<()> {
        for link in self.free.drain(..).chain(self.asked.drain().map(|(link, _)| link)) {
            engine.drop_link(link);
        }
        for _ in 0..LINKS {
            self.free.push(crowd.connect_plain(engine)?);
        }
        crowd.answers.clear();
        Ok(())
    }

    /// Asks by the clock; the latency counts from the intended moment.
    fn read_for(
        &mut self,
        engine: &mut Engine,
        crowd: &mut Crowd,
        time: Duration,
    ) -> anyhow::Result<Latency> {
        let begin = engine.now();
        let count = (time.as_secs_f64() * PER_SECOND).round();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "some thousands")]
        let mut schedule = Schedule::new(begin, PER_SECOND, count as u64);
        let (mut latency, until) =
            (Latency::new(), begin + crate::measure::nanos(time) + crate::crowd::PATIENCE);
        while schedule.next_at().is_some() || !self.asked.is_empty() {
            ensure!(engine.now() < until, "pages have not been answered");
            crowd.send_due(engine);
            while let Some(intended) =
                (!self.free.is_empty()).then(|| schedule.take_due(engine.now())).flatten()
            {
                self.ask(engine, crowd, intended);
            }
            let next = schedule.next_at().unwrap_or(until).min(engine.now() + 1_000_000);
            let due = crowd.run.as_ref().and_then(Run::next_at).unwrap_or(until);
            engine.turn(crowd, next.min(due))?;
            ensure!(crowd.ended.is_empty(), "a page was refused, or a connection ended: {:?}", crowd.ended);
            while let Some((link, at)) = crowd.answers.pop_front() {
                if let Some(intended) = self.asked.remove(&link) {
                    latency.record(at - intended);
                    self.free.push(link);
                }
            }
        }
        if let Some(run) = &mut crowd.run {
            run.is_over = true;
        }
        Ok(latency)
    }

    fn ask(&mut self, engine: &mut Engine, crowd: &Crowd, intended: Nanos) {
        let Some(link) = self.free.pop() else { return };
        let conversations = &crowd.world.conversations;
        let place = usize::try_from(self.random() % conversations.len() as u64).unwrap_or(0);
        let conversation = &conversations[place];
        let before = 2 + self.random() % conversation.seq.max(1);
        let path = format!("/api/conversations/{}/messages?before={before}&limit={PAGE}", conversation.id);
        let token = &crowd.tokens[conversation.members[0] as usize];
        engine.send(link, |out| http::write_get(out, &path, token));
        self.asked.insert(link, intended);
    }

    fn random(&mut self) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random
    }
}
