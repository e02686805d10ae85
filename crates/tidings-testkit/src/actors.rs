//! People and their devices, as tests tell stories about them: everything goes through real HTTP and real sockets.
//!
//! A wait that is not answered within [`PATIENCE`] panics and says what came instead. A device complains by itself
//! about a durable event that comes twice or leaves a hole.

mod api;
mod device;
mod person;

use std::time::Duration;

pub use api::{Api, Reply};
pub use device::{Connected, Device, Received};
pub use person::{ClientIds, Person};

/// How long a test waits for something that must come.
pub const PATIENCE: Duration = Duration::from_secs(20);
