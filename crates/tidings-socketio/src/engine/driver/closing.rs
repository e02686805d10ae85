//! The end of a session: its last words, by whichever transport the client still listens to.

use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::Instant;

use super::{Driver, Input};
use crate::close::CloseReason;
use crate::codec::engine;
use crate::engine::conversation::Conversation;
use crate::engine::incoming::WebSocketInput;
use crate::engine::mailbox::{Mailbox, Post};
use crate::engine::outgoing::Flushed;
use crate::frame::SharedFrame;

/// How long a client may take to close its side after ours is closed.
const LINGER: Duration = Duration::from_secs(2);
/// A poll that was sent beside the request that ends the session may come this much after it.
const LATE_POLL: Duration = Duration::from_millis(100);
/// A server that stops waits so long for the next poll: it takes no new connections, so most can send none.
const LAST_POLL: Duration = Duration::from_secs(1);

/// The goodbye: what is queued is written, then each side closes.
pub(super) struct Closing {
    reason: CloseReason,
    pub(super) deadline: Instant,
    is_flushed: bool,
    is_shut: bool,
}

impl<C: Conversation> Driver<C> {
    /// The application is told, and the goodbye queued behind everything else.
    pub(super) fn begin_closing(&mut self, reason: CloseReason, now: Instant) -> Option<Box<Closing>> {
        self.conversation.leave(reason);
        self.link.end();
        let id = self.link.engine_id();
        tracing::debug!(connection.id = %id, close.reason = reason.code(), "a connection closes");
        let deadline = now + self.config.write_timeout;
        let mut closing = Closing { reason, deadline, is_flushed: false, is_shut: false };
        match &mut self.input {
            Input::WebSocket(_) => {
                self.link.send_last(SharedFrame::websocket_close(reason.websocket_code()?, reason.code()));
            }
            Input::Polling(polling) => {
                polling.end(reason);
                if reason == CloseReason::TransportClosed {
                    // The client has said goodbye itself; only a poll of its may still be open.
                    self.link.send_last(SharedFrame::engine(engine::NOOP));
                    closing.deadline = now + LATE_POLL;
                } else {
                    self.link.send_last(SharedFrame::engine(engine::CLOSE));
                    if reason == CloseReason::ServerShutdown {
                        closing.deadline = now + LAST_POLL;
                    } else if !reason.waits_for_poll() {
                        closing.deadline = now;
                    }
                }
            }
        }
        Some(Box::new(closing))
    }

    /// Ready when the goodbye is over, or has taken too long.
    pub(super) fn poll_closing(&mut self, cx: &mut Context<'_>, now: Instant) -> Poll<()> {
        if matches!(self.input, Input::Polling(_)) {
            if let Some(upgraded) = self.poll_late_probe(cx, now) {
                // The client has left polling behind: what it is to be told goes there.
                self.upgrade(upgraded);
                let reason = self.closing.as_ref().map_or(CloseReason::Internal, |closing| closing.reason);
                if let Some(code) = reason.websocket_code() {
                    self.link.send_last(SharedFrame::websocket_close(code, reason.code()));
                }
            } else {
                return self.poll_last_poll(cx, now);
            }
        }
        let is_flushed = self.closing.as_ref().is_none_or(|closing| closing.is_flushed);
        let flushed = if is_flushed { Flushed::All } else { self.write(cx) };
        let (Some(closing), Input::WebSocket(input)) = (&mut self.closing, &mut self.input) else {
            return Poll::Ready(());
        };
        if now >= closing.deadline {
            return Poll::Ready(());
        }
        match flushed {
            Flushed::Blocked => return Poll::Pending,
            Flushed::Failed => return Poll::Ready(()),
            Flushed::All if !closing.is_flushed => {
                closing.is_flushed = true;
                closing.deadline = closing.deadline.min(now + LINGER);
            }
            Flushed::All => {}
        }
        if !closing.is_shut {
            if input.stream.poll_shutdown(cx).is_pending() {
                return Poll::Pending;
            }
            closing.is_shut = true;
        }
        input.poll_end(cx)
    }

    /// A client that is just moving to a WebSocket polls no more: it is told there.
    fn poll_late_probe(&mut self, cx: &mut Context<'_>, now: Instant) -> Option<WebSocketInput> {
        let Input::Polling(polling) = &mut self.input else { return None };
        if !self.closing.as_ref()?.reason.waits_for_poll() {
            return None;
        }
        polling.take_probe(&self.link, &self.config, cx, now);
        polling.poll_probe(cx, now)
    }

    /// What is queued goes out with polls, and then the word that it was the last one.
    fn poll_last_poll(&mut self, cx: &mut Context<'_>, now: Instant) -> Poll<()> {
        let Some(closing) = &mut self.closing else { return Poll::Ready(()) };
        for poll in self.link.with_mailbox(Mailbox::take_polls).unwrap_or_default() {
            if let Err(poll) = self.link.wait(poll) {
                poll.refuse();
            }
        }
        // The client's own goodbye: it polls no more. After a mistake of its own it is too late for one.
        let post = self.link.with_mailbox(Mailbox::take_post).flatten();
        let says_goodbye = closing.reason.waits_for_poll() && post.is_some_and(Post::says_goodbye);
        let is_over = says_goodbye
            || self.link.is_poll_cancelled(cx)
            || self.link.flush() != Flushed::Blocked
            || now >= closing.deadline;
        if is_over { Poll::Ready(()) } else { Poll::Pending }
    }
}
