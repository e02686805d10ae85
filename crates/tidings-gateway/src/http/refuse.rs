//! Answers to those who are not served: the server is full, or they speak another protocol.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

/// Refusals that are being told at a time; further ones are closed without a word.
const AT_ONCE: usize = 64;
/// How long somebody may take to read a refusal.
const PATIENCE: Duration = Duration::from_secs(1);

/// Without a request id: the request was not read.
pub(super) const OVERLOADED: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\n\
    content-type: application/problem+json\r\n\
    content-length: 214\r\n\
    retry-after: 1\r\n\
    connection: close\r\n\
    \r\n\
    {\"type\":\"urn:tidings:problem:overloaded\",\"title\":\"The server is overloaded\",\"status\":503,\
    \"detail\":\"Too many connections. Try again in a moment.\",\"code\":\"overloaded\",\"instance\":\"\",\
    \"requestId\":\"\",\"retryAfterMs\":1000}";

/// To who speaks HTTP where only TLS is understood.
pub(super) const TLS_ONLY: &[u8] = b"HTTP/1.1 400 Bad Request\r\n\
    content-type: application/problem+json\r\n\
    content-length: 205\r\n\
    connection: close\r\n\
    \r\n\
    {\"type\":\"urn:tidings:problem:malformed\",\"title\":\"The request cannot be read\",\"status\":400,\
    \"detail\":\"This port speaks TLS: the address begins with https://.\",\"code\":\"malformed\",\"instance\":\"\",\
    \"requestId\":\"\"}";

#[derive(Clone)]
pub(super) struct Refuser(Arc<Semaphore>);

impl Refuser {
    pub(super) fn new() -> Self {
        Self(Arc::new(Semaphore::new(AT_ONCE)))
    }

    /// Tells the client and closes.
    pub(super) fn refuse(&self, mut stream: TcpStream, answer: &'static [u8]) {
        let Ok(place) = Arc::clone(&self.0).try_acquire_owned() else { return };
        tokio::spawn(async move {
            let tell = async {
                stream.write_all(answer).await?;
                stream.shutdown().await?;
                // Closing while bytes of the request are unread would reset the connection, and the answer with it.
                let mut rest = [0; 1024];
                while stream.read(&mut rest).await? > 0 {}
                Ok::<_, std::io::Error>(())
            };
            let _ = tokio::time::timeout(PATIENCE, tell).await;
            drop(place);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_answer_is_as_long_as_it_says_and_a_problem() {
        for (answer, status, code) in [(OVERLOADED, 503, "overloaded"), (TLS_ONLY, 400, "malformed")] {
            let text = std::str::from_utf8(answer).unwrap();
            let (head, body) = text.split_once("\r\n\r\n").unwrap();
            assert!(head.contains(&format!("content-length: {}\r\n", body.len())), "{}", body.len());
            let problem: tidings_protocol::problem::Problem = serde_json::from_str(body).unwrap();
            assert_eq!((problem.status, problem.code.as_str()), (status, code));
        }
    }
}
