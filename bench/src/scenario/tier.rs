//! The top tier in one process (P8): 19,000 sockets and 10,000 durable sends a second by the clock, on the machine's
//! two cores, the generator's work included.

use std::time::Duration;

use crate::crowd::{Choice, Door};
use crate::measure::{Rate, Series};
use crate::report::Report;
use crate::seed::{ClientIds, Plan};
use crate::stage::{Bench, Cores, Stage, report_series};

/// One descriptor each on both sides, of 20,000.
const SOCKETS: u32 = 19_000;

pub(super) fn run(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    let sockets = bench.quick_or(4_000, SOCKETS);
    let plan = Plan {
        people: sockets,
        conversations: sockets,
        members: 2,
        stride: 1,
        messages: 0,
        client_ids: ClientIds::V7,
    };
    let dir = tempfile::tempdir_in(&bench.root)?;
    let data = dir.path().join("data");
    plan.write(&data)?;
    let mut stage = Stage::open(bench, &data, Cores::Shared)?;
    stage.come_online()?;
    let (rates, seconds) =
        (bench.quick_or(&[2_000.0][..], &[5_000.0, 10_000.0][..]), bench.quick_or(10, 120));
    for rate in rates {
        let line = format!("{sockets} sockets, {rate} sends/s by the clock, two cores shared (P8)");
        let series = Series {
            door: Door::Socket,
            choice: Choice::Random,
            client_ids: ClientIds::V7,
            rate: Rate::PerSecond(*rate),
            warm_up: Duration::from_secs(5),
            // The tier itself for as long as is asked; the rate below it to see where the limit lies.
            measured: Duration::from_secs(if *rate < 10_000.0 { seconds.min(20) } else { seconds }),
        };
        let measured = stage.measure(&line, report, &series)?;
        report_series(report, &line, &measured, series.rate);
        report.add(&line, "generator late at most", "ms", 1e3 * measured.late_max.as_secs_f64());
    }
    Ok(())
}
