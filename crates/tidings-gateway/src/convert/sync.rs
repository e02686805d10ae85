//! Catch-up.

use tidings_core::error::Code;
use tidings_core::events::Event;
use tidings_core::ids::{Pos, StreamId, UserId};
use tidings_core::ports::store::SkippedStream;
use tidings_core::sync::{ResetReason, StreamGap, SyncPage};
use tidings_protocol::sync as wire;

use crate::decode::DecodeError;

use super::events;
use super::ids::KnownForm;

/// A page of what a device has missed.
pub fn sync_page(page: &SyncPage) -> wire::SyncResponse {
    wire::SyncResponse {
        events: page.events.iter().map(|event| sync_event(event)).collect(),
        next: Some(page.next.to_string()),
        has_more: page.has_more,
        skipped: page.skipped.iter().map(skipped_stream).collect(),
        reset: page.reset.map(|reason| ResetReason::as_str(reason).to_owned()),
    }
}

/// The events that fill a gap. They do not move the device's token.
pub fn stream_gap(gap: &StreamGap) -> wire::SyncResponse {
    wire::SyncResponse {
        events: gap.events.iter().map(|event| sync_event(event)).collect(),
        next: None,
        has_more: gap.has_more,
        skipped: Vec::new(),
        reset: None,
    }
}

/// A stream that the device loads anew.
pub fn skipped_stream(skipped: &SkippedStream) -> wire::SkippedStream {
    wire::SkippedStream {
        stream: skipped.stream.to_string(),
        pos: skipped.pos.0,
        last_seq: skipped.last_seq.0,
    }
}

fn sync_event(event: &Event) -> wire::SyncEvent {
    let frame = events::frame(event, None);
    wire::SyncEvent { event: frame.own.name().to_owned(), frame }
}

/// What a catch-up is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// Everything after a token; without one the present token.
    Since(Option<String>),
    /// One stream after a position.
    Stream(StreamId, Pos),
}

/// Reads `since` or else `stream` with `after`, from REST or a socket.
///
/// # Errors
/// [`Code::Invalid`] for both at once, [`Code::MissingField`] for one half of the second.
pub fn wanted(
    since: Option<String>,
    stream: Option<&str>,
    after: Option<u64>,
) -> Result<Wanted, DecodeError> {
    match (since, stream, after) {
        (since, None, None) => Ok(Wanted::Since(since)),
        (None, Some(stream), Some(after)) => {
            // As with ids: text that names no stream is a stream of nobody.
            let stream = stream.parse().unwrap_or(StreamId::User(UserId::NOBODY));
            Ok(Wanted::Stream(stream, Pos(after)))
        }
        (None, Some(_), None) => {
            Err(DecodeError::of_field("/after", Code::MissingField, "is needed with stream"))
        }
        (None, None, Some(_)) => {
            Err(DecodeError::of_field("/stream", Code::MissingField, "is needed with after"))
        }
        (Some(_), _, _) => {
            Err(DecodeError::of_field("/since", Code::Invalid, "either since, or stream and after"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_catch_up_is_by_token_or_by_stream() {
        assert_eq!(wanted(None, None, None), Ok(Wanted::Since(None)));
        assert_eq!(wanted(Some("t".into()), None, None), Ok(Wanted::Since(Some("t".into()))));
        assert_eq!(
            wanted(None, Some("nonsense"), Some(3)),
            Ok(Wanted::Stream(StreamId::User(UserId::NOBODY), Pos(3)))
        );
        let pointer = |since: Option<&str>, stream, after| {
            wanted(since.map(str::to_owned), stream, after).unwrap_err().fields.remove(0).pointer
        };
        assert_eq!(pointer(None, Some("s"), None), "/after");
        assert_eq!(pointer(None, None, Some(1)), "/stream");
        assert_eq!(pointer(Some("t"), Some("s"), Some(1)), "/since");
    }
}
