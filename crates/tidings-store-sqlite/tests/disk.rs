//! The store on a disk that is slow, full, failing, or cut off from power.

#![expect(clippy::unwrap_used, reason = "a panic is how these fail")]

#[path = "disk/audit.rs"]
mod audit;
#[path = "disk/full.rs"]
mod full;
#[path = "disk/group_commit.rs"]
mod group_commit;
#[path = "disk/load.rs"]
mod load;
#[path = "disk/r2_power_cut.rs"]
mod r2_power_cut;
#[path = "disk/r4_failing_sync.rs"]
mod r4_failing_sync;
#[path = "disk/recovery.rs"]
mod recovery;
#[path = "disk/site.rs"]
mod site;
