//! What serde says of a request, in our words and with a JSON pointer. Values are never repeated: one may be a
//! password.

use serde_json::error::Category;
use serde_path_to_error::{Path, Segment};
use tidings_core::error::Code;

use super::DecodeError;

pub(super) fn not_an_object(text: &str) -> DecodeError {
    if text.trim_ascii().is_empty() {
        return DecodeError::new(Code::Malformed, "The body is empty; send a JSON object.");
    }
    match serde_json::from_str::<serde::de::IgnoredAny>(text) {
        Ok(_) => DecodeError::of_field("", Code::WrongType, "a JSON object"),
        Err(error) => malformed(&error),
    }
}

pub(super) fn malformed(error: &serde_json::Error) -> DecodeError {
    let (line, column) = (error.line(), error.column());
    // JSON has numbers of any size; serde says so by its message only.
    let what = match error.to_string().starts_with("number out of range") {
        true => "A number too large, write it as a string,",
        false => "Not JSON",
    };
    DecodeError::new(Code::Malformed, format!("{what} at line {line}, column {column}."))
}

pub(super) fn of_path_error(
    error: &serde_path_to_error::Error<serde_json::Error>,
    text: &str,
) -> DecodeError {
    match error.inner().classify() {
        Category::Data => of_data_error(&error.inner().to_string(), error.path()),
        // Of a number where one of several words is wanted serde says that it is no value at all.
        _ if serde_json::from_str::<serde_json::Value>(text).is_ok() => {
            DecodeError::of_field(pointer_of(error.path()), Code::WrongType, "another type of value")
        }
        Category::Syntax | Category::Eof | Category::Io => malformed(error.inner()),
    }
}

/// Serde tells kinds of mistakes apart by its message only; the beginnings are those of `serde::de::Error`.
fn of_data_error(message: &str, path: &Path) -> DecodeError {
    let message = message.split(" at line ").next().unwrap_or(message);
    let mut pointer = pointer_of(path);
    if let Some(rest) = message.strip_prefix("unknown field `") {
        // The path ends in the field where the field was read, and at its object where a later look found it.
        if !matches!(path.iter().next_back(), Some(Segment::Map { key }) if rest.starts_with(key.as_str())) {
            push_segment(&mut pointer, rest.split('`').next().unwrap_or_default());
        }
        let detail = expected(message).map_or_else(
            || "not part of this request".into(),
            |fields| format!("not part of this request: {fields}"),
        );
        return DecodeError::of_field(pointer, Code::UnknownField, detail);
    }
    if let Some(field) = quoted_after("missing field `", message) {
        push_segment(&mut pointer, field);
        return DecodeError::of_field(pointer, Code::MissingField, "is needed");
    }
    if let Some(field) = quoted_after("duplicate field `", message) {
        push_segment(&mut pointer, field);
        return DecodeError::of_field(pointer, Code::Malformed, "stands there twice");
    }
    let detail = expected(message).unwrap_or_else(|| "another value".into());
    if message.starts_with("unknown variant ") {
        return DecodeError::of_field(pointer, Code::BadFormat, detail);
    }
    DecodeError::of_field(pointer, Code::WrongType, detail)
}

fn quoted_after<'a>(prefix: &str, message: &'a str) -> Option<&'a str> {
    message.strip_prefix(prefix)?.split('`').next()
}

/// What would have been right. The last one counts: the value before it is the client's own text.
fn expected(message: &str) -> Option<String> {
    let (_, expected) = message.rsplit_once(", expected ")?;
    Some(match expected {
        "a sequence" => "an array".into(),
        "a map" => "an object".into(),
        "u64" | "u32" | "usize" => "a whole number, 0 or more".into(),
        other => other.replace('`', ""),
    })
}

fn pointer_of(path: &Path) -> String {
    let mut pointer = String::new();
    for segment in path {
        match segment {
            Segment::Seq { index } => push_segment(&mut pointer, &index.to_string()),
            Segment::Map { key } => push_segment(&mut pointer, key),
            Segment::Enum { .. } | Segment::Unknown => {}
        }
    }
    pointer
}

/// One step of a JSON pointer (RFC 6901).
pub(super) fn push_segment(pointer: &mut String, name: &str) {
    pointer.push('/');
    pointer.push_str(&name.replace('~', "~0").replace('/', "~1"));
}
