//! The one task of a connection: it moves bytes and time between the transport, the session and the handles.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, Sleep};

use super::Link;
use super::heartbeat::Due;
use super::session::Session;
use crate::close::CloseReason;
use crate::codec::websocket::Limits;
use crate::codec::{engine, socket};
use crate::config::Config;
use crate::frame::SharedFrame;
use crate::handler::{Handler, Peer};
use crate::id::ConnectionId;
use crate::transport::websocket::{Received, WebSocketTransport};

/// How long a client may take to close its side after ours is closed.
const LINGER: Duration = Duration::from_secs(2);
/// Rounds of reading and working in one poll; then other connections get their turn.
const ROUNDS_PER_TURN_MAX: usize = 8;

/// The connection's task, as a future that is ready when the connection has ended and everybody has been told.
pub(crate) struct Driver<H: Handler, I> {
    transport: WebSocketTransport<I>,
    session: Session<H>,
    link: Arc<Link>,
    write_timeout: Duration,
    /// Since when the client has not taken a byte, while there are some for it.
    stalled_since: Option<Instant>,
    closing: Option<Closing>,
    /// One timer for everything: it is set to the earliest deadline, and looked at anew when it rings.
    timer: Pin<Box<Sleep>>,
}

/// The goodbye: what is queued is written, then each side closes.
struct Closing {
    deadline: Instant,
    is_flushed: bool,
    is_shut: bool,
}

impl<H: Handler, I: AsyncRead + AsyncWrite + Unpin> Driver<H, I> {
    /// A connection whose WebSocket handshake is done, with what was read beyond it. `engine_id` is told to the
    /// client in the open packet.
    pub(crate) fn new(
        io: I,
        read_ahead: &[u8],
        engine_id: &ConnectionId,
        peer: Peer,
        link: Arc<Link>,
        handler: Arc<H>,
        config: Arc<Config>,
    ) -> Self {
        let now = Instant::now();
        let limits =
            Limits { message_bytes_max: config.payload_bytes_max, fragments_max: config.fragments_max };
        link.send_from_task(SharedFrame::open(&engine::open(engine_id, &config)));
        Self {
            transport: WebSocketTransport::new(io, read_ahead, limits),
            write_timeout: config.write_timeout,
            session: Session::new(handler, Arc::clone(&link), config, peer, now),
            link,
            stalled_since: None,
            closing: None,
            timer: Box::pin(tokio::time::sleep_until(now)),
        }
    }

    fn poll_open(&mut self, cx: &mut Context<'_>, now: Instant) -> Result<(), CloseReason> {
        self.check_wish()?;
        self.exchange(cx, now)?;
        self.check_time(now)?;
        self.flush(cx, now)?;
        // The session's own frames may have been one too many.
        self.check_wish()
    }

    fn check_wish(&self) -> Result<(), CloseReason> {
        self.link.close_wish().map_or(Ok(()), Err)
    }

    /// Takes messages and lets handlers work, until there is nothing to read or no room for it.
    fn exchange(&mut self, cx: &mut Context<'_>, now: Instant) -> Result<(), CloseReason> {
        let waker = cx.waker().clone();
        for _ in 0..ROUNDS_PER_TURN_MAX {
            self.session.poll_work(cx)?;
            if !self.session.has_room() {
                self.session.heartbeat.on_unread(now);
                return Ok(());
            }
            let session = &mut self.session;
            let take = |message| session.take(message, &mut Context::from_waker(&waker), now);
            match self.transport.poll_receive(cx, take) {
                // Once more, for what was begun just now.
                Poll::Pending => return self.session.poll_work(cx),
                Poll::Ready(Ok(Received::Full)) => {}
                Poll::Ready(Ok(Received::More)) => break,
                Poll::Ready(Err(reason)) => return Err(reason),
            }
        }
        cx.waker().wake_by_ref();
        Ok(())
    }

    fn check_time(&mut self, now: Instant) -> Result<(), CloseReason> {
        match self.session.heartbeat.due(now) {
            Due::Nothing => {}
            Due::Ping => self.link.send_from_task(SharedFrame::ping()),
            Due::TimedOut => return Err(CloseReason::PingTimeout),
        }
        match self.session.step_deadline {
            Some(deadline) if now >= deadline => Err(self.session.step_timeout_reason()),
            _ => Ok(()),
        }
    }

    fn flush(&mut self, cx: &mut Context<'_>, now: Instant) -> Result<(), CloseReason> {
        let mut progress = false;
        match self.transport.poll_flush(cx, &self.link, &mut progress) {
            Poll::Ready(Ok(())) => self.stalled_since = None,
            Poll::Ready(Err(_)) => return Err(CloseReason::TransportError),
            Poll::Pending if progress => self.stalled_since = Some(now),
            Poll::Pending => {
                let since = *self.stalled_since.get_or_insert(now);
                if now >= since + self.write_timeout {
                    return Err(CloseReason::WriteTimeout);
                }
            }
        }
        Ok(())
    }

    /// The application is told, and the goodbye queued behind everything else.
    fn begin_closing(&mut self, reason: CloseReason, now: Instant) -> Option<Closing> {
        let was_joined = self.session.is_joined();
        self.session.leave(reason);
        tracing::debug!(connection.id = %self.link.id(), close.reason = reason.code(), "a connection closes");
        let code = reason.websocket_code()?;
        if was_joined && matches!(reason, CloseReason::ServerDisconnected(_)) {
            self.link.send_last(SharedFrame::packet(socket::DISCONNECT, 0));
        }
        self.link.send_last(SharedFrame::websocket_close(code, reason.code()));
        Some(Closing { deadline: now + self.write_timeout, is_flushed: false, is_shut: false })
    }

    /// Ready when the goodbye is over, or has taken too long.
    fn poll_closing(&mut self, cx: &mut Context<'_>, now: Instant) -> Poll<()> {
        let Some(closing) = &mut self.closing else { return Poll::Ready(()) };
        if now >= closing.deadline {
            return Poll::Ready(());
        }
        if !closing.is_flushed {
            match self.transport.poll_flush(cx, &self.link, &mut false) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(_)) => return Poll::Ready(()),
                Poll::Ready(Ok(())) => {
                    closing.is_flushed = true;
                    closing.deadline = closing.deadline.min(now + LINGER);
                }
            }
        }
        self.transport.poll_shutdown(cx, &mut closing.is_shut)
    }

    fn deadline(&self) -> Instant {
        if let Some(closing) = &self.closing {
            return closing.deadline;
        }
        let stalled = self.stalled_since.map(|since| since + self.write_timeout);
        let others = [self.session.step_deadline, stalled].into_iter().flatten();
        others.fold(self.session.heartbeat.deadline(), Instant::min)
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

impl<H: Handler, I: AsyncRead + AsyncWrite + Unpin> Future for Driver<H, I> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        this.link.register(cx.waker());
        let now = Instant::now();
        if this.link.is_aborted() {
            this.session.leave(CloseReason::ServerShutdown);
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

impl<H: Handler, I> Drop for Driver<H, I> {
    fn drop(&mut self) {
        self.link.clear();
    }
}
