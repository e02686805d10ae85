//! U+0000 in a string: valid JSON, and what databases and C libraries cut text off at.

use serde_json::Value;
use tidings_core::error::{Code, FieldError};

use super::DecodeError;
use super::refusal::push_segment;

/// Refuses text in which any string holds U+0000. In JSON it can stand only as an escape, so that almost every
/// request costs one search.
pub(super) fn refuse(json: &str) -> Result<(), DecodeError> {
    if !json.contains("\\u0000") {
        return Ok(());
    }
    // The backslash may itself be escaped: then it is six harmless characters.
    let value: Value = serde_json::from_str(json).unwrap_or_default();
    let mut fields = Vec::new();
    find(&value, &mut String::new(), &mut fields);
    if fields.is_empty() { Ok(()) } else { Err(DecodeError::of_fields(fields)) }
}

/// The depth of the value has been bounded before.
fn find(value: &Value, pointer: &mut String, fields: &mut Vec<FieldError>) {
    let mut refuse_in = |text: &str, pointer: &str| {
        if text.contains('\0') {
            fields.push(FieldError::new(pointer, Code::BadFormat, "text without U+0000"));
        }
    };
    let length = pointer.len();
    match value {
        Value::String(text) => refuse_in(text, pointer),
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                push_segment(pointer, &index.to_string());
                find(item, pointer, fields);
                pointer.truncate(length);
            }
        }
        Value::Object(members) => {
            for (key, member) in members {
                push_segment(pointer, key);
                if key.contains('\0') {
                    fields.push(FieldError::new(pointer.as_str(), Code::BadFormat, "a name without U+0000"));
                }
                find(member, pointer, fields);
                pointer.truncate(length);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
