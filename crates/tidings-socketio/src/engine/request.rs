//! What a request asks for: what Engine.IO and RFC 6455 want of it, and every refusal.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_MAX_AGE, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HOST, HeaderMap, HeaderName,
    HeaderValue, ORIGIN, RETRY_AFTER, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION,
    UPGRADE, VARY,
};
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use sha1::{Digest, Sha1};

use crate::config::{AllowedOrigins, Config};

/// An answer: always whole.
pub(super) type Answer = Response<Full<Bytes>>;

/// What a request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// A new session of long-polling.
    Open,
    /// A new session by WebSocket; what the answer proves that the key was read with.
    OpenWebSocket(HeaderValue),
    /// What a session has to say.
    Poll(String),
    /// Packets for a session.
    Post(String),
    /// A WebSocket for a session of long-polling.
    Upgrade(String),
    /// A browser's question before a request to another origin.
    Preflight,
}

/// Why a request is not served. The first six are Engine.IO's, with its codes and words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    TransportUnknown,
    SessionUnknown,
    BadMethod,
    BadRequest,
    Forbidden,
    UnsupportedProtocol,
    /// A WebSocket version other than 13.
    UnsupportedWebSocket,
    /// The body of a POST.
    TooLarge,
    /// Not now: full, or stopping.
    NoRoom(&'static str),
}

impl Refusal {
    /// The HTTP answer: `{"code":…,"message":…}`.
    pub(super) fn response(self) -> Answer {
        const BAD: StatusCode = StatusCode::BAD_REQUEST;
        let (status, code, message) = match self {
            Self::TransportUnknown => (BAD, 0, "Transport unknown"),
            Self::SessionUnknown => (BAD, 1, "Session ID unknown"),
            Self::BadMethod => (BAD, 2, "Bad handshake method"),
            Self::BadRequest => (BAD, 3, "Bad request"),
            Self::Forbidden => (StatusCode::FORBIDDEN, 4, "Forbidden"),
            Self::UnsupportedProtocol => (BAD, 5, "Unsupported protocol version"),
            Self::UnsupportedWebSocket => (StatusCode::UPGRADE_REQUIRED, 3, "Bad request"),
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, 3, "Payload too large"),
            Self::NoRoom(message) => (StatusCode::SERVICE_UNAVAILABLE, 3, message),
        };
        let body = format!(r#"{{"code":{code},"message":"{message}"}}"#);
        let mut response = ok("application/json", body);
        *response.status_mut() = status;
        match self {
            Self::UnsupportedWebSocket => {
                response.headers_mut().insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
            }
            Self::NoRoom(_) => {
                response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("5"));
            }
            _ => {}
        }
        response
    }
}

/// What a request asks for. The order of the checks is the Node server's, so that a request with two faults gets the
/// same answer from both.
pub(super) fn read<B>(request: &Request<B>, config: &Config) -> Result<Asked, Refusal> {
    let query = request.uri().query().unwrap_or_default();
    let (method, headers) = (request.method(), request.headers());
    let origin = headers.get(ORIGIN).map(HeaderValue::as_bytes);
    let is_allowed = config.allowed_origins.allows(origin) || is_own(origin, headers.get(HOST));
    if method == Method::OPTIONS && config.polling {
        return if is_allowed { Ok(Asked::Preflight) } else { Err(Refusal::Forbidden) };
    }
    let is_polling = match parameter(query, "transport") {
        Some("polling") if config.polling => true,
        Some("websocket") => false,
        _ => return Err(Refusal::TransportUnknown),
    };
    let sid = parameter(query, "sid").filter(|sid| !sid.is_empty());
    if sid.is_none() && method != Method::GET {
        return Err(Refusal::BadMethod);
    }
    if !is_allowed {
        return Err(Refusal::Forbidden);
    }
    if !is_polling
        && (!has_token(headers, &UPGRADE, "websocket") || !has_token(headers, &CONNECTION, "upgrade"))
    {
        return Err(Refusal::BadRequest);
    }
    if parameter(query, "EIO") != Some("4") {
        return Err(Refusal::UnsupportedProtocol);
    }
    match (sid, is_polling) {
        (None, true) => Ok(Asked::Open),
        (None, false) => check_websocket(headers).map(Asked::OpenWebSocket),
        (Some(sid), true) if method == Method::GET => Ok(Asked::Poll(sid.to_owned())),
        (Some(sid), true) if method == Method::POST => Ok(Asked::Post(sid.to_owned())),
        (Some(sid), false) if method == Method::GET => Ok(Asked::Upgrade(sid.to_owned())),
        (Some(_), _) => Err(Refusal::BadRequest),
    }
}

