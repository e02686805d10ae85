//! The event loop: one thread over epoll, no runtime. Connections are links; a [`Listener`] hears what arrives on them.
//!
//! Reads and writes happen here and nowhere else. A turn waits until something arrives or until the moment that the
//! caller gives, which the kernel keeps to some microseconds: intended send times are that exact. It sleeps meanwhile,
//! or stays awake where asked to: whoever writes to a process that sleeps pays for waking it, on a virtual machine a
//! third of a delivery, and a server's clients sleep on machines of their own.

mod link;
mod reader;

use std::io::{ErrorKind, Read as _};
use std::mem;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU64;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use socket2::SockRef;

use crate::wire::{http, websocket};

use link::Link;
use reader::{Reader, Said};

/// What one read takes at the most, in bytes.
const READ_BYTES_MAX: usize = 256 * 1024;
/// Connections that one turn serves.
const EVENTS_MAX: usize = 512;
/// The kernel may be late with a wake-up by this much, in nanoseconds; its default is 50 µs.
const TIMER_SLACK_NANOS: NonZeroU64 = NonZeroU64::new(1_000).unwrap();

/// Nanoseconds since the engine began.
pub(crate) type Nanos = u64;

/// A connection of the engine. A number is never given twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct LinkId(pub usize);

/// What a link is for.
#[derive(Debug, Clone)]
pub(crate) enum Protocol {
    /// Requests and answers.
    Http,
    /// A Socket.IO connection with this `auth`, as JSON.
    Socket { auth: String },
    /// An upgrade to WebSocket, and nothing after it.
    Upgrade,
}

