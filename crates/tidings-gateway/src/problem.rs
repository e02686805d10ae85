//! The one file that turns codes into HTTP: status, `application/problem+json`, and the headers that belong to it.
//!
//! A handler returns a [`Refused`]; it travels in the answer's extensions until the gateway, which knows path and
//! request id, writes it with `render`. To add a code: its line in the core's `codes!`, its status here.

use std::borrow::Cow;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use tidings_core::error::{Code, FieldError, Refusal};
use tidings_protocol::problem::{FieldProblem, Problem};

/// A refusal on its way to the client.
#[derive(Debug, Clone)]
pub struct Refused {
    /// The stable name.
    pub code: Code,
    /// What to do about it, for people.
    pub detail: Cow<'static, str>,
    /// The fields that are wrong.
    pub fields: Vec<FieldError>,
    /// After how long it is worth trying again, in milliseconds, where it is.
    pub retry_after_ms: Option<u64>,
}

impl Refused {
    /// A refusal of the gateway's own.
    pub fn new(code: Code, detail: impl Into<Cow<'static, str>>) -> Self {
        let (detail, fields) = (detail.into(), Vec::new());
        Self { code, detail, fields, retry_after_ms: retry_after_ms(code) }
    }
}

impl<E: Refusal> From<E> for Refused {
    fn from(error: E) -> Self {
        let code = error.code();
        Self {
            code,
            detail: error.detail(),
            fields: error.fields().to_vec(),
            retry_after_ms: error.retry_after_ms().or_else(|| retry_after_ms(code)),
        }
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let mut response = status(self.code).into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// The HTTP status of a code.
#[must_use]
pub fn status(code: Code) -> StatusCode {
    match code {
        Code::Malformed
        | Code::UnknownEvent
        | Code::UnknownField
        | Code::MissingField
        | Code::WrongType
        | Code::TooDeep => StatusCode::BAD_REQUEST,
        Code::TokenMissing
        | Code::TokenInvalid
        | Code::TokenExpired
        | Code::SessionEnded
        | Code::BadCredentials => StatusCode::UNAUTHORIZED,
        Code::Forbidden | Code::NotParticipant => StatusCode::FORBIDDEN,
        Code::NotFound => StatusCode::NOT_FOUND,
        Code::VersionStale | Code::MessageDeleted => StatusCode::CONFLICT,
        Code::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
        Code::Timeout => StatusCode::REQUEST_TIMEOUT,
        Code::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Code::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Code::Invalid
        | Code::TooLong
        | Code::TooShort
        | Code::BadFormat
        | Code::TooMany
        | Code::NotSupported
        | Code::UsernameTaken
        | Code::EmailTaken
        | Code::UnknownUser
        | Code::WrongPassword
        | Code::ClientMessageIdReused
        | Code::IdempotencyKeyReused
        | Code::LastOwner
        | Code::FixedParticipants => StatusCode::UNPROCESSABLE_ENTITY,
        Code::RateLimited | Code::TooManyConnections => StatusCode::TOO_MANY_REQUESTS,
        Code::Overloaded | Code::OutcomeUnknown => StatusCode::SERVICE_UNAVAILABLE,
        Code::StorageFull => StatusCode::INSUFFICIENT_STORAGE,
        Code::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// After how long what has this code is worth trying again, where it is.
fn retry_after_ms(code: Code) -> Option<u64> {
    match code {
        Code::Overloaded | Code::OutcomeUnknown => Some(1_000),
        Code::TooManyConnections => Some(5_000),
        _ => None,
    }
}

/// The fields of a refusal as they stand on the wire.
#[must_use]
pub fn field_problems(fields: &[FieldError]) -> Vec<FieldProblem> {
    let on_wire = |field: &FieldError| FieldProblem {
        pointer: field.pointer.clone(),
        code: field.code.as_str().to_owned(),
        detail: field.detail.clone(),
    };
    fields.iter().map(on_wire).collect()
}

/// Writes the problem into the answer that carried it, whose other headers (`Allow`) stay.
pub(crate) fn render(refused: &Refused, instance: &str, request_id: &str, response: &mut Response) {
    let code = refused.code;
    let problem = Problem {
        r#type: format!("urn:tidings:problem:{}", code.as_str()),
        title: code.title().to_owned(),
        status: status(code).as_u16(),
        detail: refused.detail.clone().into_owned(),
        instance: instance.to_owned(),
        code: code.as_str().to_owned(),
        request_id: request_id.to_owned(),
        errors: field_problems(&refused.fields),
        retry_after_ms: refused.retry_after_ms,
    };
    *response.status_mut() = status(code);
    *response.body_mut() = Body::from(serde_json::to_vec(&problem).unwrap_or_default());
    let headers = response.headers_mut();
    // The router has written down the length of the body that it saw.
    headers.remove(CONTENT_LENGTH);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    if let Some(ms) = problem.retry_after_ms {
        headers.insert(RETRY_AFTER, HeaderValue::from(ms.div_ceil(1_000)));
    }
    match code {
        Code::TokenMissing | Code::BadCredentials => {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        Code::TokenInvalid | Code::TokenExpired | Code::SessionEnded => {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(r#"Bearer error="invalid_token""#));
        }
        // What is still to come of the body would be read as the next request.
        Code::Timeout | Code::TooLarge => {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    #[test]
    fn codes_with_status_and_title() {
        let lines = Code::ALL.iter().map(|code| {
            let retry =
                retry_after_ms(*code).map_or_else(String::new, |ms| format!(" (again after {ms} ms)"));
            format!("{} {} {}{retry}", status(*code).as_u16(), code.as_str(), code.title())
        });
        insta::assert_snapshot!(lines.collect::<Vec<_>>().join("\n"));
    }

    /// The reference is made of the table: `UPDATE_REFERENCE=1 cargo test` writes it.
    #[test]
    fn the_reference_has_every_code() {
        let mut text = "# Errors\n\nEvery `code` of a problem document, of an ack, of a `connect_error` and of `errors` in them: \
                        [api.md](../api.md#errors) says\nwhat a client does. This page is made of the table in \
                        `crates/tidings-core/src/error.rs`; a test compares them.\n\n\
                        | code | status | title | again after |\n| --- | --- | --- | --- |\n"
            .to_owned();
        for code in Code::ALL {
            let again = match code {
                Code::RateLimited => "`retryAfterMs`".to_owned(),
                _ => retry_after_ms(*code).map_or_else(String::new, |ms| format!("{} s", ms / 1_000)),
            };
            let (name, status, title) = (code.as_str(), status(*code).as_u16(), code.title());
            text += &format!("| `{name}` | {status} | {title} | {again} |\n");
        }
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/errors.md");
        if std::env::var_os("UPDATE_REFERENCE").is_some() {
            fs::write(&path, &text).unwrap();
        }
        assert_eq!(
            fs::read_to_string(path).unwrap(),
            text,
            "UPDATE_REFERENCE=1 cargo test -p tidings-gateway"
        );
    }

    #[test]
    fn a_problem_as_it_is_sent() {
        let fields = vec![FieldError::new("/content", Code::TooLong, "20000 bytes; at most 16384")];
        let refused = Refused { fields, ..Refused::new(Code::Invalid, "See errors.") };
        let mut response = refused.clone().into_response();
        response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(0));
        render(&refused, "/api/x", "r-1", &mut response);
        assert_eq!(response.status(), 422);
        assert_eq!(response.headers()[CONTENT_TYPE], "application/problem+json");
        for absent in [RETRY_AFTER, CONTENT_LENGTH, WWW_AUTHENTICATE, CONNECTION] {
            assert!(!response.headers().contains_key(&absent), "{absent}");
        }
    }
}
