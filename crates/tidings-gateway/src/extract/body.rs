//! Reading a body: only JSON, only so many bytes whatever its headers say, and only so long.

use std::time::Duration;

use axum::body::Body;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tidings_core::error::Code;

use crate::problem::Refused;

/// From the end of the headers to the last byte of the body.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

pub(super) fn check_content_type(headers: &HeaderMap) -> Result<(), Refused> {
    let text = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut parts = text.split(';').map(str::trim);
    let is_json = parts.next().is_some_and(|kind| kind.eq_ignore_ascii_case("application/json"));
    // JSON between systems is UTF-8 (RFC 8259); a charset that says otherwise would be read wrongly.
    let is_utf8 = parts.all(|parameter| match parameter.split_once('=') {
        Some((name, value)) if name.trim().eq_ignore_ascii_case("charset") => {
            value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
        }
        _ => true,
    });
    let is_plain = |coding: &HeaderValue| coding.as_bytes().eq_ignore_ascii_case(b"identity");
    if !headers.get_all(CONTENT_ENCODING).iter().all(is_plain) {
        let detail = "Send the body as it is: Content-Encoding is not read.";
        return Err(Refused::new(Code::UnsupportedMediaType, detail));
    }
    if is_json && is_utf8 {
        return Ok(());
    }
    Err(Refused::new(Code::UnsupportedMediaType, "Send Content-Type: application/json, in UTF-8."))
}

pub(super) async fn read(headers: &HeaderMap, body: Body, max: usize) -> Result<bytes::Bytes, Refused> {
    let too_large = || Refused::new(Code::TooLarge, format!("A request's body is at most {max} bytes."));
    // What is announced as too large is refused before it is sent; `Expect: 100-continue` waits for exactly that.
    let announced = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| usize::try_from(length).map_or(true, |length| length > max)) {
        return Err(too_large());
    }
    match tokio::time::timeout(BODY_TIMEOUT, Limited::new(body, max).collect()).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
        Ok(Err(_)) => Err(Refused::new(Code::Malformed, "The body broke off. Send it again.")),
        Err(_) => {
            let seconds = BODY_TIMEOUT.as_secs();
            Err(Refused::new(Code::Timeout, format!("The body did not arrive within {seconds} seconds.")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(content_type: &'static str) -> bool {
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(content_type))]);
        check_content_type(&headers).is_ok()
    }

    #[test]
    fn only_json_in_utf8_is_taken() {
        for good in
            ["application/json", "Application/JSON; charset=UTF-8", "application/json;charset=\"utf-8\""]
        {
            assert!(checked(good), "{good}");
        }
        for bad in ["", "text/plain", "application/json; charset=latin1", "application/x-www-form-urlencoded"]
        {
            assert!(!checked(bad), "{bad}");
        }
        assert!(check_content_type(&HeaderMap::new()).is_err());
        for (coding, is_taken) in [("identity", true), ("gzip", false)] {
            let json = HeaderValue::from_static("application/json");
            let coding = (CONTENT_ENCODING, HeaderValue::from_static(coding));
            let headers = HeaderMap::from_iter([(CONTENT_TYPE, json), coding]);
            assert_eq!(check_content_type(&headers).is_ok(), is_taken);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_never_ends_is_given_up() {
        let body = Body::new(Never);
        let refused = read(&HeaderMap::new(), body, 100).await.unwrap_err();
        assert_eq!(refused.code, Code::Timeout);
    }

    #[tokio::test]
    async fn a_body_over_its_limit_is_refused_announced_or_not() {
        let announced = HeaderMap::from_iter([(CONTENT_LENGTH, HeaderValue::from_static("101"))]);
        assert_eq!(read(&announced, Body::empty(), 100).await.unwrap_err().code, Code::TooLarge);
        let body = Body::from(vec![b' '; 101]);
        assert_eq!(read(&HeaderMap::new(), body, 100).await.unwrap_err().code, Code::TooLarge);
        assert_eq!(read(&HeaderMap::new(), Body::from(vec![b' '; 100]), 100).await.unwrap().len(), 100);
    }

    struct Never;

    impl hyper::body::Body for Never {
        type Data = bytes::Bytes;
        type Error = std::convert::Infallible;

        fn poll_frame(
            self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Result<hyper::body::Frame<bytes::Bytes>, Self::Error>>> {
            std::task::Poll::Pending
        }
    }
}
