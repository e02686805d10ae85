//! The top tier in one process (P8): 19,000 sockets and 10,000 durable sends a second by the clock, on the machine's
//! two cores, the generator's work included.

use std::time::Duration;

use crate::crowd::{Choice, Door};
use crate::measure::{Rate, Series, as_float};
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
    let steps = bench.quick_or(&[(2_000.0, 10)][..], &[(3_000.0, 20), (5_000.0, 120), (10_000.0, 120)][..]);
    for (rate, seconds) in steps {
        let line = format!("{sockets} sockets, {rate} sends/s by the clock, two cores shared (P8)");
        let series = Series {
            door: Door::Socket,
            choice: Choice::Random,
            client_ids: ClientIds::V7,
            rate: Rate::PerSecond(*rate),
            warm_up: Duration::from_secs(5),
            measured: Duration::from_secs(*seconds),
        };
        // The steps below the tier show where the limit lies; above it the server turns sends away and loses none.
        let measured = stage.measure_to_the_limit(&line, report, &series)?;
        report_series(report, &line, &measured, series.rate);
        report.add(&line, "turned away", "sends", as_float(measured.refused));
        report.add(&line, "generator late at most", "ms", 1e3 * measured.late_max.as_secs_f64());
    }
    Ok(())
}
