//! Socket.IO v5 packets: the body of an Engine.IO message, and how many binary messages belong to it.
//!
//! `<type>[<attachments>-][<namespace>,][<ack id>][<JSON>]`. What a packet may hold by its type is what
//! socket.io-parser takes; the JSON is checked, never built: the application parses the piece it wants. Attachments
//! follow as binary messages of their own; where they belong the JSON has `{"_placeholder":true,"num":0}`.

use std::borrow::Cow;
use std::fmt;
use std::io::Write as _;
use std::ops::Range;

use serde::de::{self, Deserialize, Deserializer, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::json::nests_within;

/// The namespace every client knows.
pub const MAIN_NAMESPACE: &str = "/";

/// Length of a namespace's name.
const NAMESPACE_BYTES_MAX: usize = 128;

/// Names with a meaning of their own in Socket.IO's libraries; no event may have them.
pub const RESERVED_EVENT_NAMES: [&str; 6] =
    ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"];

/// A packet, its pieces borrowed from the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// `/` or a longer name that begins with it.
    pub namespace: &'a str,
    /// Binary messages that follow and belong to it.
    pub attachments: usize,
    /// What the packet says.
    pub body: Body<'a>,
}

/// What a packet says, by its type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body<'a> {
    /// 0: asks for a namespace; with a JSON object, if any.
    Connect(Option<&'a str>),
    /// 1: leaves the namespace.
    Disconnect,
    /// 2: an event; the id asks for an acknowledgement.
    Event(EventBody<'a>),
    /// 3: an acknowledgement: the id, and a JSON array.
    Ack(u64, &'a str),
    /// 4: a refusal; clients never send it.
    ConnectError,
}

/// The pieces of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventBody<'a> {
    /// The id that its acknowledgement must bear, if it wants one.
    pub ack_id: Option<u64>,
    /// The event's name, unescaped.
    pub name: Cow<'a, str>,
    /// Where the values after the name are in the decoded text: JSON values separated by commas.
    pub args: Range<usize>,
    /// Where the first of them is; empty when there is none.
    pub first: Range<usize>,
}

/// What the decoder allows.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Nesting of the JSON, the outermost array or object included.
    pub json_depth_max: usize,
    /// Length of an event's name.
    pub event_name_bytes_max: usize,
    /// Binary messages of one packet.
    pub attachments_max: usize,
}

/// A packet that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The first character is no packet type.
    #[error("an unknown packet type")]
    UnknownType,
    /// A number of attachments that is missing or over the limit.
    #[error("a number of attachments that is missing or over the limit")]
    Attachments,
    /// A namespace's name over 128 bytes.
    #[error("a namespace's name that is too long")]
    Namespace,
    /// An acknowledgement id that is missing or too large.
    #[error("an acknowledgement id that is missing or too large")]
    AckId,
    /// JSON nested too deeply.
    #[error("JSON nested too deeply")]
    TooDeep,
    /// A payload that is not JSON, or not of the shape its type asks for.
    #[error("a payload that its packet type does not allow")]
    Payload,
    /// A reserved or too long event name.
    #[error("a reserved or too long event name")]
    EventName,
}

/// Reads one packet.
pub fn decode(text: &str, limits: Limits) -> Result<Packet<'_>, DecodeError> {
    let kind = *text.as_bytes().first().ok_or(DecodeError::UnknownType)?;
    let (attachments, rest) = match kind {
        b'0'..=b'4' => (0, &text[1..]),
        b'5' | b'6' => split_attachments(&text[1..], limits.attachments_max)?,
        _ => return Err(DecodeError::UnknownType),
    };
    let (namespace, rest) = split_namespace(rest);
    if namespace.len() > NAMESPACE_BYTES_MAX {
        return Err(DecodeError::Namespace);
    }
    let (id, payload) = split_ack_id(rest)?;
    if !nests_within(payload, limits.json_depth_max) {
        return Err(DecodeError::TooDeep);
    }
    let body = match kind {
        b'0' if payload.is_empty() => Body::Connect(None),
        b'0' => Body::Connect(Some(check_json(payload, b'{')?)),
        b'1' if payload.is_empty() => Body::Disconnect,
        b'1' => return Err(DecodeError::Payload),
        b'2' | b'5' => Body::Event(decode_event(text, payload, id, limits)?),
        b'3' | b'6' => Body::Ack(id.ok_or(DecodeError::AckId)?, check_json(payload, b'[')?),
        _ => Body::ConnectError,
    };
    Ok(Packet { namespace, attachments, body })
}

