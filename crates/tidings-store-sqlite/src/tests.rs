//! Tests of what is this store's own: batches, heads, rollbacks, reopening, plans. What every store promises is in the
//! testkit's contract suite.

mod batches;
mod checkpoints;
mod counters;
pub(crate) mod desk;
mod heads;
mod opening;
mod plans;
mod reads;
mod sessions;
mod streams;
