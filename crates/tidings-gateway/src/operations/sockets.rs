//! Sockets that came and went, and what clients said on them.

use std::collections::BTreeMap;

use parking_lot::Mutex;

use super::Page;

/// Names are codes, reasons and events that the server knows, so this has an end.
#[derive(Debug, Default)]
pub(crate) struct SocketCounters {
    connects: Mutex<BTreeMap<&'static str, u64>>,
    disconnects: Mutex<BTreeMap<&'static str, u64>>,
    events: Mutex<BTreeMap<(&'static str, &'static str), u64>>,
}

impl SocketCounters {
    /// One that was let in, or refused with this code.
    pub(crate) fn connect(&self, result: &'static str) {
        *self.connects.lock().entry(result).or_default() += 1;
    }

    pub(crate) fn disconnect(&self, reason: &'static str) {
        *self.disconnects.lock().entry(reason).or_default() += 1;
    }

    /// An event of a client, ok or refused with this code.
    pub(crate) fn event(&self, name: &'static str, result: &'static str) {
        *self.events.lock().entry((name, result)).or_default() += 1;
    }

    pub(crate) fn write(&self, page: &mut Page) {
        for (result, count) in &*self.connects.lock() {
            page.value("tidings_connects_total", &[("result", result)], *count);
        }
        for (reason, count) in &*self.disconnects.lock() {
            page.value("tidings_disconnects_total", &[("reason", reason)], *count);
        }
        for ((event, result), count) in &*self.events.lock() {
            page.value("tidings_socket_events_total", &[("event", event), ("result", result)], *count);
        }
    }
}
