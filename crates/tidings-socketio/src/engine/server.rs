//! The server below both protocols: answers requests, keeps the list of sessions, and ends them all when asked.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll as TaskPoll, Waker};
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCESS_CONTROL_REQUEST_HEADERS, CONTENT_TYPE, ORIGIN};
use http::{HeaderValue, Request};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::Body;
use parking_lot::Mutex;
use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, timeout};

use super::conversation::Protocol;
use super::driver::{Driver, Input};
use super::flusher::{Flusher, Stats};
use super::incoming::WebSocketInput;
use super::link::Link;
use super::mailbox::{Answer as PollAnswer, Coming, Mailbox, Poll, Post, Posting};
use super::message::read_payload;
use super::outgoing::To;
use super::polling::Polling;
use super::probe::Probe;
use super::request::{self, Answer, Asked, Refusal};
use super::stream::{AnyStream, Stream, upgraded};
use crate::addresses::{Addresses, Taken};
use crate::close::CloseReason;
use crate::codec::engine;
use crate::config::Config;
use crate::frame::SharedFrame;
use crate::id::ConnectionId;
use crate::peer::Peer;

/// At least so long between two that are told to go, so that they do not all come back in one instant.
const DRAIN_STEP: Duration = Duration::from_millis(5);

/// A server of one protocol over Engine.IO. Cloning it counts one reference.
pub(crate) struct Core<P: Protocol> {
    shared: Arc<Shared<P>>,
}

struct Shared<P> {
    config: Arc<Config>,
    protocol: P,
    flusher: Arc<Flusher>,
    sessions: Mutex<Sessions>,
    addresses: Addresses,
    /// Notified whenever a session has ended.
    ended: Notify,
}

#[derive(Default)]
struct Sessions {
    /// By the id that requests name. It is not the public id of a connection: who knows this one acts for the client.
    by_engine_id: HashMap<ConnectionId, Arc<Link>>,
    is_shutting_down: bool,
}

