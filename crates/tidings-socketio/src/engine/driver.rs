//! The one task of a session: it moves bytes and time between the transport, the conversation and the handles.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep};

use super::conversation::Conversation;
use super::heartbeat::{Due, Heartbeat};
use super::incoming::{Received, Stop, Verdict, WebSocketInput};
use super::link::Link;
use super::mailbox::{Poll as PollRequest, Post};
use super::message::{Message, Packet};
use super::outgoing::{Flushed, Way};
use super::probe::{Probe, Probed};
use super::stream::Stream;
use crate::close::CloseReason;
use crate::codec::{engine, websocket};
use crate::config::Config;
use crate::frame::SharedFrame;

/// How long a client may take to close its side after ours is closed.
const LINGER: Duration = Duration::from_secs(2);
/// A poll that was sent beside the request that ends the session may come this much after it.
const LATE_POLL: Duration = Duration::from_millis(100);
/// A server that stops waits so long for the next poll: it takes no new connections, so most can send none.
const LAST_POLL: Duration = Duration::from_secs(1);
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

/// What requests have brought.
#[derive(Default)]
pub(super) struct Polling {
    /// The POST whose packets are being taken.
    post: Option<Post>,
    /// A WebSocket that is to replace the requests.
    probe: Option<Probe>,
}

/// The client takes nothing.
#[derive(Clone, Copy)]
struct Stalled {
    since: Instant,
    /// What it had taken by then.
    written_bytes: u64,
}

/// The goodbye: what is queued is written, then each side closes.
struct Closing {
    reason: CloseReason,
    deadline: Instant,
    is_flushed: bool,
    is_shut: bool,
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
        let polls = polling_requests(&self.link);
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
        if polling.probe.as_ref().is_some_and(Probe::is_answered)
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

