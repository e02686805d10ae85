//! Builders, actors, a faulty disk, and contract suites for every port.

pub mod disk;