fn split_attachments(rest: &str, max: usize) -> Result<(usize, &str), DecodeError> {
    let (count, rest) = rest.split_once('-').ok_or(DecodeError::Attachments)?;
    let is_number = !count.is_empty() && count.bytes().all(|byte| byte.is_ascii_digit());
    match count.parse() {
        Ok(count) if is_number && (1..=max).contains(&count) => Ok((count, rest)),
        _ => Err(DecodeError::Attachments),
    }
}

fn split_namespace(rest: &str) -> (&str, &str) {
    if !rest.starts_with('/') {
        return (MAIN_NAMESPACE, rest);
    }
    // Without a comma all of the rest is the namespace: some clients leave it out when nothing follows.
    rest.split_once(',').unwrap_or((rest, ""))
}

fn split_ack_id(rest: &str) -> Result<(Option<u64>, &str), DecodeError> {
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    if digits == 0 {
        return Ok((None, rest));
    }
    let (id, payload) = rest.split_at(digits);
    Ok((Some(id.parse().map_err(|_| DecodeError::AckId)?), payload))
}

/// JSON that begins with this bracket, after any white space.
fn check_json(payload: &str, opening: u8) -> Result<&str, DecodeError> {
    let raw: &RawValue = serde_json::from_str(payload).map_err(|_| DecodeError::Payload)?;
    if raw.get().as_bytes().first() == Some(&opening) { Ok(raw.get()) } else { Err(DecodeError::Payload) }
}

fn decode_event<'a>(
    text: &'a str,
    payload: &'a str,
    ack_id: Option<u64>,
    limits: Limits,
) -> Result<EventBody<'a>, DecodeError> {
    let array: EventArray<'a> = serde_json::from_str(payload).map_err(|_| DecodeError::Payload)?;
    let is_reserved = RESERVED_EVENT_NAMES.contains(&&*array.name);
    if is_reserved || array.name.len() > limits.event_name_bytes_max {
        return Err(DecodeError::EventName);
    }
    let range = |piece: &str| {
        let start = piece.as_ptr() as usize - text.as_ptr() as usize;
        start..start + piece.len()
    };
    let first = array.first.map_or(0..0, range);
    let last = array.last.map_or(0..0, range);
    Ok(EventBody { ack_id, name: array.name, args: first.start..last.end, first })
}

/// `[name, value, …]`: the values checked and skipped, only the ends of their row remembered.
struct EventArray<'a> {
    name: Cow<'a, str>,
    first: Option<&'a str>,
    last: Option<&'a str>,
}

impl<'de> Deserialize<'de> for EventArray<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Elements;
        impl<'de> Visitor<'de> for Elements {
            type Value = EventArray<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array that begins with the name of an event")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Self::Value, A::Error> {
                let name: &RawValue =
                    elements.next_element()?.ok_or_else(|| de::Error::invalid_length(0, &self))?;
                let name = event_name(name.get()).map_err(de::Error::custom)?;
                let mut array = EventArray { name, first: None, last: None };
                while let Some(value) = elements.next_element::<&RawValue>()? {
                    array.first.get_or_insert(value.get());
                    array.last = Some(value.get());
                }
                Ok(array)
            }
        }
        deserializer.deserialize_seq(Elements)
    }
}