impl<P: Protocol> Core<P> {
    pub(crate) fn new(config: Arc<Config>, protocol: P) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let flusher = Flusher::new(cores);
        let shared = Shared {
            config,
            protocol,
            flusher,
            sessions: Mutex::default(),
            addresses: Addresses::default(),
            ended: Notify::new(),
        };
        Self { shared: Arc::new(shared) }
    }

    pub(crate) async fn handle<B>(&self, mut request: Request<B>, remote_addr: SocketAddr) -> Answer
    where
        B: Body<Data = Bytes> + Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let origin = request.headers().get(ORIGIN).cloned();
        let answer = match request::read(&request, &self.shared.config) {
            Ok(Asked::OpenWebSocket(accept_key)) => {
                return self.open_websocket(&mut request, remote_addr, accept_key);
            }
            Ok(Asked::Upgrade(sid)) => {
                return self.upgrade(&mut request, &sid).unwrap_or_else(Refusal::response);
            }
            Ok(Asked::Open) => self.open_polling(&mut request, remote_addr),
            Ok(Asked::Poll(sid)) => self.poll(&sid).await,
            Ok(Asked::Post(sid)) => self.post(request, &sid).await,
            Ok(Asked::Preflight) => {
                Ok(request::preflight(request.headers().get(ACCESS_CONTROL_REQUEST_HEADERS).cloned()))
            }
            Err(refusal) => Err(refusal),
        };
        let mut answer = answer.unwrap_or_else(Refusal::response);
        request::share(&mut answer, &self.shared.config.allowed_origins, origin);
        answer
    }

    /// Serves a stream whose WebSocket handshake somebody else has done, until the session has ended. A server that is
    /// full or stops drops it at once.
    pub(crate) async fn serve_stream(&self, io: impl AnyStream + 'static, peer: Peer) {
        if let Ok(slot) = Slot::take(&self.shared, peer.remote_addr, To::Nobody) {
            let driver = slot.serve(Stream::Other(Box::new(io)), &[], peer);
            slot.run(driver).await;
        }
    }

    pub(super) fn config(&self) -> &Config {
        &self.shared.config
    }

    pub(super) fn take_slot(&self, remote_addr: SocketAddr, to: To) -> Result<Slot<P>, Refusal> {
        Slot::take(&self.shared, remote_addr, to)
    }

    pub(crate) fn stats(&self) -> Stats {
        self.shared.flusher.stats()
    }

    pub(crate) fn session_count(&self) -> usize {
        self.shared.sessions.lock().by_engine_id.len()
    }

    fn open_websocket<B>(
        &self,
        request: &mut Request<B>,
        remote_addr: SocketAddr,
        accept_key: HeaderValue,
    ) -> Answer {
        let slot = match Slot::take(&self.shared, remote_addr, To::Nobody) {
            Ok(slot) => slot,
            Err(refusal) => return refusal.response(),
        };
        let upgrade = hyper::upgrade::on(&mut *request);
        let peer = Peer::of(request, remote_addr);
        tokio::spawn(async move {
            // A client that never reads the answer must not keep its place.
            let upgraded = upgraded(upgrade, slot.shared.config.connect_timeout).await;
            if let Some((stream, read_ahead)) = upgraded {
                let driver = slot.serve(stream, &read_ahead, peer);
                // A task of its own: this one has room for the upgrade and for what it read.
                tokio::spawn(slot.run(driver));
            }
        });
        request::switching_protocols(accept_key)
    }

    fn open_polling<B>(&self, request: &mut Request<B>, remote_addr: SocketAddr) -> Result<Answer, Refusal> {
        let slot = Slot::take(&self.shared, remote_addr, To::Poll(None))?;
        let open = engine::open(slot.link.engine_id(), &["websocket"], &self.shared.config);
        let peer = Peer::of(request, remote_addr);
        let driver = slot.driver(Input::Polling(Box::<Polling>::default()), peer);
        tokio::spawn(slot.run(driver));
        Ok(request::payload(open.into()))
    }

    async fn poll(&self, sid: &str) -> Result<Answer, Refusal> {
        let link = self.find(sid)?;
        let (poll, answer) = Poll::new();
        let put = link.with_mailbox(|mailbox| mailbox.put_poll(poll)).ok_or(Refusal::BadRequest)?;
        if put.is_err() {
            link.close(CloseReason::PollOverlap);
            return Err(Refusal::BadRequest);
        }
        link.wake();
        match answer.await {
            Ok(PollAnswer::Payload(payload)) => Ok(request::payload(payload)),
            Ok(PollAnswer::Refused) | Err(_) => Err(Refusal::BadRequest),
        }
    }

    async fn post<B>(&self, request: Request<B>, sid: &str) -> Result<Answer, Refusal>
    where
        B: Body<Data = Bytes> + Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let link = self.find(sid)?;
        match link.with_mailbox(Mailbox::begin_post) {
            None => return Err(Refusal::BadRequest),
            Some(false) => {
                link.close(CloseReason::PollOverlap);
                return Err(Refusal::BadRequest);
            }
            Some(true) => {}
        }
        // Ends the session also when the client is gone before its last byte has come.
        let mut posting = Posting { link: &link, end: Some(CloseReason::TransportError) };
        let packets = match self.read_packets(request).await {
            Ok(packets) => packets,
            Err(reason) => {
                posting.end = Some(reason);
                return Err(match reason {
                    CloseReason::MessageTooLarge => Refusal::TooLarge,
                    _ => Refusal::BadRequest,
                });
            }
        };
        let (taken, is_taken) = oneshot::channel();
        let post = Post { packets: packets.into_iter(), taken };
        if link.with_mailbox(|mailbox| mailbox.put_post(post)).is_none() {
            // The session has become a WebSocket's meanwhile, or has ended.
            posting.end = None;
            return Err(Refusal::BadRequest);
        }
        link.wake();
        let is_taken = is_taken.await.is_ok();
        posting.end = None;
        if is_taken { Ok(request::taken()) } else { Err(Refusal::BadRequest) }
    }

    async fn read_packets<B>(&self, request: Request<B>) -> Result<Vec<super::message::Packet>, CloseReason>
    where
        B: Body<Data = Bytes> + Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let config = &self.shared.config;
        let content_type = request.headers().get(CONTENT_TYPE).map(HeaderValue::as_bytes);
        if content_type == Some(b"application/octet-stream") {
            return Err(CloseReason::ParseError);
        }
        let announced = request.body().size_hint().lower();
        if usize::try_from(announced).map_or(true, |bytes| bytes > config.payload_bytes_max) {
            return Err(CloseReason::MessageTooLarge);
        }
        let body = Box::pin(Limited::new(request.into_body(), config.payload_bytes_max).collect());
        let body = match timeout(config.body_timeout, body).await {
            Ok(Ok(body)) => body.to_bytes(),
            Ok(Err(error)) if error.is::<LengthLimitError>() => return Err(CloseReason::MessageTooLarge),
            Ok(Err(_)) | Err(_) => return Err(CloseReason::TransportError),
        };
        let payload = std::str::from_utf8(&body).map_err(|_| CloseReason::InvalidUtf8)?;
        read_payload(payload, config.payload_packets_max)
    }

    fn upgrade<B>(&self, request: &mut Request<B>, sid: &str) -> Result<Answer, Refusal> {
        let link = self.find(sid)?;
        let accept_key = request::check_websocket(request.headers())?;
        let upgrade = hyper::upgrade::on(request);
        let config = Arc::clone(&self.shared.config);
        let coming = Coming::begin(&link);
        tokio::spawn(async move {
            // Until the stream is in the mailbox, or will not come.
            let _coming = coming;
            let Some((stream, read_ahead)) = upgraded(upgrade, config.upgrade_timeout).await else { return };
            let input = Box::new(WebSocketInput::new(stream, &read_ahead, &config));
            let mut refused = Some(input);
            link.with_mailbox(|mailbox| {
                refused = refused.take().and_then(|input| mailbox.put_probe(input).err());
            });
            match refused {
                None => link.wake(),
                // The session has its WebSocket: this one says goodbye, as the Node server's does.
                Some(input) => Probe::refuse(*input, &mut Context::from_waker(Waker::noop())),
            }
        });
        Ok(request::switching_protocols(accept_key))
    }

    fn find(&self, sid: &str) -> Result<Arc<Link>, Refusal> {
        let id = ConnectionId::parse(sid).ok_or(Refusal::SessionUnknown)?;
        self.shared.sessions.lock().by_engine_id.get(&id).cloned().ok_or(Refusal::SessionUnknown)
    }

    /// Refuses new sessions, closes all with [`CloseReason::ServerShutdown`] once their queues are written, and waits
    /// until they have ended. They are told one by one over `spread`, or faster where they are few, because they all
    /// come back somewhere. Those that have not ended at the deadline are cut off; their number is returned.
    pub(crate) async fn shutdown(&self, spread: Duration, deadline: Duration) -> usize {
        let end = Instant::now() + deadline;
        let links = self.stop_accepting();
        let count = u32::try_from(links.len()).unwrap_or(u32::MAX).max(1);
        let step = (spread.min(deadline / 2) / count).min(DRAIN_STEP);
        let mut at = Instant::now();
        for link in links {
            link.close(CloseReason::ServerShutdown);
            at += step;
            // The timer knows no less than a millisecond: some go together.
            if at > Instant::now() + Duration::from_millis(1) {
                tokio::time::sleep_until(at).await;
            }
        }
        if tokio::time::timeout_at(end, self.until_empty()).await.is_ok() {
            return 0;
        }
        let late = self.stop_accepting();
        for link in &late {
            link.abort();
        }
        late.len()
    }

    fn stop_accepting(&self) -> Vec<Arc<Link>> {
        let mut sessions = self.shared.sessions.lock();
        sessions.is_shutting_down = true;
        sessions.by_engine_id.values().cloned().collect()
    }

    async fn until_empty(&self) {
        loop {
            let ended = self.shared.ended.notified();
            tokio::pin!(ended);
            // Before the look, so that an end between the look and the wait is not missed.
            ended.as_mut().enable();
            if self.session_count() == 0 {
                return;
            }
            ended.await;
        }
    }
}

