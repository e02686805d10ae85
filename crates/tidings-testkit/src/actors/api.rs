//! The REST API as a client without a library sees it.

use reqwest::{Client, Method, StatusCode};
use serde_json::Value;

use super::PATIENCE;

/// A server's address, and a connection pool to it.
#[derive(Clone)]
pub struct Api {
    /// `http://127.0.0.1:3000`, without a slash at the end.
    pub url: String,
    http: Client,
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: reqwest::header::HeaderMap,
    /// The body; null where it is not JSON.
    pub body: Value,
    /// The body as it came.
    pub text: String,
}

impl Reply {
    /// The `code` of a problem; empty for an answer that is none.
    #[must_use]
    pub fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }

    /// The pointers of a problem's errors.
    #[must_use]
    pub fn pointers(&self) -> Vec<&str> {
        let errors = self.body["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
        errors.iter().filter_map(|error| error["pointer"].as_str()).collect()
    }

    /// Panics unless it is this problem.
    #[track_caller]
    pub fn assert_problem(&self, status: u16, code: &str) {
        assert_eq!((self.status.as_u16(), self.code()), (status, code), "{}", self.text);
        assert_eq!(self.headers["content-type"], "application/problem+json", "{}", self.text);
        assert!(self.body["requestId"].is_string() && self.body["title"].is_string(), "{}", self.text);
        assert!(self.body["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{}", self.text);
    }

    /// Panics unless it is this success; gives the body.
    #[track_caller]
    #[must_use]
    pub fn assert_ok(self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        self.body
    }
}

impl Api {
    /// A client of the server at this address.
    ///
    /// # Panics
    /// Where there is no TLS-less HTTP client, which does not happen.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        let http = Client::builder().timeout(PATIENCE).no_proxy().build().expect("a plain HTTP client");
        Self { url: url.into(), http }
    }

    /// A request with a JSON body; `Value::Null` sends none.
    ///
    /// # Panics
    /// When no answer comes.
    pub async fn request(&self, method: Method, path: &str, token: Option<&str>, body: Value) -> Reply {
        let body = if body.is_null() { None } else { Some(body.to_string().into_bytes()) };
        self.request_raw(method, path, token, body, &[("content-type", "application/json")]).await
    }

    /// A request as it is said.
    ///
    /// # Panics
    /// When no answer comes.
    pub async fn request_raw(
        &self,
        method: Method,
        path: &str,
        token: Option<&str>,
        body: Option<Vec<u8>>,
        headers: &[(&str, &str)],
    ) -> Reply {
        self.try_request(method.clone(), path, token, body, headers)
            .await
            .unwrap_or_else(|error| panic!("{method} {path} got no answer: {error}"))
    }

    /// A request that may get no answer.
    ///
    /// # Errors
    /// The connection's.
    pub async fn try_request(
        &self,
        method: Method,
        path: &str,
        token: Option<&str>,
        body: Option<Vec<u8>>,
        headers: &[(&str, &str)],
    ) -> Result<Reply, reqwest::Error> {
        let mut request = self.http.request(method, format!("{}{path}", self.url));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.body(body);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await?;
        let (status, headers) = (response.status(), response.headers().clone());
        let text = response.text().await?;
        let body = serde_json::from_str(&text).unwrap_or_default();
        Ok(Reply { status, headers, body, text })
    }
}
