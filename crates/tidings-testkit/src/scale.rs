//! How long the reliability tests run: short within `make test`, longer with `make chaos`, or as an environment
//! variable says. The one place that reads them.
//!
//! | variable | default | what |
//! | --- | --- | --- |
//! | `TIDINGS_R1_ROUNDS` | 50 | kills of the binary under load |
//! | `TIDINGS_CHANGES_ROUNDS` | 12 | kills while people edit, delete, react and read |
//! | `TIDINGS_R2_SEEDS` | 500 | crash images |
//! | `TIDINGS_R3_SEEDS` | 1 | disks that fill up twice |
//! | `TIDINGS_R4_SEEDS` | 24 | loads that a failed sync ends |
//! | `TIDINGS_R5_SEEDS` | 2 | retry storms |
//! | `TIDINGS_R7_SEEDS` | 1 | loads that die at every step |
//! | `TIDINGS_R16_EVENTS` | 3000 | events that pass readers who have stopped |
//! | `TIDINGS_R16_READERS` | 30 | readers who stop, at most 200 |
//! | `TIDINGS_R17_ONLINE` | 1000 | members of a group of 10,000 who are online |
//! | `TIDINGS_R18_ROUNDS` | 60 | people who come while messages are sent, into a group of each size |
//! | `TIDINGS_R18_SEEDS` | 2 | loads in which everybody comes and goes |
//! | `TIDINGS_R20_SEEDS` | 2 | loads under a clock that jumps |
//! | `TIDINGS_CHAOS_SECONDS` | 0 | the run with everything at once, in seconds; 0 leaves it out |
//! | `TIDINGS_SEED` | 1 | where the seeded tests begin |

use std::ops::Range;

/// As many seeds as a variable says, from `TIDINGS_SEED` on.
///
/// # Panics
/// As [`scale`].
#[must_use]
pub fn seeds(variable: &str, default: u64) -> Range<u64> {
    let first = scale("TIDINGS_SEED", 1);
    first..first + scale(variable, default)
}

/// The value of a variable of the table, or what it is by default.
///
/// # Panics
/// When the variable is set and is no whole number.
#[must_use]
pub fn scale(variable: &str, default: u64) -> u64 {
    match std::env::var(variable) {
        Ok(value) => value.parse().unwrap_or_else(|_| panic!("{variable} is a whole number, not {value}")),
        Err(_) => default,
    }
}
