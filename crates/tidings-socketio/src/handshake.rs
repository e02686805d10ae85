//! The upgrade request: what Engine.IO and RFC 6455 ask of it, and every refusal.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{
    CONNECTION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, ORIGIN, RETRY_AFTER, SEC_WEBSOCKET_ACCEPT,
    SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use sha1::{Digest, Sha1};

use crate::config::AllowedOrigins;

/// Why a request opens no connection. The first six are Engine.IO's, with its codes and words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Long-polling too, until it is served.
    TransportUnknown,
    SessionUnknown,
    BadMethod,
    BadRequest,
    Forbidden,
    UnsupportedProtocol,
    /// A WebSocket version other than 13.
    UnsupportedWebSocket,
    /// Not now: full, or stopping.
    NoRoom(&'static str),
}

impl Refusal {
    /// The HTTP answer: `{"code":…,"message":…}`.
    pub(crate) fn response(self) -> Response<Full<Bytes>> {
        const BAD: StatusCode = StatusCode::BAD_REQUEST;
        let (status, code, message) = match self {
            Self::TransportUnknown => (BAD, 0, "Transport unknown"),
            Self::SessionUnknown => (BAD, 1, "Session ID unknown"),
            Self::BadMethod => (BAD, 2, "Bad handshake method"),
            Self::BadRequest => (BAD, 3, "Bad request"),
            Self::Forbidden => (StatusCode::FORBIDDEN, 4, "Forbidden"),
            Self::UnsupportedProtocol => (BAD, 5, "Unsupported protocol version"),
            Self::UnsupportedWebSocket => (StatusCode::UPGRADE_REQUIRED, 3, "Bad request"),
            Self::NoRoom(message) => (StatusCode::SERVICE_UNAVAILABLE, 3, message),
        };
        let body = format!(r#"{{"code":{code},"message":"{message}"}}"#);
        let mut response = Response::new(Full::new(body.into()));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        match self {
            Self::UnsupportedWebSocket => {
                headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
            }
            Self::NoRoom(_) => {
                headers.insert(RETRY_AFTER, HeaderValue::from_static("5"));
            }
            _ => {}
        }
        response
    }
}

/// Whether the request may open a connection; the value of its `Sec-WebSocket-Accept`. The order of the checks is the
/// Node server's, so that a request with two faults gets the same answer from both.
pub(crate) fn check<B>(request: &Request<B>, origins: &AllowedOrigins) -> Result<HeaderValue, Refusal> {
    let query = request.uri().query().unwrap_or_default();
    let headers = request.headers();
    if parameter(query, "transport") != Some("websocket") {
        return Err(Refusal::TransportUnknown);
    }
    if parameter(query, "sid").is_some_and(|sid| !sid.is_empty()) {
        return Err(Refusal::SessionUnknown);
    }
    if request.method() != Method::GET {
        return Err(Refusal::BadMethod);
    }
    if !origins.allows(headers.get(ORIGIN).map(HeaderValue::as_bytes)) {
        return Err(Refusal::Forbidden);
    }
    if !has_token(headers, &UPGRADE, "websocket") || !has_token(headers, &CONNECTION, "upgrade") {
        return Err(Refusal::BadRequest);
    }
    if parameter(query, "EIO") != Some("4") {
        return Err(Refusal::UnsupportedProtocol);
    }
    if headers.get(SEC_WEBSOCKET_VERSION).map(HeaderValue::as_bytes) != Some(b"13") {
        return Err(Refusal::UnsupportedWebSocket);
    }
    headers.get(SEC_WEBSOCKET_KEY).and_then(accept_key).ok_or(Refusal::BadRequest)
}

/// The answer that turns the connection into a WebSocket.
pub(crate) fn switching_protocols(accept_key: &HeaderValue) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(SEC_WEBSOCKET_ACCEPT, accept_key.clone());
    response
}

/// The last value of a parameter, as the Node server takes it. Its values need no decoding.
fn parameter<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.filter(|(key, _)| *key == name).map(|(_, value)| value).next_back()
}

/// Whether a header that is a list of tokens has this one.
fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|value| value.trim().eq_ignore_ascii_case(token))
}

/// What proves that the key was read (RFC 6455, 4.2.2); `None` when the key is not 16 bytes of base64.
fn accept_key(key: &HeaderValue) -> Option<HeaderValue> {
    const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    if STANDARD.decode(key.as_bytes()).ok()?.len() != 16 {
        return None;
    }
    let digest = Sha1::new().chain_update(key.as_bytes()).chain_update(GUID).finalize();
    HeaderValue::from_str(&STANDARD.encode(digest)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(query: &str) -> http::request::Builder {
        Request::get(format!("/socket.io/?{query}"))
            .header("connection", "keep-alive, Upgrade")
            .header("upgrade", "WebSocket")
            .header("sec-websocket-version", "13")
            .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
    }

    fn answer(request: http::request::Builder) -> Result<HeaderValue, Refusal> {
        let origins = AllowedOrigins::List(vec!["https://chat.example".into()]);
        check(&request.body(()).unwrap(), &origins)
    }

    #[test]
    fn the_example_of_the_rfc() {
        let accept = answer(request("EIO=4&transport=websocket")).unwrap();
        assert_eq!(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn every_refusal() {
        const GOOD: &str = "EIO=4&transport=websocket";
        let refused = |request| answer(request).unwrap_err();
        assert_eq!(refused(request("EIO=4&transport=polling")), Refusal::TransportUnknown);
        assert_eq!(refused(request("EIO=4")), Refusal::TransportUnknown);
        assert_eq!(refused(request(&format!("{GOOD}&sid=abc"))), Refusal::SessionUnknown);
        assert_eq!(refused(request(GOOD).method("POST")), Refusal::BadMethod);
        assert_eq!(refused(request(GOOD).header("origin", "https://evil.example")), Refusal::Forbidden);
        assert!(answer(request(GOOD).header("origin", "https://chat.example")).is_ok());
        assert_eq!(refused(Request::get(format!("/?{GOOD}"))), Refusal::BadRequest);
        assert_eq!(refused(request("EIO=3&transport=websocket")), Refusal::UnsupportedProtocol);
        assert_eq!(refused(request("transport=websocket")), Refusal::UnsupportedProtocol);
        let mut old = request(GOOD);
        old.headers_mut().unwrap().insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("8"));
        assert_eq!(refused(old), Refusal::UnsupportedWebSocket);
        let mut short = request(GOOD);
        short.headers_mut().unwrap().insert(SEC_WEBSOCKET_KEY, HeaderValue::from_static("c2hvcnQ="));
        assert_eq!(refused(short), Refusal::BadRequest);
    }

    #[test]
    fn refusals_are_answered_as_node_does() {
        let response = Refusal::Forbidden.response();
        assert_eq!(response.status(), 403);
        assert_eq!(response.headers()[CONTENT_TYPE], "application/json");
        assert_eq!(Refusal::UnsupportedWebSocket.response().headers()[SEC_WEBSOCKET_VERSION], "13");
    }
}
