//! The guarantee where it is hard to keep: many people, races, clocks that jump. Each test prints what was
//! acknowledged, lost, doubled and reordered, and how long it took until everybody had everything.

mod clock;
mod clock_load;
mod join_fetch;
mod large_group;
mod screen;
mod stalled_readers;
mod town;
