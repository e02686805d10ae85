//! What a message may be, before the store is asked.

use serde_json::Value;

use crate::error::{Code, FieldError};
use crate::limits::Limits;
use crate::visible::is_visible;

use super::{MessageKind, SendMessage};

/// A message whose own fields are right; whether it may be sent is decided where it is stored.
pub(super) struct Checked {
    pub kind: MessageKind,
    /// Compact, with its keys sorted, so that a retry compares equal.
    pub metadata: Option<String>,
}

pub(super) fn check_send(command: &SendMessage, limits: &Limits) -> Result<Checked, Vec<FieldError>> {
    let mut errors = Vec::new();
    let kind = check_kind(command.kind.as_deref(), &mut errors);
    let metadata =
        command.metadata.as_ref().and_then(|metadata| check_metadata(metadata, limits, &mut errors));
    check_content(&command.content, kind, limits, &mut errors);
    if errors.is_empty() { Ok(Checked { kind, metadata }) } else { Err(errors) }
}

fn check_kind(kind: Option<&str>, errors: &mut Vec<FieldError>) -> MessageKind {
    let Some(text) = kind else { return MessageKind::Text };
    if let Some(kind) = MessageKind::parse(text) {
        return kind;
    }
    let (code, detail) = match text {
        "image" | "file" | "audio" | "video" => {
            (Code::NotSupported, "attachments are not served yet: text or custom")
        }
        "system" => (Code::BadFormat, "system messages are the server's own: text or custom"),
        _ => (Code::BadFormat, "text or custom"),
    };
    errors.push(FieldError::new("/type", code, detail));
    MessageKind::Text
}

fn check_content(content: &str, kind: MessageKind, limits: &Limits, errors: &mut Vec<FieldError>) {
    let checked = check_length(content, limits).and_then(|()| kind.check_visible(is_visible(content)));
    errors.extend(checked.err());
}

pub(super) fn check_length(content: &str, limits: &Limits) -> Result<(), FieldError> {
    let max = limits.content_bytes_max;
    if content.len() <= max {
        return Ok(());
    }
    let detail = format!("{} bytes of UTF-8; at most {max}", content.len());
    Err(FieldError::new("/content", Code::TooLong, detail))
}

impl MessageKind {
    /// Whether such a message may say what is visible or not. An edit is checked where it is stored, which knows the
    /// kind.
    ///
    /// # Errors
    /// What a sender is told.
    pub fn check_visible(self, is_visible: bool) -> Result<(), FieldError> {
        if is_visible || self != Self::Text {
            return Ok(());
        }
        Err(FieldError::new("/content", Code::TooShort, "a text message needs something visible"))
    }
}

fn check_metadata(metadata: &Value, limits: &Limits, errors: &mut Vec<FieldError>) -> Option<String> {
    let (bytes_max, levels_max) = (limits.metadata_bytes_max, limits.metadata_levels_max);
    if !metadata.is_object() {
        errors.push(FieldError::new("/metadata", Code::WrongType, "a JSON object"));
        return None;
    }
    if levels(metadata) > levels_max {
        errors.push(FieldError::new("/metadata", Code::TooDeep, format!("at most {levels_max} levels")));
        return None;
    }
    let text = metadata.to_string();
    if text.len() > bytes_max {
        let detail = format!("{} bytes as compact JSON; at most {bytes_max}", text.len());
        errors.push(FieldError::new("/metadata", Code::TooLong, detail));
        return None;
    }
    Some(text)
}

/// How deep it nests; its own depth is bounded by the limit on a request's JSON.
fn levels(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(levels).max().unwrap_or(0),
        Value::Object(fields) => 1 + fields.values().map(levels).max().unwrap_or(0),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::ConversationId;
    use serde_json::json;
    use uuid::Uuid;

    fn message(content: &str) -> SendMessage {
        SendMessage {
            conversation: ConversationId(Uuid::nil()),
            client_message_id: None,
            kind: None,
            content: content.to_owned(),
            metadata: None,
        }
    }

    fn refusals(command: &SendMessage) -> Vec<(String, Code)> {
        let checked = check_send(command, &Limits::default());
        checked.err().unwrap_or_default().into_iter().map(|e| (e.pointer, e.code)).collect()
    }

    #[test]
    fn text_is_taken_up_to_its_limit_in_bytes() {
        assert_eq!(refusals(&message(&"é".repeat(8 * 1024))), []);
        assert_eq!(refusals(&message(&"é".repeat(8 * 1024 + 1))), [("/content".into(), Code::TooLong)]);
        assert_eq!(refusals(&message(" \n\t")), [("/content".into(), Code::TooShort)]);
        assert_eq!(refusals(&message("\u{200b}")), [("/content".into(), Code::TooShort)]);
    }

    #[test]
    fn kinds_that_are_not_served_are_told_from_those_that_do_not_exist() {
        let with_kind = |kind: &str| SendMessage { kind: Some(kind.to_owned()), ..message("hi") };
        assert_eq!(refusals(&with_kind("custom")), []);
        assert_eq!(refusals(&with_kind("image")), [("/type".into(), Code::NotSupported)]);
        assert_eq!(refusals(&with_kind("system")), [("/type".into(), Code::BadFormat)]);
        assert_eq!(refusals(&with_kind("TEXT")), [("/type".into(), Code::BadFormat)]);
    }

    #[test]
    fn metadata_is_an_object_of_bounded_size_and_depth() {
        let with = |metadata: Value| SendMessage { metadata: Some(metadata), ..message("hi") };
        let mut deep = json!(1);
        for _ in 0..8 {
            deep = json!({ "a": deep });
        }
        assert_eq!(refusals(&with(deep.clone())), []);
        assert_eq!(refusals(&with(json!({ "a": deep }))), [("/metadata".into(), Code::TooDeep)]);
        assert_eq!(refusals(&with(json!({ "a": "x".repeat(4090) }))), [("/metadata".into(), Code::TooLong)]);
        assert_eq!(refusals(&with(json!([1]))), [("/metadata".into(), Code::WrongType)]);
    }

    #[test]
    fn metadata_of_a_retry_compares_equal_whatever_the_order_of_its_keys() {
        let checked = |text: &str| {
            let command =
                SendMessage { metadata: Some(serde_json::from_str(text).unwrap()), ..message("hi") };
            check_send(&command, &Limits::default()).ok().and_then(|checked| checked.metadata)
        };
        assert_eq!(checked(r#"{"b":1,"a":2}"#), checked(r#"{ "a": 2, "b": 1 }"#));
    }
}