impl<P: Protocol> Clone for Core<P> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

/// A place among `connections_max`, given back when it is dropped.
pub(super) struct Slot<P: Protocol> {
    shared: Arc<Shared<P>>,
    link: Arc<Link>,
    of_address: Option<Taken>,
}

impl<P: Protocol> Slot<P> {
    fn take(shared: &Arc<Shared<P>>, remote_addr: SocketAddr, to: To) -> Result<Self, Refusal> {
        let Ok(engine_id) = ConnectionId::random() else {
            tracing::error!("no random ids: the operating system gives no randomness");
            return Err(Refusal::NoRoom("No randomness"));
        };
        shared.flusher.start();
        let link = Link::new(engine_id, &shared.config, Arc::clone(&shared.flusher), to);
        let mut sessions = shared.sessions.lock();
        if sessions.is_shutting_down {
            return Err(Refusal::NoRoom("Shutting down"));
        }
        if sessions.by_engine_id.len() >= shared.config.connections_max {
            return Err(Refusal::NoRoom("Too many connections"));
        }
        let taken = shared.addresses.take(remote_addr.ip(), shared.config.address_connections_max);
        let taken = taken.ok_or(Refusal::NoRoom("Too many connections of this address"))?;
        sessions.by_engine_id.insert(engine_id, Arc::clone(&link));
        drop(sessions);
        Ok(Self { shared: Arc::clone(shared), link, of_address: Some(taken) })
    }

