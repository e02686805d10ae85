//! When to ping, and when a silent client is gone.

use std::time::Duration;

use tokio::time::Instant;

/// What a ping may be late without the client's having less time to answer.
const LATE_MAX: Duration = Duration::from_millis(100);

/// One who is not read for so many heartbeats may be gone.
const UNREAD_HEARTBEATS_MAX: u32 = 4;

/// The heartbeat of one connection: time comes in, what is due goes out.
#[derive(Debug)]
pub(super) struct Heartbeat {
    interval: Duration,
    timeout: Duration,
    next: Next,
    /// Since when not everything that has come was read.
    unread_since: Option<Instant>,
}

#[derive(Clone, Copy, Debug)]
enum Next {
    PingAt(Instant),
    PongBy(Instant),
}

/// What a moment asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    Nothing,
    Ping,
    TimedOut,
}

impl Heartbeat {
    /// The first ping is due one interval after the opening.
    pub(super) fn new(interval: Duration, timeout: Duration, now: Instant) -> Self {
        Self { interval, timeout, next: Next::PingAt(now + interval), unread_since: None }
    }

    /// The moment to look again.
    pub(super) const fn deadline(&self) -> Instant {
        match self.next {
            Next::PingAt(at) | Next::PongBy(at) => at,
        }
    }

    /// What is due now. After [`Due::Ping`] a pong is awaited.
    pub(super) fn due(&mut self, now: Instant) -> Due {
        match self.next {
            Next::PingAt(at) if now >= at => {
                // From when it was due: a client counts both times from the opening.
                let due = at.max(now.checked_sub(LATE_MAX).unwrap_or(at));
                self.next = Next::PongBy(due + self.timeout);
                Due::Ping
            }
            Next::PongBy(by) if now >= by => Due::TimedOut,
            _ => Due::Nothing,
        }
    }

    /// A pong came: the next ping is due one interval later.
    pub(super) fn on_pong(&mut self, now: Instant) {
        self.next = Next::PingAt(now + self.interval);
    }

    /// Not everything that has come is read, so that a pong could not be seen: the client gets its whole time again.
    /// But not for ever: behind a handler that does not end, one that is gone would never be noticed.
    pub(super) fn on_unread(&mut self, now: Instant) {
        let since = *self.unread_since.get_or_insert(now);
        if matches!(self.next, Next::PongBy(_)) {
            let last = since + UNREAD_HEARTBEATS_MAX * (self.interval + self.timeout);
            self.next = Next::PongBy(last.min(now + self.timeout));
        }
    }

    /// Everything that has come is read.
    pub(super) fn on_read(&mut self) {
        self.unread_since = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn pings_after_the_interval_and_gives_up_after_the_timeout() {
        let seconds = Duration::from_secs;
        let start = Instant::now();
        let mut heartbeat = Heartbeat::new(seconds(25), seconds(20), start);
        assert_eq!(heartbeat.due(start + seconds(24)), Due::Nothing);
        assert_eq!(heartbeat.due(start + seconds(25)), Due::Ping);
        assert_eq!(heartbeat.due(start + seconds(44)), Due::Nothing);
        heartbeat.on_pong(start + seconds(30));
        assert_eq!(heartbeat.deadline(), start + seconds(55));
        assert_eq!(heartbeat.due(start + seconds(55)), Due::Ping);
        heartbeat.on_unread(start + seconds(70));
        assert_eq!(heartbeat.due(start + seconds(89)), Due::Nothing);
        assert_eq!(heartbeat.due(start + seconds(90)), Due::TimedOut);
    }

    #[tokio::test(start_paused = true)]
    async fn one_who_is_not_read_is_given_time_but_not_for_ever() {
        let seconds = Duration::from_secs;
        let start = Instant::now();
        let mut heartbeat = Heartbeat::new(seconds(25), seconds(20), start);
        assert_eq!(heartbeat.due(start + seconds(25)), Due::Ping);
        for second in 30..210 {
            heartbeat.on_unread(start + seconds(second));
            assert_eq!(heartbeat.due(start + seconds(second)), Due::Nothing, "{second}");
        }
        heartbeat.on_unread(start + seconds(210));
        assert_eq!(heartbeat.due(start + seconds(210)), Due::TimedOut);
        heartbeat.on_read();
        heartbeat.on_unread(start + seconds(211));
        assert_eq!(heartbeat.due(start + seconds(230)), Due::Nothing);
    }

    #[tokio::test(start_paused = true)]
    async fn a_ping_that_is_a_little_late_counts_from_when_it_was_due() {
        let millis = Duration::from_millis;
        let start = Instant::now();
        let pinged = |late: u64| {
            let mut heartbeat = Heartbeat::new(millis(300), millis(200), start);
            assert_eq!(heartbeat.due(start + millis(300 + late)), Due::Ping);
            heartbeat.deadline()
        };
        assert_eq!(pinged(2), start + millis(500));
        assert_eq!(pinged(90), start + millis(500), "a busy machine");
        assert_eq!(
            pinged(1_000),
            start + millis(1_400),
            "the process was stopped: the client has not seen it yet"
        );
    }
}
