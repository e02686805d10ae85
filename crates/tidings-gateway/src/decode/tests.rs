use serde_json::Value;
use tidings_core::error::Code;
use tidings_core::limits::Limits;
use tidings_protocol::conversations::{AddParticipantsRequest, CreateConversationRequest};
use tidings_protocol::messages::SendMessageRequest;
use tidings_protocol::sessions::LoginRequest;
use tidings_protocol::sync::SyncRequest;

use super::*;

/// Code of the whole, then pointer and code of each field.
fn refusal<T: DeserializeOwned>(json: impl AsRef<[u8]>) -> (&'static str, Vec<(String, &'static str)>) {
    let error = decode_json::<T>(json.as_ref(), &Limits::default()).err().expect("it is refused");
    let fields = error.fields.iter().map(|field| (field.pointer.clone(), field.code.as_str()));
    (error.code.as_str(), fields.collect())
}

fn field<T: DeserializeOwned>(json: &str) -> (&'static str, String, &'static str) {
    let (code, mut fields) = refusal::<T>(json);
    assert_eq!(fields.len(), 1, "{fields:?}");
    let (pointer, field_code) = fields.remove(0);
    (code, pointer, field_code)
}

#[test]
fn a_field_that_is_wrong_is_named() {
    let send = field::<SendMessageRequest>;
    assert_eq!(send(r#"{"content":"hi","colour":1}"#), ("unknown_field", "/colour".into(), "unknown_field"));
    assert_eq!(send(r#"{"content":"hi","a/b~c":1}"#), ("unknown_field", "/a~1b~0c".into(), "unknown_field"));
    assert_eq!(send("{}"), ("missing_field", "/content".into(), "missing_field"));
    assert_eq!(send(r#"{"content":3}"#), ("wrong_type", "/content".into(), "wrong_type"));
    assert_eq!(send(r#"{"content":null}"#), ("wrong_type", "/content".into(), "wrong_type"));
    assert_eq!(send(r#"{"content":"a","content":"b"}"#), ("malformed", "/content".into(), "malformed"));
    assert_eq!(send(r#"[ "hi" ]"#), ("wrong_type", String::new(), "wrong_type"));
    assert_eq!(send("\"hi\""), ("wrong_type", String::new(), "wrong_type"));
    let add = field::<AddParticipantsRequest>;
    assert_eq!(add(r#"{"userIds":["a",7]}"#), ("wrong_type", "/userIds/1".into(), "wrong_type"));
    assert_eq!(add(r#"{"userIds":{}}"#), ("wrong_type", "/userIds".into(), "wrong_type"));
    assert_eq!(field::<SyncRequest>(r#"{"after":-1}"#), ("wrong_type", "/after".into(), "wrong_type"));
}

#[test]
fn a_conversation_is_refused_with_the_fields_of_its_kind() {
    let create = field::<CreateConversationRequest>;
    assert_eq!(
        create(r#"{"kind":"self","userId":"b"}"#),
        ("unknown_field", "/userId".into(), "unknown_field")
    );
    assert_eq!(create(r#"{"kind":"direct"}"#), ("missing_field", "/userId".into(), "missing_field"));
    assert_eq!(
        create(r#"{"kind":"group","title":"t","userIds":[1]}"#),
        ("wrong_type", "/userIds/0".into(), "wrong_type")
    );
    assert_eq!(create(r#"{"kind":"channel"}"#), ("invalid", "/kind".into(), "bad_format"));
    assert_eq!(create(r#"{"userId":"b"}"#), ("missing_field", "/kind".into(), "missing_field"));
}

#[test]
fn what_is_no_json_is_malformed() {
    for bad in [
        "",
        "  ",
        "{",
        "nonsense",
        "{\"content\":\"a\"} x",
        "{\"content\":\"\\ud800\"}",
        "{\"content\":1e999}",
    ] {
        assert_eq!(refusal::<SendMessageRequest>(bad), ("malformed", vec![]), "{bad}");
    }
    assert_eq!(refusal::<SendMessageRequest>(b"{\"content\":\"\xff\"}"), ("malformed", vec![]));
    assert_eq!(refusal::<SendMessageRequest>("{\"content\":\"a\nb\"}"), ("malformed", vec![]));
}

#[test]
fn a_number_instead_of_a_word_is_a_wrong_type() {
    for value in ["1", "null", "true", "[\"group\"]"] {
        let request = format!(r#"{{"kind":{value},"title":"a"}}"#);
        let expected = ("wrong_type", "/kind".into(), "wrong_type");
        assert_eq!(field::<CreateConversationRequest>(request.as_str()), expected, "{value}");
    }
}

#[test]
fn nesting_is_bounded_before_it_is_parsed() {
    let nested = |levels: usize| {
        format!(r#"{{"content":"[[[[","metadata":{}1{}}}"#, "[".repeat(levels - 1), "]".repeat(levels - 1))
    };
    let max = Limits::default().json_levels_max;
    assert!(decode_json::<SendMessageRequest>(nested(max).as_bytes(), &Limits::default()).is_ok());
    assert_eq!(refusal::<SendMessageRequest>(nested(max + 1)), ("too_deep", vec![]));
    assert_eq!(refusal::<SendMessageRequest>("[".repeat(200_000)), ("too_deep", vec![]));
}

#[test]
fn no_name_stands_twice_in_metadata_and_numbers_out_of_range_are_told() {
    let duplicate = r#"{"content":"a","metadata":{"k":[{"x":1,"y":{},"x":2}]}}"#;
    assert_eq!(field::<SendMessageRequest>(duplicate), ("malformed", "/metadata/k/0/x".into(), "malformed"));
    let sent = r#"{"content":"a","metadata":{"k":[null,true,-7,18446744073709551615,0.1,"s",{}]}}"#;
    let read = decode_json::<SendMessageRequest>(sent.as_bytes(), &Limits::default()).unwrap();
    assert_eq!(serde_json::to_string(&read).unwrap(), sent);
    let large = br#"{"content":"a","metadata":{"k":1e400}}"#;
    let error = decode_json::<SendMessageRequest>(large, &Limits::default()).unwrap_err();
    assert!(error.detail.starts_with("A number too large"), "{}", error.detail);
}

#[test]
fn u0000_is_refused_wherever_it_stands() {
    let (code, fields) =
        refusal::<SendMessageRequest>(r#"{"content":"a\u0000b","metadata":{"k":["\u0000"]}}"#);
    assert_eq!(code, "invalid");
    assert_eq!(fields, [("/content".into(), "bad_format"), ("/metadata/k/0".into(), "bad_format")]);
    assert_eq!(field::<SendMessageRequest>(r#"{"content":"a","metadata":{"a\u0000":1}}"#).1, "/metadata/a\0");
    let six_characters = br#"{"content":"\\u0000"}"#;
    let read = decode_json::<SendMessageRequest>(six_characters, &Limits::default()).unwrap();
    assert_eq!(read.content, "\\u0000");
}

#[test]
fn a_refusal_repeats_no_value() {
    let json = br#"{"login":"alice","password":["hunter22, expected"]}"#;
    let error = decode_json::<LoginRequest>(json, &Limits::default()).unwrap_err();
    assert_eq!(error.fields[0].pointer, "/password");
    let json = br#"{"login":"alice","password":"hunter22","device":{}}"#;
    let error = decode_json::<LoginRequest>(json, &Limits::default()).unwrap_err();
    assert!(!format!("{error:?}").contains("hunter22"));
    let value = serde_json::json!({"login": 1, "password": "hunter22"});
    let error =
        decode_json::<LoginRequest>(&serde_json::to_vec::<Value>(&value).unwrap(), &Limits::default());
    assert!(!format!("{error:?}").contains("hunter22"));
    assert_eq!(error.unwrap_err().code, Code::WrongType);
}
