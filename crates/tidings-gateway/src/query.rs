//! Query parameters: by name, each once, unknown ones refused. A parameter's pointer is `/name`.

use percent_encoding::percent_decode_str;
use tidings_core::error::{Code, FieldError};

use crate::decode::DecodeError;

/// Mistakes that one answer tells of.
const ERRORS_MAX: usize = 20;

/// The parameters of one request, taken out one by one; what was wrong with any of them is told at the end.
pub struct Query {
    pairs: Vec<(String, String)>,
    errors: Vec<FieldError>,
}

impl Query {
    /// Reads a query string in which the `known` parameters may stand. Those `not_served` yet are told apart from
    /// those that nobody knows.
    #[must_use]
    pub fn read(query: Option<&str>, known: &[&str], not_served: &[&str]) -> Self {
        let mut read = Self { pairs: Vec::new(), errors: Vec::new() };
        for pair in query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (Some(name), Some(value)) = (unescape(name), unescape(value)) else {
                read.refuse("", Code::Malformed, "percent-encoded UTF-8 without U+0000");
                continue;
            };
            if not_served.contains(&name.as_str()) {
                read.refuse(&name, Code::NotSupported, "not served by this version");
            } else if !known.contains(&name.as_str()) {
                let detail = match known {
                    [] => "not part of this request: no parameters".to_owned(),
                    known => format!("not part of this request: one of {}", known.join(", ")),
                };
                read.refuse(&name, Code::UnknownField, detail);
            } else if read.pairs.iter().any(|(seen, _)| *seen == name) {
                read.refuse(&name, Code::Malformed, "stands there twice");
            } else {
                read.pairs.push((name, value));
            }
        }
        read
    }

    /// A parameter that is `true` or `false`.
    pub fn flag(&mut self, name: &str) -> Option<bool> {
        match self.text(name)?.as_str() {
            "true" => Some(true),
            "false" => Some(false),
            _ => {
                self.refuse(name, Code::BadFormat, "true or false");
                None
            }
        }
    }

    /// What is looked for.
    pub fn search(&mut self, name: &str, chars_max: usize) -> Option<String> {
        let text = self.text(name)?;
        if text.chars().count() > chars_max {
            self.refuse(name, Code::TooLong, format!("at most {chars_max} characters"));
        }
        Some(text)
    }

    /// The words of a parameter, in lower case; none where it is absent.
    pub fn words(&mut self, name: &str, chars_max: usize) -> Vec<String> {
        let Some(text) = self.search(name, chars_max) else { return Vec::new() };
        let words: Vec<String> = text.split_whitespace().map(str::to_lowercase).collect();
        if words.is_empty() {
            self.refuse(name, Code::TooShort, "what to look for");
        }
        words
    }

    /// A parameter as text.
    pub fn text(&mut self, name: &str) -> Option<String> {
        let index = self.pairs.iter().position(|(known, _)| known == name)?;
        Some(self.pairs.swap_remove(index).1)
    }

    /// A parameter as a number that a store can count to.
    pub fn number(&mut self, name: &str) -> Option<u64> {
        let text = self.text(name)?;
        let digits_only = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let number = text.parse::<i64>().ok().and_then(|number| u64::try_from(number).ok());
        if !digits_only || number.is_none() {
            self.refuse(name, Code::WrongType, format!("a whole number from 0 to {}", i64::MAX));
            return None;
        }
        number
    }

    /// `limit`, as services take it.
    pub fn limit(&mut self) -> Option<usize> {
        self.number("limit").map(|number| usize::try_from(number).unwrap_or(usize::MAX))
    }

    /// Notes that a parameter is wrong.
    pub fn refuse(&mut self, name: &str, code: Code, detail: impl Into<String>) {
        let pointer = if name.is_empty() { String::new() } else { format!("/{name}") };
        // One who sends a thousand unknown parameters is told of the first ones.
        if self.errors.len() < ERRORS_MAX {
            self.errors.push(FieldError::new(pointer, code, detail));
        }
    }

    /// The end: everything that was wrong, at once.
    ///
    /// # Errors
    /// With the code of the first mistake.
    pub fn finish(self) -> Result<(), DecodeError> {
        if self.errors.is_empty() { Ok(()) } else { Err(DecodeError::of_fields(self.errors)) }
    }
}

fn unescape(text: &str) -> Option<String> {
    let spaced = text.replace('+', " ");
    let text = percent_decode_str(&spaced).decode_utf8().ok()?;
    (!text.contains('\0')).then(|| text.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errors(query: Query) -> Vec<(String, &'static str)> {
        let fields = query.finish().err().map(|error| error.fields).unwrap_or_default();
        fields.into_iter().map(|field| (field.pointer, field.code.as_str())).collect()
    }

    #[test]
    fn parameters_are_read_by_name() {
        let mut query =
            Query::read(Some("stream=conversation%3Ax&after=7&limit=3"), &["stream", "after", "limit"], &[]);
        assert_eq!(query.text("stream").as_deref(), Some("conversation:x"));
        assert_eq!(query.number("after"), Some(7));
        assert_eq!(query.limit(), Some(3));
        assert_eq!(query.text("cursor"), None);
        assert_eq!(errors(query), []);
    }

    #[test]
    fn every_mistake_is_told_with_its_name() {
        let mut query = Query::read(Some("limt=1&limit=x&q=a&after=1&after=2"), &["limit", "after"], &["q"]);
        assert_eq!(query.limit(), None);
        assert_eq!(
            errors(query),
            [
                ("/limt".into(), "unknown_field"),
                ("/q".into(), "not_supported"),
                ("/after".into(), "malformed"),
                ("/limit".into(), "wrong_type")
            ]
        );
        assert_eq!(errors(Query::read(Some("a=%ff"), &["a"], &[])), [(String::new(), "malformed")]);
        for bad in ["-1", "+1", "1.0", "", "9223372036854775808", "99999999999999999999"] {
            let text = format!("after={}", bad.replace('+', "%2B"));
            let mut query = Query::read(Some(&text), &["after"], &[]);
            assert_eq!(query.number("after"), None, "{bad}");
            assert_eq!(errors(query), [("/after".into(), "wrong_type")]);
        }
    }
}
