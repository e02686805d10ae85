//! Sends to random conversations of 20,000 over a data set of millions (P2): how many, and how long people wait at
//! half of it. With client ids that are random (UUIDv4) and in order of time (UUIDv7): the rows are wide apart, so the
//! disk's pages are what counts. The machine's two cores are shared.

use std::time::Duration;

use crate::crowd::{Choice, Door};
use crate::measure::{Rate, Series};
use crate::report::Report;
use crate::seed::{ClientIds, Plan};
use crate::stage::{Bench, Cores, Stage, report_series};

/// As many as a busy machine has.
const IN_FLIGHT: usize = 256;

pub(super) fn run(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    let sizes = bench.quick_or(&[1][..], &[1, 5][..]);
    for millions in sizes {
        for client_ids in [ClientIds::V7, ClientIds::V4] {
            let set =
                format!("{millions} M messages, 20,000 conversations at random, UUID{client_ids:?}, socket");
            let dir = plan(millions * 1_000_000, client_ids).obtain(&bench.root)?;
            let mut stage = Stage::open(bench, &dir, Cores::Shared)?;
            stage.come_online()?;
            let line = format!("{set}, 256 in flight (P2)");
            for _ in 0..bench.rounds {
                series(bench, report, &mut stage, &line, client_ids, Rate::InFlight(IN_FLIGHT))?;
            }
            let half = report.median(&line, "sends").unwrap_or_default() / 2.0;
            let line = format!("{set}, half of what 256 in flight took, by the clock (P2)");
            for _ in 0..bench.rounds {
                series(bench, report, &mut stage, &line, client_ids, Rate::PerSecond(half))?;
            }
            stage.server.stop()?;
        }
    }
    Ok(())
}

fn series(
    bench: &Bench,
    report: &mut Report,
    stage: &mut Stage,
    line: &str,
    client_ids: ClientIds,
    rate: Rate,
) -> anyhow::Result<()> {
    let series = Series {
        door: Door::Socket,
        choice: Choice::Random,
        client_ids,
        rate,
        warm_up: Duration::from_secs(2),
        measured: Duration::from_secs(bench.quick_or(4, 6)),
    };
    let measured = stage.measure(line, report, &series)?;
    report_series(report, line, &measured, rate);
    Ok(())
}

/// Two thousand people, each in twenty conversations of two.
pub(super) fn plan(messages: u64, client_ids: ClientIds) -> Plan {
    Plan { people: 2_000, conversations: 20_000, members: 2, stride: 2, messages, client_ids }
}
