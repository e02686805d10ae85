//! A connection that begins with the upgrade to a WebSocket, which is what most do, taken before an HTTP server sees it:
//! no buffers, no answer of its own, one write for the answer and the open packet.

use std::net::SocketAddr;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::header::{HeaderMap, HeaderName, HeaderValue, SEC_WEBSOCKET_ACCEPT};
use http::{Method, Request, Uri, Version};
use tokio::io::ReadBuf;
use tokio::net::TcpStream;

use super::conversation::Protocol;
use super::outgoing::To;
use super::request::{self, Asked};
use super::server::{Core, Slot};
use super::stream::{Stream, with_read_buffer};
use crate::peer::Peer;

/// Headers of one request; one with more is left to the HTTP server.
const HEADERS_MAX: usize = 64;

/// What became of a connection.
#[derive(Debug)]
pub enum Accepted {
    /// It is a session now.
    Taken,
    /// It wants something else, or what it wants has not come whole. Nothing was read of it.
    Http(TcpStream),
}

/// A request that has come whole.
struct Head {
    request: Request<()>,
    /// How long it is in the stream.
    bytes: usize,
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
        Poll::Ready(if is_there { parse(seen.filled()) } else { None })
    })
}

fn parse(seen: &[u8]) -> Option<Head> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut parsed = httparse::Request::new(&mut headers);
    let httparse::Status::Complete(bytes) = parsed.parse(seen).ok()? else { return None };
    if parsed.method? != "GET" || parsed.version? != 1 {
        return None;
    }
    // One copy of everything, of which the values are pieces.
    let text = Bytes::copy_from_slice(&seen[..bytes]);
    let piece = |part: &[u8]| {
        let start = part.as_ptr() as usize - seen.as_ptr() as usize;
        text.slice(start..start + part.len())
    };
    let mut map = HeaderMap::with_capacity(parsed.headers.len());
    for header in parsed.headers.iter() {
        let name = HeaderName::from_bytes(header.name.as_bytes()).ok()?;
        // A body would have to be read before the frames.
        if name == http::header::CONTENT_LENGTH || name == http::header::TRANSFER_ENCODING {
            return None;
        }
        map.append(name, HeaderValue::from_maybe_shared(piece(header.value)).ok()?);
    }
    let mut request = Request::new(());
    *request.method_mut() = Method::GET;
    *request.version_mut() = Version::HTTP_11;
    *request.uri_mut() = Uri::from_maybe_shared(piece(parsed.path?.as_bytes())).ok()?;
    *request.headers_mut() = map;
    Some(Head { request, bytes })
}

fn answer(accept_key: &HeaderValue, headers: &str) -> String {
    let accept = accept_key.to_str().unwrap_or_default();
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
         {SEC_WEBSOCKET_ACCEPT}: {accept}\r\n{headers}\r\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str =
        "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n\r\n";

    #[test]
    fn a_whole_head_is_read_and_anything_else_is_left() {
        let head = parse(format!("{HEAD}\u{81}").as_bytes()).unwrap();
        assert_eq!(head.bytes, HEAD.len());
        assert_eq!(head.request.uri().path(), "/socket.io/");
        assert_eq!(head.request.headers()["upgrade"], "websocket");
        for end in 0..HEAD.len() {
            assert!(parse(&HEAD.as_bytes()[..end]).is_none(), "{end}");
        }
        for other in [
            HEAD.replace("GET", "POST"),
            HEAD.replace("1.1", "1.0"),
            HEAD.replace("Host: x", "Host: x\r\nContent-Length: 5"),
            HEAD.replace("Host: x", &["a: b"; HEADERS_MAX].join("\r\n")),
            "\u{16}\u{3}\u{1}TLS".to_owned(),
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(),
        ] {
            assert!(parse(other.as_bytes()).is_none(), "{other}");
        }
    }
}
