//! The store on a disk that is slow, full, failing, or cut off from power.

#![expect(clippy::unwrap_used, reason = "a panic is how these fail")]

#[path = "disk/crash.rs"]
mod crash;
#[path = "disk/failing_sync.rs"]
mod failing_sync;
#[path = "disk/full.rs"]
mod full;
#[path = "disk/group_commit.rs"]
mod group_commit;
#[path = "disk/site.rs"]
mod site;
