//! Every metric there is, and the page that has them all, in the text format of Prometheus, version 0.0.4.
//!
//! To add one: a line in [`METRICS`], where it is written, a test that makes it move; the reference is made of the
//! table.

use std::fmt::Write as _;

use tidings_core::histogram::Counted;

/// What a metric is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only grows, from 0 at the start of the process.
    Counter,
    /// As it is now.
    Gauge,
    /// Counts by size.
    Histogram,
}

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metric {
    /// Begins with `tidings_`.
    pub name: &'static str,
    /// What it is.
    pub kind: Kind,
    /// What tells its series apart.
    pub labels: &'static [&'static str],
    /// For people.
    pub help: &'static str,
}

const fn metric(
    name: &'static str,
    kind: Kind,
    labels: &'static [&'static str],
    help: &'static str,
) -> Metric {
    Metric { name, kind, labels, help }
}

/// Every one, as the page has them.
pub const METRICS: &[Metric] = &[
    metric(
        "tidings_messages_accepted_total",
        Kind::Counter,
        &[],
        "Messages that were committed; retries are none.",
    ),
    metric(
        "tidings_events_committed_total",
        Kind::Counter,
        &[],
        "Durable events that were committed, messages among them.",
    ),
    metric(
        "tidings_events_delivered_total",
        Kind::Counter,
        &[],
        "Frames of durable events that were given to connections.",
    ),
    metric(
        "tidings_delivery_latency_seconds",
        Kind::Histogram,
        &[],
        "From the request of an event to its frame in the last connection's queue, where somebody was connected.",
    ),
    metric(
        "tidings_connections",
        Kind::Gauge,
        &["transport"],
        "Authenticated sockets now, by websocket and polling.",
    ),
    metric(
        "tidings_connects_total",
        Kind::Counter,
        &["result"],
        "Sockets that were let in (ok), and those that were refused, by code.",
    ),
    metric("tidings_disconnects_total", Kind::Counter, &["reason"], "Sockets that ended, by reason."),
    metric("tidings_queue_bytes", Kind::Gauge, &[], "What waits for all sockets, in bytes."),
    metric("tidings_connections_behind", Kind::Gauge, &[], "Sockets that are being brought up to date."),
    metric(
        "tidings_connections_fell_behind_total",
        Kind::Counter,
        &[],
        "Times that a socket read too slowly and had to be brought up to date.",
    ),
    metric(
        "tidings_catch_ups_total",
        Kind::Counter,
        &["source"],
        "Pages of catch-up, from memory and from the store, and those that were answered with reset.",
    ),
    metric("tidings_requests_total", Kind::Counter, &["method", "route", "status"], "Requests over REST."),
    metric("tidings_request_seconds", Kind::Histogram, &["method", "route"], "How long they took."),
    metric(
        "tidings_socket_events_total",
        Kind::Counter,
        &["event", "result"],
        "Events of clients, ok or by code.",
    ),
    metric("tidings_commits_total", Kind::Counter, &[], "Transactions that wrote events."),
    metric("tidings_commit_batch_requests", Kind::Histogram, &[], "Requests in one transaction."),
    metric("tidings_commit_seconds", Kind::Histogram, &[], "How long a transaction took, its sync included."),
    metric("tidings_writer_queue_requests", Kind::Gauge, &[], "Requests that wait for the writer."),
    metric(
        "tidings_store_errors_total",
        Kind::Counter,
        &["kind"],
        "Requests to the store that failed: overloaded (too many writes wait), read_overloaded, disk_full, failed, outcome_unknown.",
    ),
    metric(
        "tidings_rate_limited_total",
        Kind::Counter,
        &["action"],
        "Requests and events that came too often, and logins that have to wait.",
    ),
    metric(
        "tidings_signals_given_total",
        Kind::Counter,
        &[],
        "Typing and presence that was given to connections.",
    ),
    metric(
        "tidings_signals_dropped_total",
        Kind::Counter,
        &[],
        "Typing and presence that passed connections by, which read too slowly.",
    ),
    metric("tidings_conversations_open", Kind::Gauge, &[], "Conversations that are open on some screen."),
    metric("tidings_tail_lag_events", Kind::Gauge, &[], "Events that are committed and not yet delivered."),
    metric("tidings_disk_free_bytes", Kind::Gauge, &[], "Room on the disk of the data directory."),
    metric("tidings_process_resident_bytes", Kind::Gauge, &[], "Memory of the process."),
];

