//! From the bytes of a request to its type, or to everything that is wrong with it: the same for REST and sockets.

mod nul;
mod refusal;

use std::borrow::Cow;

use serde::de::DeserializeOwned;
use tidings_core::error::{Code, FieldError, Refusal, code_of};
use tidings_core::limits::Limits;
use tidings_socketio::codec::json::nests_within;

/// Why a request cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecodeError {
    /// The stable name.
    pub code: Code,
    /// What to do about it, for people.
    pub detail: Cow<'static, str>,
    /// The fields that are wrong, if it is about fields.
    pub fields: Vec<FieldError>,
}

impl DecodeError {
    /// An error that is not about one field.
    pub fn new(code: Code, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { code, detail: detail.into(), fields: Vec::new() }
    }

    /// An error about fields.
    #[must_use]
    pub fn of_fields(fields: Vec<FieldError>) -> Self {
        let detail = "See errors: each names a field and what it may be.".into();
        Self { code: code_of(&fields), detail, fields }
    }

    /// An error about one field.
    pub fn of_field(pointer: impl Into<String>, code: Code, detail: impl Into<String>) -> Self {
        Self::of_fields(vec![FieldError::new(pointer, code, detail)])
    }
}

impl Refusal for DecodeError {
    fn code(&self) -> Code {
        self.code
    }

    fn detail(&self) -> Cow<'static, str> {
        self.detail.clone()
    }

    fn fields(&self) -> &[FieldError] {
        &self.fields
    }
}

/// Reads a JSON object. The size of the bytes is the caller's to bound.
///
/// # Errors
/// [`Code::Malformed`] for what is no JSON, [`Code::TooDeep`]; by JSON pointer [`Code::UnknownField`],
/// [`Code::MissingField`], [`Code::WrongType`], and [`Code::Invalid`] for values that no field takes.
pub fn decode_json<T: DeserializeOwned>(bytes: &[u8], limits: &Limits) -> Result<T, DecodeError> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        DecodeError::new(Code::Malformed, format!("Not UTF-8 from byte {}.", error.valid_up_to()))
    })?;
    let max = limits.json_levels_max;
    // Before the parser: parsers differ in where they give up, and some overflow their stack.
    if !nests_within(text, max) {
        return Err(DecodeError::new(Code::TooDeep, format!("Nest at most {max} levels.")));
    }
    // Serde reads an array into a struct, field by field in the order of its source: nobody means that.
    if !text.trim_ascii_start().starts_with('{') {
        return Err(refusal::not_an_object(text));
    }
    // Following the path costs more than the reading; it is wanted only where something is wrong.
    let Ok(value) = serde_json::from_str(text) else { return Err(mistake::<T>(text)) };
    nul::refuse(text)?;
    Ok(value)
}

/// What is wrong with a text that could not be read.
fn mistake<T: DeserializeOwned>(text: &str) -> DecodeError {
    let mut json = serde_json::Deserializer::from_str(text);
    match serde_path_to_error::deserialize::<_, T>(&mut json) {
        Err(error) => refusal::of_path_error(&error, text),
        Ok(_) => match json.end() {
            Err(error) => refusal::malformed(&error),
            Ok(()) => DecodeError::new(Code::Malformed, "The body cannot be read."),
        },
    }
}

#[cfg(test)]
mod tests;
