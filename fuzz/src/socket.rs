//! Socket.IO's packets: the decoder against a model of the grammar, its pieces, its limits, and the writers.

use std::ops::Range;

use serde_json::Value;
use tidings_socketio::codec::socket::{
    Body, Limits, MAIN_NAMESPACE, Packet, RESERVED_EVENT_NAMES, decode, write_ack, write_connect,
    write_connect_error, write_disconnect, write_event,
};

use crate::json::{self, Kind};
use crate::planted::is_planted;

const NAMESPACE_BYTES_MAX: usize = 128;
const TIGHT: Limits = Limits { json_depth_max: 3, event_name_bytes_max: 8, attachments_max: 2 };
const USUAL: Limits = Limits { json_depth_max: 32, event_name_bytes_max: 128, attachments_max: 10 };

/// Any text as a packet, under limits that are met often and under those of a server.
pub fn check(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    check_connect_error(text);
    for limits in [TIGHT, USUAL] {
        let packet = decode(text, limits);
        if packet.as_ref().is_ok_and(|packet| packet.body == Body::ConnectError) || text.starts_with('4') {
            // Only servers send it: nothing of its body is promised.
            continue;
        }
        let read = packet.ok().map(|packet| pieces(text, packet));
        assert_eq!(read, model(text, limits), "{text:?} under {limits:?}");
        if let Some(read) = read {
            check_values(&read);
            assert_eq!(written_and_read(&read, limits), Some(read));
        }
    }
}

/// What a packet says, as texts.
#[derive(Debug, PartialEq, Eq)]
struct Pieces {
    namespace: String,
    attachments: usize,
    said: Said,
}

#[derive(Debug, PartialEq, Eq)]
enum Said {
    Connect(Option<String>),
    Disconnect,
    Event { ack_id: Option<u64>, name: String, args: String, first: String },
    Ack(u64, String),
}

fn pieces(text: &str, packet: Packet<'_>) -> Pieces {
    // Panics where a range is not one of whole characters of the text.
    let piece = |range: Range<usize>| text[range].to_owned();
    let said = match packet.body {
        Body::Connect(auth) => Said::Connect(auth.map(str::to_owned)),
        Body::Disconnect => Said::Disconnect,
        Body::Ack(id, array) => Said::Ack(id, array.to_owned()),
        Body::ConnectError => unreachable!("looked at before"),
        Body::Event(event) => {
            let mut args = piece(event.args);
            if is_planted() && args.ends_with("]") {
                // The end of the last value is taken for that of the packet.
                args.pop();
            }
            Said::Event {
                ack_id: event.ack_id,
                name: event.name.into_owned(),
                args,
                first: piece(event.first),
            }
        }
    };
    Pieces { namespace: packet.namespace.to_owned(), attachments: packet.attachments, said }
}

/// The grammar, read plainly.
fn model(text: &str, limits: Limits) -> Option<Pieces> {
    let kind = text.chars().next()?;
    let mut rest = text.get(1..)?;
    let mut attachments = 0;
    if matches!(kind, '5' | '6') {
        let (count, after) = rest.split_at(digits(rest));
        attachments = count.parse().ok().filter(|count| (1..=limits.attachments_max).contains(count))?;
        rest = after.strip_prefix('-')?;
    }
    let mut namespace = MAIN_NAMESPACE;
    if rest.starts_with('/') {
        (namespace, rest) = rest.split_at(rest.find(',').unwrap_or(rest.len()));
        rest = rest.strip_prefix(',').unwrap_or(rest);
    }
    if namespace.len() > NAMESPACE_BYTES_MAX {
        return None;
    }
    let (id, payload) = rest.split_at(digits(rest));
    let ack_id = if id.is_empty() { None } else { Some(id.parse().ok()?) };
    let value = || json::read(payload).filter(|value| value.depth <= limits.json_depth_max);
    let said = match kind {
        '0' if payload.is_empty() => Said::Connect(None),
        '0' => {
            let object = value().filter(|value| value.kind == Kind::Object)?;
            Said::Connect(Some(payload[object.range].to_owned()))
        }
        '1' => payload.is_empty().then_some(Said::Disconnect)?,
        '2' | '5' => {
            let Kind::Array(elements) = value()?.kind else { return None };
            model_event(payload, &elements, ack_id, limits)?
        }
        '3' | '6' => {
            let array = value().filter(|value| matches!(value.kind, Kind::Array(_)))?;
            Said::Ack(ack_id?, payload[array.range].to_owned())
        }
        _ => return None,
    };
    Some(Pieces { namespace: namespace.to_owned(), attachments, said })
}

