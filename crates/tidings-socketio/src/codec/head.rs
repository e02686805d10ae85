//! The head of an HTTP request that begins a connection with its upgrade.

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue, TRANSFER_ENCODING};
use http::{Method, Request, Uri, Version};

/// Headers of one request; one with more is left to the HTTP server.
pub const HEADERS_MAX: usize = 64;

/// A request that has come whole.
#[derive(Debug)]
pub struct Head {
    /// The request, which has no body.
    pub request: Request<()>,
    /// How long it is in the stream.
    pub bytes: usize,
}

/// Reads a GET of HTTP/1.1 that has come whole and has no body; anything else is for a whole HTTP server.
#[must_use]
pub fn decode(seen: &[u8]) -> Option<Head> {
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
        if name == CONTENT_LENGTH || name == TRANSFER_ENCODING {
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

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str =
        "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n\r\n";

    #[test]
    fn a_whole_head_is_read_and_anything_else_is_left() {
        let head = decode(format!("{HEAD}\u{81}").as_bytes()).unwrap();
        assert_eq!(head.bytes, HEAD.len());
        assert_eq!(head.request.uri().path(), "/socket.io/");
        assert_eq!(head.request.headers()["upgrade"], "websocket");
        for end in 0..HEAD.len() {
            assert!(decode(&HEAD.as_bytes()[..end]).is_none(), "{end}");
        }
        for other in [
            HEAD.replace("GET", "POST"),
            HEAD.replace("1.1", "1.0"),
            HEAD.replace("Host: x", "Host: x\r\nContent-Length: 5"),
            HEAD.replace("Host: x", &["a: b"; HEADERS_MAX].join("\r\n")),
            "\u{16}\u{3}\u{1}TLS".to_owned(),
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(),
        ] {
            assert!(decode(other.as_bytes()).is_none(), "{other}");
        }
    }
}