/// What arrived on a link.
#[derive(Debug)]
pub(crate) enum Heard<'a> {
    /// It can be used: connected, and for a socket past its handshake.
    Open,
    /// The answer to the oldest request.
    Answer { status: u16, body: &'a [u8] },
    /// A Socket.IO event as a JSON array.
    Event(&'a [u8]),
    /// The answer to an event of ours as a JSON array.
    Ack(u64, &'a [u8]),
    /// It is gone, and why.
    Closed(String),
}

/// Who hears what arrives.
pub(crate) trait Listener {
    /// Something arrived; the listener may send on any link.
    fn heard(&mut self, engine: &mut Engine, link: LinkId, heard: Heard<'_>);
}

/// The event loop.
pub(crate) struct Engine {
    epoll: OwnedFd,
    links: Vec<Option<Link>>,
    scratch: Vec<u8>,
    began: Instant,
    mask: u32,
    receive_bytes: Option<usize>,
    /// Until something arrives it asks again and again.
    pub(crate) stays_awake: bool,
    /// How long nothing came while it asked.
    idled: Duration,
}

impl Engine {
    pub(crate) fn new() -> anyhow::Result<Self> {
        // Some kernels refuse; then wake-ups are 50 µs later and that is counted as latency.
        let _ = rustix::thread::set_current_timer_slack(Some(TIMER_SLACK_NANOS));
        Ok(Self {
            epoll: epoll::create(CreateFlags::CLOEXEC).context("cannot make an epoll instance")?,
            links: Vec::new(),
            scratch: vec![0; READ_BYTES_MAX],
            began: Instant::now(),
            mask: 0x9e37_79b9,
            receive_bytes: None,
            stays_awake: false,
            idled: Duration::ZERO,
        })
    }

    /// One whose connections' kernel buffers hold about this much: who does not turn it is soon felt by the server.
    pub(crate) fn with_receive_bytes(receive_bytes: usize) -> anyhow::Result<Self> {
        Ok(Self { receive_bytes: Some(receive_bytes), ..Self::new()? })
    }

    pub(crate) fn now(&self) -> Nanos {
        u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// Time on the clock in which it stayed awake and nothing came: CPU that it could have used, where nobody took the
    /// core.
    pub(crate) fn idled(&self) -> Duration {
        self.idled
    }

    /// Begins a connection from a source address, or from any.
    pub(crate) fn connect(
        &mut self,
        to: SocketAddr,
        from: Option<IpAddr>,
        protocol: &Protocol,
    ) -> anyhow::Result<LinkId> {
        let id = LinkId(self.links.len());
        let link = Link::connect(to, from, protocol, self.receive_bytes)
            .with_context(|| format!("cannot connect to {to}"))?;
        let data = EventData::new_u64(id.0 as u64);
        epoll::add(&self.epoll, &link.stream, data, EventFlags::IN | EventFlags::OUT)?;
        self.links.push(Some(link));
        Ok(id)
    }

    /// Connections that have not ended, as far as the turns have shown.
    pub(crate) fn link_count(&self) -> usize {
        self.links.iter().flatten().count()
    }

    /// Ends a connection without a word and without telling the listener. It is reset: closed in order, its port would
    /// wait for a minute, and with thousands that wait the kernel takes milliseconds to find a free one.
    pub(crate) fn drop_link(&mut self, id: LinkId) {
        if let Some(link) = self.links.get_mut(id.0).and_then(Option::take) {
            let _ = epoll::delete(&self.epoll, &link.stream);
            let _ = SockRef::from(&link.stream).set_linger(Some(Duration::ZERO));
        }
    }

    /// Writes bytes on a link: `write` appends them. A link that is gone takes nothing; its end was told.
    pub(crate) fn send(&mut self, id: LinkId, write: impl FnOnce(&mut Vec<u8>)) {
        if let Some(link) = self.link(id) {
            let waits = link.is_waiting();
            write(&mut link.out);
            if !waits {
                self.flush(id);
            }
        }
    }

    /// Writes a Socket.IO packet of these parts on a link.
    pub(crate) fn send_packet(&mut self, id: LinkId, parts: &[&[u8]]) {
        // Any mask does: there is no proxy to be fooled.
        self.mask = self.mask.wrapping_mul(0x2c92_77b5).wrapping_add(0xac56_4b05);
        let mask = self.mask.to_be_bytes();
        self.send(id, |out| websocket::write_frame(out, websocket::TEXT, parts, mask));
    }

    /// Waits until something arrives or `until` has come, and lets the listener hear all of it.
    pub(crate) fn turn(&mut self, listener: &mut impl Listener, until: Nanos) -> anyhow::Result<()> {
        let mut events = Vec::with_capacity(EVENTS_MAX);
        if self.stays_awake {
            let begun = self.now();
            let mut asked = begun;
            self.wait(&mut events, Duration::ZERO)?;
            while events.is_empty() && asked < until {
                asked = self.now();
                self.wait(&mut events, Duration::ZERO)?;
            }
            self.idled += Duration::from_nanos(asked - begun);
        } else {
            let wait = Duration::from_nanos(until.saturating_sub(self.now()));
            self.wait(&mut events, wait)?;
        }
        for event in &events {
            let (data, flags) = (event.data, event.flags);
            let id = LinkId(usize::try_from(data.u64()).unwrap_or(usize::MAX));
            if flags.contains(EventFlags::OUT) {
                self.write_on(id, listener);
            }
            if flags.intersects(EventFlags::IN | EventFlags::HUP | EventFlags::ERR) {
                self.read(id, listener);
            }
        }
        Ok(())
    }

    fn wait(&self, events: &mut Vec<Event>, wait: Duration) -> anyhow::Result<()> {
        let timeout =
            Timespec { tv_sec: wait.as_secs().min(3600).cast_signed(), tv_nsec: wait.subsec_nanos().into() };
        match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(events), Some(&timeout)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error).context("cannot wait for events"),
        }
    }

    fn link(&mut self, id: LinkId) -> Option<&mut Link> {
        self.links.get_mut(id.0).and_then(Option::as_mut)
    }

    /// The socket takes bytes: it has connected, or has room again.
    fn write_on(&mut self, id: LinkId, listener: &mut impl Listener) {
        let Some(link) = self.link(id) else { return };
        if link.connecting {
            match link.stream.take_error() {
                Ok(None) => link.connecting = false,
                Ok(Some(error)) | Err(error) => {
                    return self.close(id, &format!("no connection: {error}"), listener);
                }
            }
            if matches!(link.reader, Reader::Http) {
                listener.heard(self, id, Heard::Open);
            } else {
                http::write_upgrade(&mut link.out);
            }
        }
        self.flush(id);
    }

    /// Writes what waits; an error shows at the next read.
    fn flush(&mut self, id: LinkId) {
        let Some(link) = self.links.get_mut(id.0).and_then(Option::as_mut) else { return };
        let wants = link.flush();
        if wants != link.watched {
            link.watched = wants;
            let _ = epoll::modify(&self.epoll, &link.stream, EventData::new_u64(id.0 as u64), wants);
        }
    }

    fn read(&mut self, id: LinkId, listener: &mut impl Listener) {
        let mut scratch = mem::take(&mut self.scratch);
        while let Some(link) = self.link(id) {
            match link.stream.read(&mut scratch) {
                Ok(0) => self.close(id, "the server closed", listener),
                Ok(count) => {
                    self.take(id, &scratch[..count], listener);
                    if count < scratch.len() {
                        break;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => self.close(id, &error.to_string(), listener),
            }
        }
        self.scratch = scratch;
    }

    /// Hands over whatever is whole, and keeps the rest.
    fn take(&mut self, id: LinkId, fresh: &[u8], listener: &mut impl Listener) {
        let Some(link) = self.link(id) else { return };
        let mut kept = mem::take(&mut link.left);
        let input = if kept.is_empty() {
            fresh
        } else {
            kept.extend_from_slice(fresh);
            &kept[..]
        };
        let mut at = 0;
        while let Some(link) = self.link(id) {
            match link.reader.next(&input[at..]) {
                Ok(Some((bytes, said))) => {
                    at += bytes;
                    self.said(id, said, listener);
                }
                Ok(None) => {
                    link.left = input[at..].to_vec();
                    return;
                }
                Err(malformed) => return self.close(id, malformed.0, listener),
            }
        }
    }

    fn said(&mut self, id: LinkId, said: Said<'_>, listener: &mut impl Listener) {
        match said {
            Said::Answer { status, body } => listener.heard(self, id, Heard::Answer { status, body }),
            Said::Event(event) => listener.heard(self, id, Heard::Event(event)),
            Said::Ack(number, args) => listener.heard(self, id, Heard::Ack(number, args)),
            Said::Connected => listener.heard(self, id, Heard::Open),
            Said::Say(packet) => self.send_packet(id, &[packet.as_bytes()]),
            Said::Pong(payload) => {
                self.send(id, |out| websocket::write_frame(out, websocket::PONG, &[payload], [0; 4]));
            }
            Said::Nothing => {}
            Said::End(reason) => self.close(id, &reason, listener),
        }
    }

    fn close(&mut self, id: LinkId, reason: &str, listener: &mut impl Listener) {
        self.drop_link(id);
        listener.heard(self, id, Heard::Closed(reason.to_owned()));
    }
}
