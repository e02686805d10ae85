//! The one task of a session: it moves bytes and time between the transport, the conversation and the handles.

mod closing;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::time::{Instant, Sleep};

use closing::Closing;

use super::conversation::Conversation;
use super::heartbeat::{Due, Heartbeat};
use super::incoming::{Received, WebSocketInput};
use super::link::Link;
use super::mailbox::{Mailbox, Poll as PollRequest};
use super::outgoing::{Flushed, Way};
use super::polling::Polling;
use super::stream::Stream;
use super::taker::Taker;
use crate::close::CloseReason;
use crate::codec::engine;
use crate::config::Config;
use crate::frame::SharedFrame;

/// Rounds of reading and working in one poll; then other connections get their turn.
const ROUNDS_PER_TURN_MAX: usize = 8;

/// The session's task, as a future that is ready when the session has ended and everybody has been told.
pub(super) struct Driver<C: Conversation> {
    input: Input,
    conversation: C,
    heartbeat: Heartbeat,
    link: Arc<Link>,
    config: Arc<Config>,
    /// Since when the client has not taken a byte, while there are some for it.
    stalled: Option<Stalled>,
    closing: Option<Box<Closing>>,
    /// One timer for everything: it is set to the earliest deadline, and looked at anew when it rings.
    timer: Pin<Box<Sleep>>,
}

/// Where packets come from.
pub(super) enum Input {
    /// From requests.
    Polling(Box<Polling>),
    /// From a stream.
    WebSocket(Box<WebSocketInput>),
}

/// The client takes nothing.
#[derive(Clone, Copy)]
struct Stalled {
    since: Instant,
    /// What it had taken by then.
    written_bytes: u64,
}

impl<C: Conversation> Driver<C> {
    pub(super) fn new(
        input: Input,
        conversation: C,
        link: Arc<Link>,
        config: Arc<Config>,
        now: Instant,
    ) -> Self {
        Self {
            input,
            conversation,
            heartbeat: Heartbeat::new(config.ping_interval, config.ping_timeout, now),
            link,
            config,
            stalled: None,
            closing: None,
            timer: Box::pin(tokio::time::sleep_until(now)),
        }
    }

    fn poll_open(&mut self, cx: &mut Context<'_>, now: Instant) -> Result<(), CloseReason> {
        self.check_wish()?;
        self.exchange(cx, now)?;
        self.check_time(cx, now)?;
        self.take_polls(cx, now)?;
        self.flush(cx, now)?;
        // The conversation's own frames may have been one too many.
        self.check_wish()
    }

    fn check_wish(&self) -> Result<(), CloseReason> {
        self.link.close_wish().map_or(Ok(()), Err)
    }

    /// Takes packets and lets handlers work, until there is nothing to read or no room for it.
    fn exchange(&mut self, cx: &mut Context<'_>, now: Instant) -> Result<(), CloseReason> {
        for _ in 0..ROUNDS_PER_TURN_MAX {
            self.conversation.poll_work(cx, now)?;
            if !self.conversation.has_room() {
                self.heartbeat.on_unread(now);
                return Ok(());
            }
            match self.receive(cx, now)? {
                // Once more, for what was begun just now.
                Poll::Pending => {
                    self.heartbeat.on_read();
                    return self.conversation.poll_work(cx, now);
                }
                Poll::Ready(Received::Full) => {}
                Poll::Ready(Received::More) => {
                    // A pong may be behind what this turn could take.
                    self.heartbeat.on_unread(now);
                    break;
                }
            }
        }
        cx.waker().wake_by_ref();
        Ok(())
    }

    fn receive(&mut self, cx: &mut Context<'_>, now: Instant) -> Result<Poll<Received>, CloseReason> {
        let Self { input, conversation, heartbeat, link, config, .. } = self;
        let waker = cx.waker().clone();
        let mut taker = Taker { conversation, heartbeat, link, now };
        match input {
            Input::WebSocket(input) => {
                let received = input.poll_receive(cx, |message| {
                    let mut cx = Context::from_waker(&waker);
                    taker.on_websocket(message, &mut cx)
                });
                match received {
                    Poll::Pending => Ok(Poll::Pending),
                    Poll::Ready(received) => received.map(Poll::Ready),
                }
            }
            Input::Polling(polling) => {
                let upgraded = polling.receive(&mut taker, link, config, cx)?;
                match upgraded {
                    Poll::Pending => return Ok(Poll::Pending),
                    Poll::Ready(None) => {}
                    Poll::Ready(Some(upgraded)) => self.upgrade(upgraded),
                }
                Ok(Poll::Ready(Received::Full))
            }
        }
    }

    /// The WebSocket is the transport from here on.
    fn upgrade(&mut self, mut input: WebSocketInput) {
        if let Some(waiting) = self.link.upgrade(input.stream.take_writer()) {
            waiting.answer(engine::NOOP);
        }
        self.input = Input::WebSocket(Box::new(input));
    }

