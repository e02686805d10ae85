//! The first page of the conversations of somebody who is in a thousand of them, over a million messages (P10).

use crate::cpu::CpuTime;
use crate::measure::{as_float, micros};
use crate::report::Report;
use crate::seed::{ClientIds, Plan};
use crate::stage::{Bench, Cores};

use super::history::{open, pages};
use super::readers::What;

pub(super) fn run(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    let line = "conversation list, 50 of 1,000 with last message, unread and 5 people each, 1 M messages, 200/s by the clock, one core (P10)";
    let mut stage = open(bench, &a_thousand_each().obtain(&bench.root)?, Cores::Apart)?;
    for round in 0..bench.rounds {
        let before = CpuTime::of(stage.server.pid());
        let read = pages(bench, report, line, &mut stage, What::Lists, round)?;
        let cpu = CpuTime::of(stage.server.pid()).since(&before);
        report.add(line, "server CPU a page", "µs", micros(cpu) / as_float(read.max(1)));
    }
    stage.server.stop()
}

/// Each of a hundred people is in a thousand groups of five.
fn a_thousand_each() -> Plan {
    Plan {
        people: 100,
        conversations: 20_000,
        members: 5,
        stride: 1,
        messages: 1_000_000,
        client_ids: ClientIds::V7,
    }
}
