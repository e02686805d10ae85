//! One non-blocking connection.

use std::io::{self, ErrorKind, Write as _};
use std::net::{IpAddr, SocketAddr, TcpStream};

use rustix::event::epoll::EventFlags;
use socket2::{Domain, Socket, Type};

use super::Protocol;
use super::reader::Reader;

pub(super) struct Link {
    pub stream: TcpStream,
    pub connecting: bool,
    pub reader: Reader,
    /// What has arrived and is not whole yet.
    pub left: Vec<u8>,
    /// What waits to be written.
    pub out: Vec<u8>,
    /// What epoll watches.
    pub watched: EventFlags,
}

impl Link {
    pub(super) fn connect(
        to: SocketAddr,
        from: Option<IpAddr>,
        protocol: &Protocol,
        receive_bytes: Option<usize>,
    ) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(to), Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        socket.set_tcp_nodelay(true)?;
        if let Some(receive_bytes) = receive_bytes {
            socket.set_recv_buffer_size(receive_bytes)?;
        }
        if let Some(from) = from {
            socket.bind(&SocketAddr::from((from, 0)).into())?;
        }
        match socket.connect(&to.into()) {
            Ok(()) => {}
            Err(error) if error.raw_os_error() == Some(rustix::io::Errno::INPROGRESS.raw_os_error()) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        let reader = match protocol {
            Protocol::Http => Reader::Http,
            Protocol::Socket { auth } => Reader::Upgrading { auth: Some(auth.clone()) },
            Protocol::Upgrade => Reader::Upgrading { auth: None },
        };
        let watched = EventFlags::IN | EventFlags::OUT;
        Ok(Self {
            stream: socket.into(),
            connecting: true,
            reader,
            left: Vec::new(),
            out: Vec::new(),
            watched,
        })
    }

    /// Bytes wait for room, or for the connection.
    pub(super) fn is_waiting(&self) -> bool {
        self.connecting || !self.out.is_empty()
    }

    /// Writes what the socket takes, and says what to watch for.
    pub(super) fn flush(&mut self) -> EventFlags {
        if self.connecting {
            return EventFlags::IN | EventFlags::OUT;
        }
        let mut written = 0;
        while written < self.out.len() {
            match self.stream.write(&self.out[written..]) {
                Ok(count) => written += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // The end shows at the next read, with its reason.
                Err(_) => written = self.out.len(),
            }
        }
        self.out.drain(..written);
        if self.out.is_empty() { EventFlags::IN } else { EventFlags::IN | EventFlags::OUT }
    }
}