    fn check_time(&mut self, cx: &mut Context<'_>, now: Instant) -> Result<(), CloseReason> {
        if let Input::Polling(polling) = &mut self.input {
            polling.check_probe_time(cx, now);
        }
        // Both at once where the client has been gone for longer than it may.
        loop {
            match self.heartbeat.due(now) {
                Due::Nothing => break,
                Due::Ping => self.link.send_from_task(SharedFrame::ping()),
                Due::TimedOut => return Err(CloseReason::PingTimeout),
            }
        }
        match self.conversation.deadline() {
            Some((deadline, reason)) if now >= deadline => Err(reason),
            _ => Ok(()),
        }
    }

    /// Polls wait for frames, one at a time.
    fn take_polls(&mut self, cx: &mut Context<'_>, now: Instant) -> Result<(), CloseReason> {
        let polls = self.link.with_mailbox(Mailbox::take_polls).unwrap_or_default();
        if !polls.is_empty()
            && let Input::Polling(polling) = &mut self.input
            && let Some(upgraded) = polling.look_at_probe(cx, now)
        {
            self.upgrade(upgraded);
            // What came behind the upgrade is still to be taken.
            cx.waker().wake_by_ref();
        }
        let Input::Polling(polling) = &self.input else {
            polls.into_iter().for_each(PollRequest::refuse);
            return Ok(());
        };
        for poll in polls {
            if let Err(poll) = self.link.wait(poll) {
                poll.refuse();
                return Err(CloseReason::PollOverlap);
            }
        }
        if self.link.is_poll_cancelled(cx) {
            return Err(CloseReason::TransportError);
        }
        // The client stops polling as soon as it hears that the new transport works.
        if polling.is_probe_answered()
            && self.link.queue_bytes() == 0
            && let Some(waiting) = self.link.take_waiting()
        {
            waiting.answer(engine::NOOP);
        }
        Ok(())
    }

    fn flush(&mut self, cx: &mut Context<'_>, now: Instant) -> Result<(), CloseReason> {
        match self.write(cx) {
            Flushed::All => self.stalled = None,
            Flushed::Failed => return Err(CloseReason::TransportError),
            // The client polls when it likes: the heartbeat tells whether it still does.
            Flushed::Blocked if matches!(self.input, Input::Polling(_)) => {}
            Flushed::Blocked => {
                let written_bytes = self.link.written_bytes();
                let stalled = self.stalled.filter(|stalled| stalled.written_bytes == written_bytes);
                let Stalled { since, .. } =
                    *self.stalled.insert(stalled.unwrap_or(Stalled { since: now, written_bytes }));
                if now >= since + self.config.write_timeout {
                    return Err(CloseReason::WriteTimeout);
                }
            }
        }
        Ok(())
    }

    /// Writes what is queued; when the client takes no more, the task is woken as soon as it does.
    fn write(&mut self, cx: &mut Context<'_>) -> Flushed {
        loop {
            let Input::WebSocket(input) = &mut self.input else { return self.link.flush() };
            if let Stream::Other(stream) = &mut input.stream {
                return self.link.flush_to(&mut Way { stream: &mut **stream, cx });
            }
            let flushed = self.link.flush();
            if flushed != Flushed::Blocked || input.stream.poll_writable(cx).is_pending() {
                return flushed;
            }
        }
    }

    fn deadline(&self) -> Instant {
        if let Some(closing) = &self.closing {
            return closing.deadline;
        }
        let stalled = self.stalled.map(|stalled| stalled.since + self.config.write_timeout);
        let step = self.conversation.deadline().map(|(deadline, _)| deadline);
        let probe = match &self.input {
            Input::Polling(polling) => polling.probe_deadline(),
            Input::WebSocket(_) => None,
        };
        [step, stalled, probe].into_iter().flatten().fold(self.heartbeat.deadline(), Instant::min)
    }

    /// Sees to it that the task is woken at its deadline. A deadline that moved away is left to ring once in vain:
    /// cheaper than moving the timer with every message.
    fn arm_timer(&mut self, cx: &mut Context<'_>) {
        let deadline = self.deadline();
        if deadline < self.timer.deadline() || self.timer.is_elapsed() {
            self.timer.as_mut().reset(deadline);
        }
        if self.timer.as_mut().poll(cx).is_ready() {
            cx.waker().wake_by_ref();
        }
    }
}

impl<C: Conversation> Future for Driver<C> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        this.link.register(cx.waker());
        let now = Instant::now();
        if this.link.is_aborted() {
            this.conversation.leave(CloseReason::ServerShutdown);
            return Poll::Ready(());
        }
        if this.closing.is_none()
            && let Err(reason) = this.poll_open(cx, now)
        {
            this.closing = this.begin_closing(reason, now);
            if this.closing.is_none() {
                return Poll::Ready(());
            }
        }
        if this.closing.is_some() && this.poll_closing(cx, now).is_ready() {
            return Poll::Ready(());
        }
        this.arm_timer(cx);
        Poll::Pending
    }
}

impl<C: Conversation> Drop for Driver<C> {
    /// Also when the task ended without saying so: a handler panicked, or the runtime stops.
    fn drop(&mut self) {
        self.conversation.leave(CloseReason::Internal);
        self.link.clear();
    }
}
