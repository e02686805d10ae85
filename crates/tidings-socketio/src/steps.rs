//! The last steps of a frame, for tests that let the process die at one of them. Without the feature `fail-points`
//! nobody is told and reaching one costs nothing.

/// A step that only this crate sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// An acknowledgement is in the connection's queue.
    AckQueued,
    /// What is queued is about to be written.
    Flushing,
    /// Some of it has been.
    Flushed,
}

#[cfg(feature = "fail-points")]
static OBSERVER: std::sync::OnceLock<fn(Step)> = std::sync::OnceLock::new();

/// Is told of every step of all connections of this process. The first observer stays.
#[cfg(feature = "fail-points")]
pub fn observe(observer: fn(Step)) {
    OBSERVER.get_or_init(|| observer);
}

#[inline]
pub(crate) fn reached(step: Step) {
    #[cfg(feature = "fail-points")]
    if let Some(observer) = OBSERVER.get() {
        observer(step);
    }
    #[cfg(not(feature = "fail-points"))]
    let _ = step;
}
