//! Sends to random conversations of 20,000 over a data set of millions (P2), with client ids that are random (UUIDv4) and
//! in order of time (UUIDv7): the rows are wide apart, so the disk's pages are what counts. The machine's two cores are
//! shared.

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
            let line = format!(
                "{millions} M messages, 20,000 conversations at random, UUID{client_ids:?}, 256 in flight (P2)"
            );
            let dir = plan(millions * 1_000_000, client_ids).obtain(&bench.root)?;
            let mut stage = Stage::open(bench, &dir, Cores::Shared)?;
            stage.come_online()?;
            for round in 0..bench.rounds {
                let series = Series {
                    door: Door::Socket,
                    choice: Choice::Random,
                    client_ids,
                    rate: Rate::InFlight(IN_FLIGHT),
                    warm_up: Duration::from_secs(if round == 0 { 4 } else { 1 }),
                    measured: Duration::from_secs(bench.quick_or(4, 8)),
                };
                let measured = stage.measure(&line, report, &series)?;
                report_series(report, &line, &measured);
            }
            stage.server.stop()?;
        }
    }
    Ok(())
}

/// Two thousand people, each in twenty conversations of two.
pub(super) fn plan(messages: u64, client_ids: ClientIds) -> Plan {
    Plan { people: 2_000, conversations: 20_000, members: 2, stride: 2, messages, client_ids }
}
