use proptest::prelude::*;

use super::*;

const LIMITS: Limits = Limits { json_depth_max: 4, event_name_bytes_max: 16, attachments_max: 3 };

fn body(text: &str) -> Body<'_> {
    let packet = decode(text, LIMITS).unwrap();
    assert_eq!(packet.namespace, MAIN_NAMESPACE, "{text}");
    packet.body
}

fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut out = Vec::new();
    write(&mut out);
    String::from_utf8(out).unwrap()
}

fn event(name: &str, args_json: &str, ack_id: Option<u64>) -> String {
    written(|out| write_event(out, "/", name, args_json, ack_id, 0))
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
        assert_eq!(decode(text, LIMITS), Ok(Packet { namespace, attachments: 0, body }));
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
fn a_binary_packet_says_how_many_messages_follow() {
    let text = r#"52-/admin,7["a",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#;
    let packet = decode(text, LIMITS).unwrap();
    assert_eq!((packet.namespace, packet.attachments), ("/admin", 2));
    let Body::Event(event) = packet.body else { panic!("{packet:?}") };
    assert_eq!((&*event.name, event.ack_id), ("a", Some(7)));
    assert!(text[event.args].starts_with(r#"{"_placeholder""#));
    let packet = decode("61-13[null]", LIMITS).unwrap();
    assert_eq!((packet.attachments, packet.body), (1, Body::Ack(13, "[null]")));
    for text in [
        r#"5["a"]"#,
        r#"5-["a"]"#,
        r#"54-["a"]"#,
        r#"50-["a"]"#,
        r#"5+1-["a"]"#,
        r#"51.0-["a"]"#,
        r#"599999999999999999999-["a"]"#,
    ] {
        assert_eq!(refused(text), DecodeError::Attachments, "{text}");
    }
}

#[test]
fn a_namespace_is_bounded() {
    assert!(decode(&format!("0/{},", "x".repeat(127)), LIMITS).is_ok());
    assert_eq!(refused(&format!("0/{},", "x".repeat(128))), DecodeError::Namespace);
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
    assert_eq!(written(|out| write_connect(out, "/", "abc", None)), r#"0{"sid":"abc"}"#);
    assert_eq!(written(|out| write_connect(out, "/a", "b", Some("c"))), r#"0/a,{"sid":"b","pid":"c"}"#);
    assert_eq!(
        written(|out| write_connect_error(out, "/", "no \"way\"", None)),
        r#"4{"message":"no \"way\""}"#
    );
    let data = serde_json::json!({"code": "expired"});
    assert_eq!(
        written(|out| write_connect_error(out, "/a", "no", Some(&data))),
        r#"4/a,{"message":"no","data":{"code":"expired"}}"#
    );
    assert_eq!(event("a\"b", "1,{}", None), r#"2["a\"b",1,{}]"#);
    assert_eq!(event("a", "", Some(3)), r#"23["a"]"#);
    assert_eq!(written(|out| write_event(out, "/a", "b", "1", Some(9), 2)), r#"52-/a,9["b",1]"#);
    assert_eq!(written(|out| write_ack(out, "/", 12, r#"{"ok":true}"#, 0)), r#"312[{"ok":true}]"#);
    assert_eq!(written(|out| write_ack(out, "/a", 12, "1", 1)), "61-/a,12[1]");
    assert_eq!(written(|out| write_disconnect(out, "/")), "1");
    assert_eq!(written(|out| write_disconnect(out, "/a")), "1/a,");
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