    fn serve(&self, stream: Stream, read_ahead: &[u8], peer: Peer) -> Driver<P::Conversation> {
        self.answer_and_serve(stream, b"", peer, read_ahead)
    }

    /// The same for a stream on which nothing has been answered yet: `answer` goes out before the open packet, with it.
    pub(super) fn answer_and_serve(
        &self,
        mut stream: Stream,
        answer: &[u8],
        peer: Peer,
        read_ahead: &[u8],
    ) -> Driver<P::Conversation> {
        let config = &self.shared.config;
        let _ = self.link.upgrade(stream.take_writer());
        let open = engine::open(self.link.engine_id(), &[], config);
        // Also where the server has begun to stop meanwhile: the answer goes before the goodbye.
        self.link.send_last(SharedFrame::engine_behind(answer, &open));
        self.driver(Input::WebSocket(Box::new(WebSocketInput::new(stream, read_ahead, config))), peer)
    }

    /// The session until its end; then its place is free.
    pub(super) fn run(self, driver: Driver<P::Conversation>) -> Session<P> {
        Session { driver, _slot: self }
    }

    fn driver(&self, input: Input, peer: Peer) -> Driver<P::Conversation> {
        let now = Instant::now();
        let conversation = self.shared.protocol.begin(&self.link, peer, now);
        Driver::new(input, conversation, Arc::clone(&self.link), Arc::clone(&self.shared.config), now)
    }
}

/// A session's task. An async function would hold its driver twice.
pub(super) struct Session<P: Protocol> {
    driver: Driver<P::Conversation>,
    _slot: Slot<P>,
}

impl<P: Protocol> Future for Session<P> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> TaskPoll<()> {
        Pin::new(&mut self.get_mut().driver).poll(cx)
    }
}

impl<P: Protocol> Drop for Slot<P> {
    fn drop(&mut self) {
        // Before the session is gone from the list: who sees that may come at once.
        self.of_address = None;
        self.shared.sessions.lock().by_engine_id.remove(&self.link.engine_id());
        self.shared.ended.notify_waiters();
    }
}