/// What RFC 6455 asks of an upgrade, and the answer to its key.
pub(super) fn check_websocket(headers: &HeaderMap) -> Result<HeaderValue, Refusal> {
    if headers.get(SEC_WEBSOCKET_VERSION).map(HeaderValue::as_bytes) != Some(b"13") {
        return Err(Refusal::UnsupportedWebSocket);
    }
    headers.get(SEC_WEBSOCKET_KEY).and_then(accept_key).ok_or(Refusal::BadRequest)
}

/// 101, with the proof that the key was read.
pub(super) fn switching_protocols(accept_key: HeaderValue) -> Answer {
    let mut response = Response::new(Full::default());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(SEC_WEBSOCKET_ACCEPT, accept_key);
    response
}

/// 200 with a payload.
pub(super) fn payload(payload: Bytes) -> Answer {
    ok("text/plain; charset=UTF-8", payload)
}

/// 200: the packets were taken. Called HTML because some browsers offer other texts for download.
pub(super) fn taken() -> Answer {
    ok("text/html", "ok")
}

fn ok(content_type: &'static str, body: impl Into<Bytes>) -> Answer {
    let mut response = Response::new(Full::new(body.into()));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// What a browser wants to hear before it lets a page of another origin ask.
/// With all headers that it asks for: none of them is trusted.
pub(super) fn preflight(wanted_headers: Option<HeaderValue>) -> Answer {
    const AGE: HeaderValue = HeaderValue::from_static("7200");
    let mut response = Response::new(Full::default());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST"));
    if let Some(wanted) = wanted_headers {
        headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, wanted);
    }
    headers.insert(ACCESS_CONTROL_MAX_AGE, AGE);
    response
}

/// Lets the page that has asked read the answer, where its origin is allowed. No cookie is trusted, so none is allowed.
pub(super) fn share(response: &mut Answer, origins: &AllowedOrigins, origin: Option<HeaderValue>) {
    let Some(origin) = origin else { return };
    if !origins.allows(Some(origin.as_bytes())) {
        return;
    }
    let headers = response.headers_mut();
    if *origins == AllowedOrigins::Any {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    } else {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(VARY, HeaderValue::from_static("Origin"));
    }
}

/// Whether it is a page of this server itself, which names it for a WebSocket too.
fn is_own(origin: Option<&[u8]>, host: Option<&HeaderValue>) -> bool {
    let (Some(origin), Some(host)) = (origin, host) else { return false };
    [&b"http://"[..], b"https://"]
        .iter()
        .filter_map(|scheme| origin.strip_prefix(*scheme))
        .any(|authority| authority.eq_ignore_ascii_case(host.as_bytes()))
}

/// The last value of a parameter, as the Node server takes it. Its values need no decoding.
fn parameter<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.filter(|(key, _)| *key == name).map(|(_, value)| value).next_back()
}