/// The page, as it is written.
#[derive(Debug, Default)]
pub struct Page {
    text: String,
    last: &'static str,
}

impl Page {
    /// One value.
    pub fn value(&mut self, name: &'static str, labels: &[(&str, &str)], value: u64) {
        self.begin(name);
        self.line(name, "", labels, None, value);
    }

    /// A histogram, whose bounds are divided by `unit`.
    pub fn histogram(&mut self, name: &'static str, labels: &[(&str, &str)], counted: &Counted, unit: u64) {
        self.begin(name);
        let mut total = 0;
        for (n, count) in counted.counts.iter().enumerate() {
            total += count;
            let bound =
                counted.bounds.get(n).map_or_else(|| "+Inf".to_owned(), |bound| as_seconds(*bound, unit));
            self.line(name, "_bucket", labels, Some(&bound), total);
        }
        let sum = as_seconds(counted.sum, unit);
        self.names(name, "_sum", labels, None);
        let _ = writeln!(self.text, " {sum}");
        self.line(name, "_count", labels, None, total);
    }

    /// What was written.
    #[must_use]
    pub fn finish(self) -> String {
        self.text
    }

    /// All series of one metric stand together: it is introduced by the first.
    fn begin(&mut self, name: &'static str) {
        if self.last == name {
            return;
        }
        self.last = name;
        let Some(metric) = METRICS.iter().find(|metric| metric.name == name) else { return };
        let kind = match metric.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        // Writing to a string does not fail.
        let _ = writeln!(self.text, "# HELP {name} {}\n# TYPE {name} {kind}", metric.help);
    }

    fn line(&mut self, name: &str, part: &str, labels: &[(&str, &str)], le: Option<&str>, value: u64) {
        self.names(name, part, labels, le);
        let _ = writeln!(self.text, " {value}");
    }

    fn names(&mut self, name: &str, part: &str, labels: &[(&str, &str)], le: Option<&str>) {
        let _ = write!(self.text, "{name}{part}");
        let all = labels.iter().copied().chain(le.map(|le| ("le", le)));
        for (n, (label, value)) in all.clone().enumerate() {
            let begin = if n == 0 { '{' } else { ',' };
            let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let _ = write!(self.text, "{begin}{label}=\"{value}\"");
        }
        if all.count() > 0 {
            self.text.push('}');
        }
    }
}

/// A decimal number without an exponent.
fn as_seconds(value: u64, unit: u64) -> String {
    let (whole, part) = (value / unit, value % unit);
    if part == 0 {
        return whole.to_string();
    }
    let digits = unit.ilog10() as usize;
    format!("{whole}.{part:0digits$}").trim_end_matches('0').to_owned()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use tidings_core::histogram::Histogram;

    use super::*;

    #[test]
    fn a_page_is_what_prometheus_reads() {
        let mut page = Page::default();
        page.value("tidings_connections", &[("transport", "websocket")], 7);
        page.value("tidings_connections", &[("transport", "a \"b\"")], 0);
        let histogram = Histogram::new(&[1, 2_500]);
        histogram.count(3);
        histogram.count(9_000);
        page.histogram("tidings_delivery_latency_seconds", &[], &histogram.counted(), 1_000);
        insta::assert_snapshot!(page.finish());
    }

    /// The reference is made of the table: `UPDATE_REFERENCE=1 cargo test` writes it.
    #[test]
    fn the_reference_is_the_table() {
        let mut text = "# Metrics\n\n`GET /metrics` has them in the text format of Prometheus, for the machine itself and for \
                        the addresses in `ops.allow`\n([operate/single-node.md](../operate/single-node.md#watching-it)). \
                        This page is made of the table in\n`crates/tidings-gateway/src/operations/metrics.rs`; a test compares them.\n\n\
                        | name | kind | labels | |\n| --- | --- | --- | --- |\n".to_owned();
        for Metric { name, kind, labels, help } in METRICS {
            let kind = format!("{kind:?}").to_lowercase();
            let labels = labels.iter().map(|label| format!("`{label}`")).collect::<Vec<_>>().join(", ");
            let _ = writeln!(text, "| `{name}` | {kind} | {labels} | {help} |");
        }
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/metrics.md");
        if std::env::var_os("UPDATE_REFERENCE").is_some() {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, &text).unwrap();
        }
        assert_eq!(
            fs::read_to_string(path).unwrap(),
            text,
            "UPDATE_REFERENCE=1 cargo test -p tidings-gateway"
        );
    }
}
