//! Descriptors: every connection takes one, and the usual soft limit of 1,024 is for programs that use `select`.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What the server itself needs beside its connections, with some to spare: the store's files, the listener, those who
/// are told that it is full, and who watches it.
const OWN: u64 = 256;

/// Raises the soft limit to the hard one, and bounds the connections by it, so that there is always a descriptor left
/// for who watches the server.
pub(super) fn reserve(connections_max: &mut usize) {
    raise_limit();
    let Some(descriptors) = getrlimit(Resource::Nofile).current else { return };
    // With very few the half of them: better than none.
    let room = descriptors.saturating_sub(OWN).max(descriptors / 2);
    if let Ok(room) = usize::try_from(room)
        && room < *connections_max
    {
        tracing::info!(descriptors, connections = room, "the limit on open files bounds the connections");
        *connections_max = room;
    }
}

fn raise_limit() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current == maximum {
        return;
    }
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        tracing::warn!(?current, %error, "the limit on open files could not be raised: it bounds the connections");
    }
}
