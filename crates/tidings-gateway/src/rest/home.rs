//! `/`: what this is and what to try next, for somebody who opened the address in a browser.

use std::sync::Arc;

use axum::Extension;
use axum::response::IntoResponse;
use http::HeaderMap;
use http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST};

use crate::operations::Node;

/// A page has a style and nothing else: no script, no image, no request to anywhere.
pub(super) const CSP: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; \
                   frame-ancestors 'none'";

pub(super) async fn get_home(Extension(node): Extension<Arc<Node>>, headers: HeaderMap) -> impl IntoResponse {
    let scheme = if node.is_tls { "https" } else { "http" };
    let page = include_str!("home.html")
        .replace("{{origin}}", &format!("{scheme}://{}", host(&headers)))
        .replace("{{version}}", env!("CARGO_PKG_VERSION"));
    ([(CONTENT_TYPE, "text/html; charset=utf-8"), (CONTENT_SECURITY_POLICY, CSP)], page)
}

/// The host that the browser asked for, for commands to be copied. What does not look like one is not repeated.
fn host(headers: &HeaderMap) -> &str {
    headers
        .get(HOST)
        .and_then(|value| value.to_str().ok())
        .filter(|host| !host.is_empty() && host.len() <= 255)
        .filter(|host| host.bytes().all(|b| b.is_ascii_alphanumeric() || b".-:[]_".contains(&b)))
        .unwrap_or("127.0.0.1:3000")
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn a_host_that_is_none_is_not_repeated() {
        let of = |text: &'static str| {
            host(&HeaderMap::from_iter([(HOST, HeaderValue::from_static(text))])).to_owned()
        };
        assert_eq!(of("chat.example:8080"), "chat.example:8080");
        assert_eq!(of("[::1]:3000"), "[::1]:3000");
        assert_eq!(of("<script>alert(1)</script>"), "127.0.0.1:3000");
    }
}
