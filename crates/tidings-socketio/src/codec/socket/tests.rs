use proptest::prelude::*;

use super::*;

const LIMITS: Limits = Limits { json_depth_max: 4, event_name_bytes_max: 16 };

fn body(text: &str) -> Body<'_> {
    let packet = decode(text, LIMITS).unwrap();
    assert_eq!(packet.namespace, MAIN_NAMESPACE, "{text}");
    packet.body
}

fn refused(text: &str) -> DecodeError {
    decode(text, LIMITS).unwrap_err()
}

/// An event's name, its values, the first of them, and its id.
fn event_pieces(text: &str) -> (String, &str, &str, Option<u64>) {
    let Body::Event(event) = body(text) else { panic!("{text} is no event") };
    (event.name.into_owned(), &text[event.args], &text[event.first], event.ack_id)
}

#[test]
fn the_examples_of_the_protocol() {
    assert_eq!(body("0"), Body::Connect(None));
    assert_eq!(body(r#"0{"token":"123"}"#), Body::Connect(Some(r#"{"token":"123"}"#)));
    assert_eq!(body("1"), Body::Disconnect);
    assert_eq!(event_pieces(r#"2["foo"]"#), ("foo".into(), "", "", None));
    assert_eq!(event_pieces(r#"212["foo"]"#), ("foo".into(), "", "", Some(12)));
    assert_eq!(body(r#"313["bar"]"#), Body::Ack(13, r#"["bar"]"#));
    assert_eq!(body("30[]"), Body::Ack(0, "[]"));
    for (text, namespace, body) in [
        ("0/admin,", "/admin", Body::Connect(None)),
        ("0/admin", "/admin", Body::Connect(None)),
        (r#"0/admin,{"a":1}"#, "/admin", Body::Connect(Some(r#"{"a":1}"#))),
        ("1/admin,", "/admin", Body::Disconnect),
        (r#"3/admin,13["bar"]"#, "/admin", Body::Ack(13, r#"["bar"]"#)),
    ] {
        assert_eq!(decode(text, LIMITS), Ok(Packet { namespace, body }));
    }
}

#[test]
fn the_values_of_an_event_stay_as_they_were_written() {
    let text = r#"27["message:send", {"a": [1,2]} , "x]" ,3.50]"#;
    let (name, args, first, id) = event_pieces(text);
    assert_eq!((&name[..], id), ("message:send", Some(7)));
    assert_eq!(args, r#"{"a": [1,2]} , "x]" ,3.50"#);
    assert_eq!(first, r#"{"a": [1,2]}"#);
}

#[test]
fn a_name_may_be_escaped_or_a_number() {
    assert_eq!(event_pieces(r#"2["caf\u00e9",1]"#).0, "café");
    assert_eq!(event_pieces("2[12,1]").0, "12");
}

#[test]
fn payloads_that_their_type_does_not_allow() {
    for text in [
        "0[]",
        "0\"x\"",
        "0{",
        "0nope",
        "1{}",
        "2",
        "2[]",
        "2{}",
        "2[null]",
        "2[[]]",
        "2[true]",
        r#"2["a""#,
        r#"2["a",]"#,
        r#"2["a" 1]"#,
        r#"2["a"]x"#,
        r#"2["a",01]"#,
        "31",
        "31{}",
        "31[",
        r#"2["\ud800"]"#,
    ] {
        assert_eq!(refused(text), DecodeError::Payload, "{text}");
    }
    for text in ["", "7", "9[]", "abc", "é"] {
        assert_eq!(refused(text), DecodeError::UnknownType, "{text}");
    }
    assert_eq!(refused("3[]"), DecodeError::AckId);
    assert_eq!(refused(r#"299999999999999999999["a"]"#), DecodeError::AckId);
}

#[test]
fn binary_packets_are_known_and_refused() {
    assert_eq!(refused(r#"51-["a",{"_placeholder":true,"num":0}]"#), DecodeError::Binary);
    assert_eq!(refused("61-1[]"), DecodeError::Binary);
}

#[test]
fn names_are_bounded_and_some_are_reserved() {
    for name in RESERVED_EVENT_NAMES {
        assert_eq!(refused(&format!(r#"2["{name}"]"#)), DecodeError::EventName);
    }
    assert_eq!(refused(r#"2["\u0063onnect"]"#), DecodeError::EventName);
    assert_eq!(event_pieces(&event(&"x".repeat(16), "", None)).0.len(), 16);
    assert_eq!(refused(&event(&"x".repeat(17), "", None)), DecodeError::EventName);
}

#[test]
fn nesting_is_bounded() {
    assert_eq!(event_pieces(r#"2["a",[[[1]]]]"#).1, "[[[1]]]");
    assert_eq!(refused(r#"2["a",[[[[1]]]]]"#), DecodeError::TooDeep);
    assert_eq!(refused(&format!("0{}", r#"{"a":"#.repeat(100_000))), DecodeError::TooDeep);
}

#[test]
fn encodes_what_the_protocol_shows() {
    assert_eq!(connect("abc"), r#"0{"sid":"abc"}"#);
    assert_eq!(connect_error("/", "no \"way\"", None), r#"4{"message":"no \"way\""}"#);
    let data = serde_json::json!({"code": "expired"});
    assert_eq!(connect_error("/a", "no", Some(&data)), r#"4/a,{"message":"no","data":{"code":"expired"}}"#);
    assert_eq!(event("a\"b", "1,{}", None), r#"2["a\"b",1,{}]"#);
    assert_eq!(event("a", "", Some(3)), r#"23["a"]"#);
    assert_eq!(ack(12, r#"{"ok":true}"#), r#"312[{"ok":true}]"#);
}

proptest! {
    #[test]
    fn no_text_makes_the_decoder_panic(text in r#"[0-6]?(/[a-z]{0,3},?)?[0-9]{0,21}[\[\]{}",:a-z0-9é\\]{0,20}"#) {
        let _ = decode(&text, LIMITS);
    }

    #[test]
    fn what_is_encoded_is_decoded(name in "[ -~é]{1,5}", number in any::<i32>(), id in any::<Option<u64>>()) {
        let args = format!("{number},[]");
        let text = event(&name, &args, id);
        prop_assert_eq!(event_pieces(&text), (name, &args[..], &number.to_string()[..], id));
    }
}
