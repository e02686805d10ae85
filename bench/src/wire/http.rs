//! HTTP/1.1: requests written by hand, answers with a length. Neither server that is measured sends chunks.

use memchr::memmem;

use super::Malformed;

/// A head is never longer than this; what is, is not HTTP.
const HEAD_BYTES_MAX: usize = 16 * 1024;

/// One whole answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer<'a> {
    pub status: u16,
    pub body: &'a [u8],
    /// What it took of the input.
    pub bytes: usize,
}

/// Reads one answer; nothing when there is not yet all of it.
pub(crate) fn read_answer(input: &[u8]) -> Result<Option<Answer<'_>>, Malformed> {
    let Some(head_end) = memmem::find(input, b"\r\n\r\n") else {
        return if input.len() > HEAD_BYTES_MAX { Err(Malformed("a head without end")) } else { Ok(None) };
    };
    let (head, begin) = (&input[..head_end], head_end + 4);
    let status = status_of(head)?;
    let length = if status == 101 { 0 } else { content_length(head)? };
    let Some(body) = input.get(begin..begin + length) else { return Ok(None) };
    Ok(Some(Answer { status, body, bytes: begin + length }))
}

fn status_of(head: &[u8]) -> Result<u16, Malformed> {
    let digits = head.strip_prefix(b"HTTP/1.1 ").and_then(|rest| rest.get(..3));
    let digits = digits.and_then(|digits| std::str::from_utf8(digits).ok());
    digits.and_then(|digits| digits.parse().ok()).ok_or(Malformed("no status line"))
}

fn content_length(head: &[u8]) -> Result<usize, Malformed> {
    for line in head.split(|byte| *byte == b'\n').skip(1) {
        let Some(colon) = memchr::memchr(b':', line) else { continue };
        if line[..colon].eq_ignore_ascii_case(b"content-length") {
            let value = std::str::from_utf8(&line[colon + 1..]).ok().map(str::trim);
            return value.and_then(|value| value.parse().ok()).ok_or(Malformed("a length that is no number"));
        }
        if line[..colon].eq_ignore_ascii_case(b"transfer-encoding") {
            return Err(Malformed("an answer in chunks"));
        }
    }
    Ok(0)
}

/// Writes a POST of JSON.
pub(crate) fn write_post(out: &mut Vec<u8>, path: &[&str], token: &str, body: &[&str]) {
    let length: usize = body.iter().map(|part| part.len()).sum();
    out.extend_from_slice(b"POST ");
    extend(out, path);
    extend(out, &[" HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer ", token]);
    extend(out, &["\r\ncontent-type: application/json\r\ncontent-length: ", &length.to_string(), "\r\n\r\n"]);
    extend(out, body);
}

/// Writes a GET.
pub(crate) fn write_get(out: &mut Vec<u8>, path: &str, token: &str) {
    extend(out, &["GET ", path, " HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer ", token, "\r\n\r\n"]);
}

/// Writes the request that turns a connection into an Engine.IO WebSocket. The key is any: nobody listens in.
pub(crate) fn write_upgrade(out: &mut Vec<u8>) {
    out.extend_from_slice(
        b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nhost: bench\r\nconnection: upgrade\r\n\
          upgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    );
}

fn extend(out: &mut Vec<u8>, parts: &[&str]) {
    for part in parts {
        out.extend_from_slice(part.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &[u8] =
        b"HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: 4\r\n\r\n{\"a\"HTTP/1.1 200";

    #[test]
    fn an_answer_is_read_when_all_of_it_is_here() {
        for end in 0..ANSWER.len() - 12 {
            assert_eq!(read_answer(&ANSWER[..end]), Ok(None), "{end}");
        }
        let answer = read_answer(ANSWER).unwrap().expect("all of it");
        assert_eq!((answer.status, answer.body, answer.bytes), (201, &b"{\"a\""[..], ANSWER.len() - 12));
    }

    #[test]
    fn what_cannot_be_measured_is_refused() {
        assert!(read_answer(b"SSH-2.0\r\n\r\n").is_err());
        assert!(read_answer(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").is_err());
        assert!(read_answer(&[b'x'; HEAD_BYTES_MAX + 1]).is_err());
    }

    #[test]
    fn a_post_says_how_long_it_is() {
        let mut out = Vec::new();
        write_post(&mut out, &["/api/", "x"], "t", &["{\"a\":", "1}"]);
        let text = String::from_utf8(out).unwrap();
        assert!(
            text.starts_with("POST /api/x HTTP/1.1\r\n") && text.ends_with("\r\n\r\n{\"a\":1}"),
            "{text}"
        );
        assert!(text.contains("content-length: 7\r\n"), "{text}");
    }
}