/// Whether a comma-separated header has this word in it.
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

    const GOOD: &str = "EIO=4&transport=websocket";
    const POLLING: &str = "EIO=4&transport=polling";

    fn request(query: &str) -> http::request::Builder {
        Request::get(format!("/socket.io/?{query}"))
            .header("connection", "keep-alive, Upgrade")
            .header("upgrade", "WebSocket")
            .header("sec-websocket-version", "13")
            .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
    }

    fn config() -> Config {
        let allowed_origins = AllowedOrigins::List(vec!["https://chat.example".into()]);
        Config { allowed_origins, ..Config::default() }
    }

    fn asked(request: http::request::Builder) -> Result<Asked, Refusal> {
        read(&request.body(()).unwrap(), &config())
    }

    #[test]
    fn the_example_of_the_rfc() {
        let accept = HeaderValue::from_static("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert_eq!(asked(request(GOOD)), Ok(Asked::OpenWebSocket(accept)));
        assert_eq!(asked(request(&format!("{GOOD}&sid=abc"))), Ok(Asked::Upgrade("abc".into())));
    }

    #[test]
    fn polls_and_posts_name_their_session() {
        let ask = |method: &str, query: &str| {
            asked(Request::builder().method(method).uri(format!("/engine.io/?{query}")))
        };
        assert_eq!(ask("GET", POLLING), Ok(Asked::Open));
        assert_eq!(ask("GET", &format!("{POLLING}&t=x&sid=abc")), Ok(Asked::Poll("abc".into())));
        assert_eq!(ask("POST", &format!("{POLLING}&sid=abc")), Ok(Asked::Post("abc".into())));
        assert_eq!(ask("PUT", &format!("{POLLING}&sid=abc")), Err(Refusal::BadRequest));
        assert_eq!(ask("POST", POLLING), Err(Refusal::BadMethod));
        assert_eq!(ask("PUT", POLLING), Err(Refusal::BadMethod));
        assert_eq!(ask("OPTIONS", POLLING), Ok(Asked::Preflight));
        assert_eq!(ask("GET", "transport=polling"), Err(Refusal::UnsupportedProtocol));
        let without = Config { polling: false, ..config() };
        let request = Request::get(format!("/?{POLLING}")).body(()).unwrap();
        assert_eq!(read(&request, &without), Err(Refusal::TransportUnknown));
    }

    #[test]
    fn every_refusal_of_a_websocket() {
        let refused = |request| asked(request).unwrap_err();
        assert_eq!(refused(request("EIO=4&transport=webtransport")), Refusal::TransportUnknown);
        assert_eq!(refused(request("EIO=4")), Refusal::TransportUnknown);
        assert_eq!(refused(request(GOOD).method("POST")), Refusal::BadMethod);
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
    fn a_foreign_origin_is_refused_on_both_transports() {
        for query in [GOOD, POLLING, "EIO=4&transport=polling&sid=abc", "EIO=4&transport=websocket&sid=abc"] {
            for origin in ["https://evil.example", "null", "https://chat.example.evil", "http://chat.example"]
            {
                assert_eq!(
                    asked(request(query).header("origin", origin)),
                    Err(Refusal::Forbidden),
                    "{origin}"
                );
            }
            assert!(asked(request(query).header("origin", "https://chat.example")).is_ok());
            let own =
                request(query).header("host", "me.example:3000").header("origin", "https://me.example:3000");
            assert!(asked(own).is_ok(), "the server's own page");
            let other =
                request(query).header("host", "me.example:3000").header("origin", "https://me.example");
            assert_eq!(asked(other), Err(Refusal::Forbidden), "another port is another origin");
            assert!(asked(request(query)).is_ok(), "no page of a browser");
        }
        let preflight = request(POLLING).method("OPTIONS").header("origin", "https://evil.example");
        assert_eq!(asked(preflight), Err(Refusal::Forbidden));
    }

    #[test]
    fn refusals_are_answered_as_node_does() {
        let response = Refusal::Forbidden.response();
        assert_eq!(response.status(), 403);
        assert_eq!(response.headers()[CONTENT_TYPE], "application/json");
        assert_eq!(Refusal::UnsupportedWebSocket.response().headers()[SEC_WEBSOCKET_VERSION], "13");
    }

    #[test]
    fn an_answer_may_be_read_by_pages_that_are_allowed() {
        let shared = |origins: &AllowedOrigins, origin| {
            let mut response = taken();
            share(&mut response, origins, Some(HeaderValue::from_static(origin)));
            response.headers().get(ACCESS_CONTROL_ALLOW_ORIGIN).cloned()
        };
        let list = config().allowed_origins;
        assert_eq!(shared(&list, "https://chat.example").unwrap(), "https://chat.example");
        assert_eq!(shared(&list, "https://evil.example"), None);
        assert_eq!(shared(&AllowedOrigins::Any, "https://evil.example").unwrap(), "*");
    }
}
