//! What is measured. To add one: a file here, and a line in [`ALL`].

mod connect;
mod fan_out;
mod fan_out_bare;
mod history;
mod lists;
mod machine;
mod readers;
mod recovery;
mod sends;
mod signals;
mod size;
mod slow_readers;
mod start;
mod storm;
mod tier;

use crate::report::Report;
use crate::stage::Bench;

/// A scenario puts its figures into the report; an error says why it has none.
pub(crate) type Scenario = fn(&Bench, &mut Report) -> anyhow::Result<()>;

/// Every scenario by name, in the order in which they run.
pub(crate) const ALL: [(&str, Scenario); 15] = [
    ("machine", machine::run),
    ("sends", sends::run),
    ("fan-out", fan_out::run),
    ("fan-out-bare", fan_out_bare::run),
    ("connect", connect::run),
    ("storm", storm::run),
    ("slow-readers", slow_readers::run),
    ("signals", signals::run),
    ("history", history::run),
    ("lists", lists::run),
    ("size", size::run),
    ("tier", tier::run),
    ("pages", history::run_at_ten_million),
    ("start", start::run),
    ("recovery", recovery::run),
];
