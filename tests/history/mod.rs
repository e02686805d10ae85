//! The guarantee under faults: every run writes down what clients saw, and the history checker compares it with what
//! stands. Each prints its line.

mod changes;
mod fail_points;
mod full_disk;
mod kills;
mod no_fault;
mod retry_storm;
mod victim;
