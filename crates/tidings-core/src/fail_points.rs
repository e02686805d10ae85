//! Places on the way of a message at which a test lets the process die, fail or wait: every step and every await from
//! the decoding of a send to the frame in the kernel's hands.
//!
//! Without the feature `fail-points`, which only tests have, [`reached`] and [`fails`] are empty. With it, the variable
//! `FAIL_POINT` of the environment says `name:hit:action`: at that hit of that point the process aborts (as if killed),
//! or what is about to be done fails, or from that hit on it waits a little each time; and stderr says that the point
//! was reached. To add one: a line in the table below and the call where it stands; a test finds those that nobody
//! reaches.

macro_rules! fail_points {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// A place on the way of a message, in the order in which a message passes them.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum FailPoint {
            $($(#[$doc])* $name,)*
        }

        impl FailPoint {
            /// Every place.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// What `FAIL_POINT` calls it.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)*
                }
            }
        }
    };
}

fail_points! {
    /// A send came over a socket and was understood.
    SocketDecoded,
    /// A send came over REST and was understood.
    RestDecoded,
    /// Its fields are as they may be.
    Checked,
    /// It has its keyed hash.
    Hashed,
    /// It has its place in the writer's queue.
    Queued,
    /// The writer has taken it with its batch.
    BatchTaken,
    /// The batch is about to get its transaction.
    Beginning,
    /// Its original has been looked for.
    OriginalLookedUp,
    /// Its sender's membership has been looked up.
    MembershipLookedUp,
    /// Its row is in the transaction.
    MessageInserted,
    /// It has its numbers.
    NumbersGiven,
    /// Its event is in the transaction.
    EventInserted,
    /// The body of its request has kept its word.
    Settled,
    /// Its batch is about to be committed.
    Committing,
    /// Its batch is durable, and nobody knows.
    Committed,
    /// The heads in memory know it.
    Merged,
    /// The log has it, and its sender has no answer.
    Published,
    /// All of its batch are answered.
    Answered,
    /// The service has the answer.
    Returned,
    /// The ack is encoded.
    AckEncoded,
    /// The ack is in the connection's queue.
    AckQueued,
    /// The answer to a request over REST is encoded.
    RestEncoded,
    /// Delivery has the event from the log.
    Tailed,
    /// Rosters are about to be read.
    RostersLoading,
    /// Rosters have been read.
    RostersLoaded,
    /// The event is in the tail in memory.
    TailPushed,
    /// Its frame is encoded.
    FrameEncoded,
    /// Its frame is in a connection's queue.
    FrameQueued,
    /// Its frame has been offered to all who are here.
    Offered,
    /// Everything up to it counts as delivered.
    WatermarkMoved,
    /// Frames and acks are about to be written to a connection.
    Flushing,
    /// They have been.
    Flushed,
    /// Heads have been written to their rows.
    HeadsWritten,
    /// That is about to be committed.
    HeadsCommitting,
    /// It is durable, and the heads in memory count as newer.
    HeadsCommitted,
    /// They are forgotten.
    HeadsForgotten,
    /// The log is about to be copied beside the writer.
    Backfilling,
    /// It has been.
    Backfilled,
    /// The writer is about to end a checkpoint.
    Checkpointing,
    /// The log may begin again.
    Checkpointed,
}

/// Says that a place has been reached.
#[inline]
pub fn reached(point: FailPoint) {
    fails(point);
}

/// The same where what comes next may fail; true where it shall.
#[cfg(not(feature = "fail-points"))]
#[inline]
pub fn fails(_: FailPoint) -> bool {
    false
}

#[cfg(feature = "fail-points")]
pub use armed::fails;

#[cfg(feature = "fail-points")]
mod armed {
    use std::io::Write as _;
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::Duration;

    use super::FailPoint;

    /// How long a step waits whose point says so.
    const DELAY: Duration = Duration::from_millis(2);

    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    enum Action {
        Abort,
        Fail,
        Delay,
    }

    #[derive(Debug)]
    struct Armed {
        point: FailPoint,
        hit: u64,
        action: Action,
        hits: AtomicU64,
    }

    static ARMED: LazyLock<Option<Armed>> = LazyLock::new(|| {
        let text = std::env::var("FAIL_POINT").ok()?;
        Some(parse(&text).unwrap_or_else(|| panic!("FAIL_POINT is not name:hit:action: {text}")))
    });

    fn parse(text: &str) -> Option<Armed> {
        let mut parts = text.split(':');
        let name = parts.next()?;
        let point = *FailPoint::ALL.iter().find(|point| point.name() == name)?;
        let hit = parts.next()?.parse().ok()?;
        let action = match parts.next()? {
            "abort" => Action::Abort,
            "fail" => Action::Fail,
            "delay" => Action::Delay,
            _ => return None,
        };
        Some(Armed { point, hit, action, hits: AtomicU64::new(0) })
    }

    /// Says that a place has been reached at which what comes next may fail; true where it shall.
    pub fn fails(point: FailPoint) -> bool {
        let Some(armed) = ARMED.as_ref().filter(|armed| armed.point == point) else { return false };
        let hit = armed.hits.fetch_add(1, Ordering::SeqCst) + 1;
        if hit == armed.hit {
            // Whoever started this process looks for it; without anybody there is nobody to tell.
            let _ = writeln!(std::io::stderr(), "fail point {} reached", point.name());
        }
        match armed.action {
            Action::Abort if hit == armed.hit => std::process::abort(),
            Action::Delay if hit >= armed.hit => {
                std::thread::sleep(DELAY);
                false
            }
            Action::Fail => hit == armed.hit,
            Action::Abort | Action::Delay => false,
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn a_point_is_named_with_its_hit_and_action() {
            let armed = parse("Committed:3:abort").unwrap();
            assert_eq!((armed.point, armed.hit, armed.action), (FailPoint::Committed, 3, Action::Abort));
            for wrong in ["", "Committed", "Nowhere:1:abort", "Committed:x:abort", "Committed:1:sing"] {
                assert!(parse(wrong).is_none(), "{wrong}");
            }
        }
    }
}
