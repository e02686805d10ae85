//! When to ping, and when a silent client is gone.

use std::time::Duration;

use tokio::time::Instant;

/// The heartbeat of one connection: time comes in, what is due goes out.
#[derive(Debug)]
pub(super) struct Heartbeat {
    interval: Duration,
    timeout: Duration,
    next: Next,
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
        Self { interval, timeout, next: Next::PingAt(now + interval) }
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
                self.next = Next::PongBy(now + self.timeout);
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

    /// The connection is not being read, so that a pong could not be seen: the client gets its whole time again.
    pub(super) fn on_unread(&mut self, now: Instant) {
        if matches!(self.next, Next::PongBy(_)) {
            self.next = Next::PongBy(now + self.timeout);
        }
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
}
