//! The history checker: clients write down what they ask for, what they are answered and what they show, and the
//! checker compares it with the history that the system gives at the end.
//!
//! - [`Recorder`] is where clients write, [`Records`] what they wrote.
//! - [`Stored`] is the history as it was read back.
//! - [`check`] compares the two and gives a [`Report`] with named [`Violation`]s; a [`Checker`] does the same round by
//!   round and forgets what it has compared, so a run may last for hours.
//! - [`Messenger`] is the system under test: [`Naive`] is a double with the faults of the naive design, [`Real`] speaks
//!   to a server over HTTP and Socket.IO.
//! - [`Workload`] loads a messenger with seeded senders and devices, lets it settle, and checks.
//!
//! To test another fault: start a [`Workload`] against a [`Real`], do the fault while it loads, then
//! [`Workload::settle`] and [`Workload::finish`]. To check another promise: a [`Violation`], and where it is found in
//! `check/`.

mod check;
mod messenger;
mod naive;
mod real;
mod record;
mod report;
mod stored;
mod violation;
mod workload;

use std::sync::Arc;

pub use check::{Checker, HistoryDigest, check};
pub use messenger::{
    Answer, Arrival, Arrivals, Event, EventBody, HistoryPage, Listed, Messenger, Outgoing, Skipped,
    StreamPage,
};
pub use naive::{Fault, Naive};
pub use real::{Real, Sending};
pub use record::{Attempt, DeviceLog, DeviceRecord, Place, Recorder, Records, Shown};
pub use report::Report;
pub use stored::{Message, Stored, StoredStream};
pub use violation::{Finding, Harm, Violation};
pub use workload::{Load, Plan, Workload};

/// The id of a user, a conversation or a device; shared, because it stands in very many records.
pub type Id = Arc<str>;
