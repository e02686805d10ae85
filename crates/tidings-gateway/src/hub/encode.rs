//! Events as frames: one object, and where there is a token in it the token once more as the last argument, where
//! Socket.IO's own recovery looks for it.

use serde::Serialize;
use tidings_core::events::Event;
use tidings_core::sync::Token;
use tidings_socketio::SharedFrame;

use crate::convert::events;
use crate::json::to_json;

/// The one frame of an event for everybody who is live.
pub(crate) fn encode_live(event: &Event, next: &Token) -> SharedFrame {
    let frame = events::frame(event, Some(next));
    encode_with_token(frame.own.name(), &frame, next, event.log_id.0)
}

/// An event of a replay. It carries no token: the page's own follows it.
pub(crate) fn encode_replayed(event: &Event) -> SharedFrame {
    let frame = events::frame(event, None);
    SharedFrame::event(frame.own.name(), &to_json(&frame), 0)
}

/// Whatever says where the device stands.
pub(crate) fn encode_with_token(name: &str, body: &impl Serialize, next: &Token, tag: u64) -> SharedFrame {
    SharedFrame::event(name, &format!("{},\"{next}\"", to_json(body)), tag)
}
