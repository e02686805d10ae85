//! Wire types as JSON text.

use serde::Serialize;

/// The JSON of a wire type. They hold strings, numbers and maps with string keys: nothing that cannot be written.
pub(crate) fn to_json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_else(|error| {
        tracing::error!(%error, "a wire type cannot be written as JSON");
        "null".to_owned()
    })
}