/// A string, or a number, which socket.io-parser allows too and which then is its own name.
fn event_name(raw: &str) -> Result<Cow<'_, str>, serde_json::Error> {
    match raw.as_bytes().first() {
        Some(b'"') if !raw.contains('\\') => Ok(Cow::Borrowed(&raw[1..raw.len() - 1])),
        Some(b'-' | b'0'..=b'9') => Ok(Cow::Borrowed(raw)),
        _ => serde_json::from_str(raw).map(Cow::Owned),
    }
}

/// `0[<namespace>,]{"sid":…[,"pid":…]}`: the answer to a CONNECT that was accepted.
pub fn write_connect(out: &mut Vec<u8>, namespace: &str, sid: &str, pid: Option<&str>) {
    write_start(out, b'0', 0, namespace, None);
    write(out, format_args!(r#"{{"sid":"{sid}""#));
    if let Some(pid) = pid {
        write(out, format_args!(r#","pid":{}"#, quoted(pid)));
    }
    out.push(b'}');
}

/// `4[<namespace>,]{"message":…[,"data":…]}`: the answer to a CONNECT that was refused.
pub fn write_connect_error(
    out: &mut Vec<u8>,
    namespace: &str,
    message: &str,
    data: Option<&serde_json::Value>,
) {
    write_start(out, b'4', 0, namespace, None);
    write(out, format_args!(r#"{{"message":{}"#, quoted(message)));
    if let Some(data) = data {
        write(out, format_args!(r#","data":{data}"#));
    }
    out.push(b'}');
}

/// `2[<namespace>,][<id>]["name",…]`, or `5<attachments>-…` where binary messages belong to it: an event.
pub fn write_event(
    out: &mut Vec<u8>,
    namespace: &str,
    name: &str,
    args_json: &str,
    ack_id: Option<u64>,
    attachments: usize,
) {
    write_start(out, b'2', attachments, namespace, ack_id);
    out.push(b'[');
    write_quoted(out, name);
    if !args_json.is_empty() {
        out.push(b',');
    }
    out.extend_from_slice(args_json.as_bytes());
    out.push(b']');
}

/// `3[<namespace>,]<id>[…]`, or `6<attachments>-…` where binary messages belong to it: an acknowledgement.
pub fn write_ack(out: &mut Vec<u8>, namespace: &str, id: u64, args_json: &str, attachments: usize) {
    write_start(out, b'3', attachments, namespace, Some(id));
    out.push(b'[');
    out.extend_from_slice(args_json.as_bytes());
    out.push(b']');
}

/// `1[<namespace>,]`: the end of a namespace.
pub fn write_disconnect(out: &mut Vec<u8>, namespace: &str) {
    write_start(out, b'1', 0, namespace, None);
}

/// `kind` is that of a packet without attachments; with some it is three more.
fn write_start(out: &mut Vec<u8>, kind: u8, attachments: usize, namespace: &str, id: Option<u64>) {
    if attachments > 0 {
        write(out, format_args!("{}{attachments}-", char::from(kind + 3)));
    } else {
        out.push(kind);
    }
    if namespace != MAIN_NAMESPACE {
        out.extend_from_slice(namespace.as_bytes());
        out.push(b',');
    }
    if let Some(id) = id {
        write(out, format_args!("{id}"));
    }
}

fn write(out: &mut Vec<u8>, text: fmt::Arguments<'_>) {
    // A vector takes everything.
    let _ = out.write_fmt(text);
}

/// Names of events hardly ever need an escape.
fn write_quoted(out: &mut Vec<u8>, text: &str) {
    if text.bytes().all(|byte| byte >= b' ' && byte != b'"' && byte != b'\\') {
        out.push(b'"');
        out.extend_from_slice(text.as_bytes());
        out.push(b'"');
    } else {
        write(out, format_args!("{}", quoted(text)));
    }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests;
