//! The request that a connection begins with: what is read of it, and that nothing is read of one that is not whole.

use std::collections::BTreeMap;

use http::Method;
use tidings_socketio::codec::head::{HEADERS_MAX, Head, decode};

use crate::planted::is_planted;

/// Names, in lower case, with their values in order.
type Headers = BTreeMap<String, Vec<Vec<u8>>>;

/// A request by its lines.
#[derive(Debug, PartialEq, Eq)]
struct Model {
    target: Vec<u8>,
    headers: Headers,
    bytes: usize,
}

/// Any bytes as what a client says first.
pub fn check(input: &[u8]) {
    let Some(head) = decode(input) else {
        return assert!(!is_plain(input), "a plain request is refused");
    };
    let mut expected = Model::of(input).expect("it is read, and is no request");
    if !expected.target.starts_with(b"/") {
        // A proxy's form, or `*`: of these the path is not compared.
        expected.target = path(&head);
    }
    assert_eq!(read(&head), expected);
    let whole = &input[..head.bytes];
    assert_eq!(decode(whole).map(|head| head.bytes), Some(head.bytes), "what follows belongs to it");
    for end in [head.bytes - 1, head.bytes / 2, 0] {
        assert!(decode(&input[..end]).is_none(), "{end} bytes of it are a whole one");
    }
}

fn read(head: &Head) -> Model {
    assert_eq!((head.request.method(), head.request.version()), (&Method::GET, http::Version::HTTP_11));
    let mut headers = Headers::new();
    for (name, value) in head.request.headers() {
        headers.entry(name.as_str().to_owned()).or_default().push(value.as_bytes().to_vec());
    }
    if is_planted() {
        // The second of two is lost where it is of a certain length.
        headers.values_mut().filter(|values| values.len() > 1 && values[1].len() % 4 == 3).for_each(
            |values| {
                values.truncate(1);
            },
        );
    }
    Model { target: path(head), headers, bytes: head.bytes }
}

fn path(head: &Head) -> Vec<u8> {
    head.request.uri().path_and_query().map_or_else(Vec::new, |path| path.as_str().into())
}

impl Model {
    /// By RFC 9112: a line with three words, lines with a colon, an empty line.
    fn of(input: &[u8]) -> Option<Self> {
        let mut lines = Lines { input, at: 0 };
        // Empty lines before the first are skipped (section 2.2).
        let first = loop {
            match lines.next()? {
                [] => {}
                line => break line,
            }
        };
        let words: Vec<&[u8]> = first.split(|byte| *byte == b' ').collect();
        let [b"GET", target, b"HTTP/1.1"] = words[..] else { return None };
        // A fragment is the client's own.
        let target = target.split(|byte| *byte == b'#').next()?;
        let mut headers = Headers::new();
        loop {
            match lines.next()? {
                [] => return Some(Self { target: target.to_vec(), headers, bytes: lines.at }),
                line => {
                    let colon = line.iter().position(|byte| *byte == b':')?;
                    let name = String::from_utf8(line[..colon].to_ascii_lowercase()).ok()?;
                    if name == "content-length" || name == "transfer-encoding" {
                        return None;
                    }
                    headers.entry(name).or_default().push(trimmed(&line[colon + 1..]).to_vec());
                }
            }
        }
    }
}

/// Lines with their ends taken off.
struct Lines<'a> {
    input: &'a [u8],
    at: usize,
}

impl<'a> Lines<'a> {
    fn next(&mut self) -> Option<&'a [u8]> {
        let rest = &self.input[self.at..];
        let end = rest.iter().position(|byte| *byte == b'\n')?;
        self.at += end + 1;
        Some(rest[..end].strip_suffix(b"\r").unwrap_or(&rest[..end]))
    }
}

fn trimmed(value: &[u8]) -> &[u8] {
    let is_space = |byte: &u8| matches!(byte, b' ' | b'\t');
    let from = value.iter().position(|byte| !is_space(byte)).unwrap_or(value.len());
    let to = value.iter().rposition(|byte| !is_space(byte)).map_or(from, |last| last + 1);
    &value[from..to]
}

/// Whether every server must take it: nothing in it that one may refuse, and no body.
fn is_plain(input: &[u8]) -> bool {
    let Some(model) = Model::of(input) else { return false };
    let is_word = |bytes: &[u8]| {
        !bytes.is_empty() && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
    };
    let is_value = |value: &Vec<u8>| value.iter().all(u8::is_ascii_graphic);
    let mut lines = input[..model.bytes].split(|byte| *byte == b'\n');
    lines.all(|line| line.is_empty() || line.ends_with(b"\r"))
        && !input[..model.bytes].contains(&b'#')
        && model.target.strip_prefix(b"/").is_some_and(is_word)
        && model.headers.keys().all(|name| is_word(name.as_bytes()))
        && model.headers.values().flatten().all(is_value)
        && model.headers.values().flatten().count() <= HEADERS_MAX
}
