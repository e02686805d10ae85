//! Bringing back a device that was away: one small token resumes it in all its streams.

mod catch_up;
mod recovery;
mod stream;
mod token;

use std::borrow::Cow;
use std::sync::Arc;

pub use recovery::RecoveryIds;
pub use stream::StreamGap;
pub use token::{Replay, Token, TokenError};

use crate::error::{Code, FieldError, Refusal, StoreError, code_of};
use crate::events::Event;
use crate::ids::LogId;
use crate::ports::store::SkippedStream;

/// A page of what a device has missed.
#[derive(Debug, Clone)]
pub struct SyncPage {
    /// In log order, folded to the last event per thing.
    pub events: Vec<Arc<Event>>,
    /// Continues after this page.
    pub next: Token,
    /// There are more pages.
    pub has_more: bool,
    /// It goes on with a catch-up whose end was set by an earlier page: more may have happened since.
    pub is_continued: bool,
    /// Streams that the device has to load anew.
    pub skipped: Vec<SkippedStream>,
    /// The device has to load everything anew; `next` is the present.
    pub reset: Option<ResetReason>,
    /// Live events at or below this place in the log are part of this catch-up already.
    pub through: LogId,
}

/// Why a device has to start over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResetReason {
    /// The token cannot be read.
    TokenUnreadable,
    /// The token is of another data set, or of a future that this one has not seen.
    EpochChanged,
    /// What the token needs is no longer kept.
    TooOld,
    /// More streams changed than are replayed.
    TooMuchChanged,
}

impl ResetReason {
    /// The name on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TokenUnreadable => "token_unreadable",
            Self::EpochChanged => "epoch_changed",
            Self::TooOld => "too_old",
            Self::TooMuchChanged => "too_much_changed",
        }
    }
}

/// Why a catch-up was refused.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// A parameter breaks a rule.
    #[error("a parameter breaks a rule")]
    Invalid(Vec<FieldError>),
    /// The stream is not one of the asker's.
    #[error("not found")]
    NotFound,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Refusal for Error {
    fn code(&self) -> Code {
        match self {
            Self::Invalid(fields) => code_of(fields),
            Self::NotFound => Code::NotFound,
            Self::Store(error) => error.code(),
        }
    }

    fn detail(&self) -> Cow<'static, str> {
        match self {
            Self::Invalid(_) => "See errors: each names a parameter and what it may be.".into(),
            Self::NotFound => "There is no such stream among yours.".into(),
            Self::Store(error) => error.detail(),
        }
    }

    fn fields(&self) -> &[FieldError] {
        match self {
            Self::Invalid(fields) => fields,
            _ => &[],
        }
    }
}
