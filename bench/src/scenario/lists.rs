//! The first page of the conversations of somebody who is in a thousand of them, over a million messages (P10).

use crate::report::Report;
use crate::seed::{ClientIds, Plan};
use crate::stage::Bench;

use super::history::on_one_core;
use super::readers::What;

pub(super) fn run(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    let line = "conversation list, 50 of 1,000 with last message, unread and 5 people each, 1 M messages, 200/s by the clock, one core (P10)";
    on_one_core(bench, report, line, &a_thousand_each(), What::Lists)
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
