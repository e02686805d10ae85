//! A connection that begins with the upgrade to a WebSocket, which is what most do, taken before an HTTP server sees
//! it: no buffers, no answer of its own, one write for the answer and the open packet.

use std::net::SocketAddr;
use std::task::{Context, Poll, ready};

use http::header::{HeaderValue, SEC_WEBSOCKET_ACCEPT};
use tokio::io::ReadBuf;
use tokio::net::TcpStream;

use super::conversation::Protocol;
use super::outgoing::To;
use super::request::{self, Asked};
use super::server::{Core, Slot};
use super::stream::{Stream, with_read_buffer};
use crate::codec::head::{self, Head};
use crate::peer::Peer;

/// What became of a connection.
#[derive(Debug)]
pub enum Accepted {
    /// It is a session now.
    Taken,
    /// It wants something else, or what it wants has not come whole. Nothing was read of it.
    Http(TcpStream),
}

impl<P: Protocol> Core<P> {
    /// Waits for the first bytes of a connection, and takes it if they are a whole upgrade of a new session to a path
    /// that is `ours`. `headers` are added to the answer, each line with its end.
    pub(crate) async fn accept(
        &self,
        stream: TcpStream,
        remote_addr: SocketAddr,
        ours: impl Fn(&str) -> bool,
        headers: impl FnOnce() -> String,
    ) -> Accepted {
        let head = std::future::poll_fn(|cx| poll_head(&stream, cx)).await;
        let Some(head) = head.filter(|head| ours(head.request.uri().path())) else {
            return Accepted::Http(stream);
        };
        let Ok(Asked::OpenWebSocket(accept_key)) = request::read(&head.request, self.config()) else {
            return Accepted::Http(stream);
        };
        // One that is full says so by HTTP.
        let Ok(slot) = self.take_slot(remote_addr, To::Nobody) else { return Accepted::Http(stream) };
        let answer = answer(&accept_key, &headers());
        self.begin(slot, stream, head, remote_addr, &answer);
        Accepted::Taken
    }

    fn begin(&self, slot: Slot<P>, stream: TcpStream, mut head: Head, remote_addr: SocketAddr, answer: &str) {
        // It was seen there, and nobody else reads.
        let skipped = with_read_buffer(|buffer| stream.try_read(&mut buffer[..head.bytes]));
        if skipped.ok() != Some(head.bytes) {
            return;
        }
        let peer = Peer::of(&mut head.request, remote_addr);
        let driver = slot.answer_and_serve(Stream::tcp(stream), answer.as_bytes(), peer, &[]);
        tokio::spawn(slot.run(driver));
    }
}

/// Ready without a head where what has come is none, or not all of one.
fn poll_head(stream: &TcpStream, cx: &mut Context<'_>) -> Poll<Option<Head>> {
    with_read_buffer(|buffer| {
        let mut seen = ReadBuf::new(buffer);
        let is_there = ready!(stream.poll_peek(cx, &mut seen)).is_ok();
        Poll::Ready(if is_there { head::decode(seen.filled()) } else { None })
    })
}

fn answer(accept_key: &HeaderValue, headers: &str) -> String {
    let accept = accept_key.to_str().unwrap_or_default();
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
         {SEC_WEBSOCKET_ACCEPT}: {accept}\r\n{headers}\r\n"
    )
}