    /// The application is told, and the goodbye queued behind everything else.
    fn begin_closing(&mut self, reason: CloseReason, now: Instant) -> Option<Box<Closing>> {
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
    fn poll_closing(&mut self, cx: &mut Context<'_>, now: Instant) -> Poll<()> {
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
        for poll in polling_requests(&self.link) {
            if let Err(poll) = self.link.wait(poll) {
                poll.refuse();
            }
        }
        // The client's own goodbye: it polls no more.
        let post = self.link.mailbox.lock().as_mut().and_then(|mailbox| mailbox.take_post());
        let says_goodbye = post.is_some_and(Post::says_goodbye);
        let is_over = says_goodbye
            || self.link.is_poll_cancelled(cx)
            || self.link.flush() != Flushed::Blocked
            || now >= closing.deadline;
        if is_over { Poll::Ready(()) } else { Poll::Pending }
    }

    fn deadline(&self) -> Instant {
        if let Some(closing) = &self.closing {
            return closing.deadline;
        }
        let stalled = self.stalled.map(|stalled| stalled.since + self.config.write_timeout);
        let step = self.conversation.deadline().map(|(deadline, _)| deadline);
        let probe = match &self.input {
            Input::Polling(polling) => polling.probe.as_ref().map(Probe::deadline),
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

fn polling_requests(link: &Link) -> Vec<PollRequest> {
    link.mailbox.lock().as_mut().map(|mailbox| mailbox.take_polls()).unwrap_or_default()
}

impl Polling {
    /// Takes what requests and the probe have brought. Ready with a stream: from here on that is the transport. Ready
    /// without: there was no room for all of it.
    fn receive<C: Conversation>(
        &mut self,
        taker: &mut Taker<'_, C>,
        link: &Link,
        config: &Config,
        cx: &mut Context<'_>,
    ) -> Result<Poll<Option<WebSocketInput>>, CloseReason> {
        if self.post.is_none() {
            self.post = link.mailbox.lock().as_mut().and_then(|mailbox| mailbox.take_post());
        }
        self.take_probe(link, config, cx, taker.now);
        if let Some(post) = &mut self.post {
            for packet in post.packets.by_ref() {
                if let Verdict::Break(stop) = taker.take(packet, cx) {
                    match stop {
                        Stop::Full => {
                            if post.packets.len() == 0 {
                                self.end_post();
                            }
                            return Ok(Poll::Ready(None));
                        }
                        Stop::Close(reason) => {
                            if reason == CloseReason::TransportClosed {
                                self.end_post();
                            }
                            return Err(reason);
                        }
                    }
                }
            }
            self.end_post();
        }
        match self.poll_probe(cx, taker.now) {
            Some(upgraded) => Ok(Poll::Ready(Some(upgraded))),
            None => Ok(Poll::Pending),
        }
    }

    fn take_probe(&mut self, link: &Link, config: &Config, cx: &mut Context<'_>, now: Instant) {
        let Some(input) = link.mailbox.lock().as_mut().and_then(|mailbox| mailbox.take_probe()) else {
            return;
        };
        match self.probe {
            // The first one has its chance; the second is closed.
            Some(_) => Probe::refuse(*input, cx),
            None => self.probe = Some(Probe::new(*input, now + config.upgrade_timeout)),
        }
    }

    fn poll_probe(&mut self, cx: &mut Context<'_>, now: Instant) -> Option<WebSocketInput> {
        match self.probe.as_mut()?.poll(cx, now) {
            Probed::Upgraded => self.probe.take().map(Probe::into_input),
            Probed::Failed => {
                self.probe = None;
                None
            }
            Probed::Waiting => None,
        }
    }

    /// What the probe has said up to this instant, whether the runtime has heard of it or not.
    fn look_at_probe(&mut self, cx: &mut Context<'_>, now: Instant) -> Option<WebSocketInput> {
        self.probe.as_mut()?.read_now();
        self.poll_probe(cx, now)
    }

    /// Also while there is no room for packets.
    fn check_probe_time(&mut self, cx: &mut Context<'_>, now: Instant) {
        if let Some(probe) = self.probe.take_if(|probe| now >= probe.deadline()) {
            Probe::refuse(probe.into_input(), cx);
        }
    }

    fn end_post(&mut self) {
        if let Some(post) = self.post.take() {
            let _ = post.taken.send(());
        }
    }

    /// The session is over: requests with packets are refused, unless one of them has ended it as it may.
    fn end(&mut self, reason: CloseReason) {
        if reason == CloseReason::TransportClosed {
            self.end_post();
        }
        self.post = None;
        if !reason.waits_for_poll() {
            self.probe = None;
        }
    }
}

/// Takes packets for the conversation, and answers those that are the engine's own.
struct Taker<'a, C> {
    conversation: &'a mut C,
    heartbeat: &'a mut Heartbeat,
    link: &'a Link,
    now: Instant,
}

impl<C: Conversation> Taker<'_, C> {
    fn on_websocket(&mut self, message: websocket::Message, cx: &mut Context<'_>) -> Verdict {
        match message {
            websocket::Message::Text(text) => self.take(Packet::Text(text), cx),
            websocket::Message::Binary(bytes) => self.take(Packet::Binary(bytes), cx),
            websocket::Message::Ping(payload) => {
                self.link.send_from_task(SharedFrame::websocket_pong(&payload));
                Verdict::Continue(())
            }
            websocket::Message::Pong => Verdict::Continue(()),
            websocket::Message::Close => Verdict::Break(Stop::Close(CloseReason::TransportClosed)),
        }
    }

    fn take(&mut self, packet: Packet, cx: &mut Context<'_>) -> Verdict {
        match self.on_packet(packet, cx) {
            Err(reason) => Verdict::Break(Stop::Close(reason)),
            Ok(()) if self.conversation.has_room() => Verdict::Continue(()),
            Ok(()) => Verdict::Break(Stop::Full),
        }
    }

    fn on_packet(&mut self, packet: Packet, cx: &mut Context<'_>) -> Result<(), CloseReason> {
        let text = match packet {
            Packet::Text(text) => text,
            Packet::Binary(bytes) => {
                return self.conversation.on_message(Message::Binary(bytes), cx, self.now);
            }
        };
        match engine::decode(&text).map_err(|_| CloseReason::ParseError)? {
            engine::Packet::Message(_) => self.conversation.on_message(Message::Text(text), cx, self.now),
            engine::Packet::Pong(_) => {
                self.heartbeat.on_pong(self.now);
                Ok(())
            }
            engine::Packet::Close => Err(CloseReason::TransportClosed),
            // Of an upgrade that is over, or was not asked for; the Node server ignores them too.
            engine::Packet::Upgrade | engine::Packet::Noop => Ok(()),
            // Only servers send these.
            engine::Packet::Open | engine::Packet::Ping(_) => Err(CloseReason::ParseError),
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
