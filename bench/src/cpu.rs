//! CPU time of processes, beside the wall clock, and where they run.

use std::collections::HashMap;
use std::fs;
use std::time::Duration;

use rustix::thread::{CpuSet, sched_setaffinity};

/// The kernel's ticks a second in `/proc/PID/stat`; it is 100 on every Linux there is.
const TICK: Duration = Duration::from_millis(10);

/// CPU time that a process had used at a moment, by thread.
#[derive(Debug, Clone)]
pub(crate) struct CpuTime {
    threads: HashMap<u32, Duration>,
    total: Duration,
}

impl CpuTime {
    /// Reads it; a process that is gone has used none.
    pub(crate) fn of(pid: u32) -> Self {
        let mut threads = HashMap::new();
        for entry in fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten() {
            let id = entry.file_name().to_str().and_then(|name| name.parse().ok());
            let text = fs::read_to_string(entry.path().join("schedstat")).unwrap_or_default();
            let nanos = text.split(' ').next().and_then(|nanos| nanos.parse().ok());
            if let (Some(id), Some(nanos)) = (id, nanos) {
                threads.insert(id, Duration::from_nanos(nanos));
            }
        }
        Self { threads, total: total(pid).unwrap_or_default() }
    }

    /// What was used since, of which threads that have ended since are known to a tick only.
    pub(crate) fn since(&self, before: &Self) -> Duration {
        let of_thread = |(id, now): (&u32, &Duration)| {
            now.saturating_sub(before.threads.get(id).copied().unwrap_or_default())
        };
        let exact: Duration = self.threads.iter().map(of_thread).sum();
        let ticks = self.total.saturating_sub(before.total);
        // Within the two ticks that the coarse figure may be wrong, the exact one is believed.
        if ticks > exact + 2 * TICK { ticks } else { exact }
    }
}

fn total(pid: u32) -> Option<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in brackets may hold anything; the fields count from its end.
    let (_, fields) = stat.rsplit_once(") ")?;
    let fields: Vec<&str> = fields.split(' ').collect();
    let ticks: u32 = fields.get(11)?.parse::<u32>().ok()? + fields.get(12)?.parse::<u32>().ok()?;
    Some(TICK * ticks)
}

/// CPU time that all cores have worked since the machine began, for whomever.
pub(crate) fn worked() -> Duration {
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    let fields = stat.lines().next().unwrap_or_default().split_ascii_whitespace().skip(1);
    let ticks = fields.map(|field| field.parse::<u32>().unwrap_or_default());
    // user, nice, system, idle, iowait, irq, softirq, steal; what follows is counted in user already.
    let worked =
        ticks.take(8).enumerate().filter(|(n, _)| ![3, 4].contains(n)).map(|(_, ticks)| TICK * ticks);
    worked.sum()
}

/// What a process keeps in memory now, in bytes.
pub(crate) fn rss_bytes(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().split(' ').next()?.parse::<u64>().ok());
    kib.unwrap_or_default() * 1024
}

/// Runs this thread on one core, or on all that there are.
pub(crate) fn pin_self(core: Option<usize>) {
    let mut cores = CpuSet::new();
    let all = 0..CpuSet::MAX_CPU;
    for core in all.filter(|n| core.is_none_or(|core| core == *n)) {
        cores.set(core);
    }
    // Where it is not allowed the figures say so by themselves.
    let _ = sched_setaffinity(None, &cores);
}