fn model_event(
    payload: &str,
    elements: &[Range<usize>],
    ack_id: Option<u64>,
    limits: Limits,
) -> Option<Said> {
    let [name, args @ ..] = elements else { return None };
    let name = &payload[name.clone()];
    let name = match json::read(name)?.kind {
        // Half a character is syntax, and no string.
        Kind::String => serde_json::from_str(name).ok()?,
        Kind::Number => name.to_owned(),
        _ => return None,
    };
    if name.len() > limits.event_name_bytes_max || RESERVED_EVENT_NAMES.contains(&&*name) {
        return None;
    }
    let (first, args) = match (args.first(), args.last()) {
        (Some(first), Some(last)) => (&payload[first.clone()], &payload[first.start..last.end]),
        _ => ("", ""),
    };
    Some(Said::Event { ack_id, name, args: args.to_owned(), first: first.to_owned() })
}

fn digits(text: &str) -> usize {
    text.bytes().take_while(u8::is_ascii_digit).count()
}

/// serde_json, which the application uses, finds the same values; but for numbers and characters that Rust has not.
fn check_values(read: &Pieces) {
    match &read.said {
        Said::Connect(Some(auth)) => {
            assert!(
                serde_json::from_str(auth).is_ok_and(|auth: Value| auth.is_object()) || has_no_value(auth)
            );
        }
        Said::Ack(_, array) => {
            assert!(serde_json::from_str::<Vec<Value>>(array).is_ok() || has_no_value(array));
        }
        Said::Event { args, first, .. } => match serde_json::from_str::<Vec<Value>>(&format!("[{args}]")) {
            Ok(values) => assert_eq!(values.first(), serde_json::from_str(first).ok().as_ref()),
            Err(_) => assert!(has_no_value(args)),
        },
        Said::Connect(None) | Said::Disconnect => {}
    }
}

fn has_no_value(json: &str) -> bool {
    json.contains(['e', 'E']) || json.contains("\\u") || json.bytes().filter(u8::is_ascii_digit).count() > 300
}

fn written_and_read(read: &Pieces, limits: Limits) -> Option<Pieces> {
    let Pieces { namespace, attachments, said } = read;
    let mut out = Vec::new();
    match said {
        Said::Event { ack_id, name, args, .. } => {
            write_event(&mut out, namespace, name, args, *ack_id, *attachments);
        }
        Said::Ack(id, array) => write_ack(&mut out, namespace, *id, &array[1..array.len() - 1], *attachments),
        Said::Disconnect => write_disconnect(&mut out, namespace),
        Said::Connect(_) => {
            // The server's answer to it says something else: as much as is the same.
            write_connect(&mut out, namespace, "sid", Some("\"pid\""));
            let text = String::from_utf8(out).expect("a packet is text");
            let packet = decode(&text, limits).expect("the decoder takes what was written");
            assert_eq!(packet.namespace, namespace);
            assert_eq!(packet.body, Body::Connect(Some(r#"{"sid":"sid","pid":"\"pid\""}"#)));
            let said = model(&text, limits).map(|_| Said::Connect(auth_of(said)));
            return said.map(|said| Pieces { namespace: packet.namespace.into(), attachments: 0, said });
        }
    }
    let text = String::from_utf8(out).expect("a packet is text");
    Some(pieces(&text, decode(&text, limits).expect("the decoder takes what was written")))
}

fn auth_of(said: &Said) -> Option<String> {
    if let Said::Connect(auth) = said { auth.clone() } else { None }
}

/// Any text may be the sentence of a refusal.
fn check_connect_error(message: &str) {
    let mut out = Vec::new();
    write_connect_error(&mut out, "/a", message, Some(&Value::from(message)));
    let text = String::from_utf8(out).expect("a packet is text");
    let packet = decode(&text, USUAL).expect("the decoder takes what was written");
    assert_eq!((packet.namespace, packet.body), ("/a", Body::ConnectError));
    let said: Value = serde_json::from_str(&text["4/a,".len()..]).expect("the body is JSON");
    assert_eq!(said, serde_json::json!({ "message": message, "data": message }));
}
