//! The one file that turns codes into acks and into the reasons of refused and ended connections.

use std::future::{Future, ready};
use std::pin::Pin;

use tidings_core::error::{Code, Refusal};
use tidings_protocol::problem::FieldProblem;
use tidings_protocol::socket::{Denied, RefusedAck};
use tidings_socketio::ConnectError;

use crate::json::to_json;
use crate::problem::Refused;

/// After an overload, this long is a good pause, in milliseconds.
const RETRY_AFTER_MS: u64 = 1_000;

/// The ack of a refused event.
pub(crate) fn refused_ack(refused: &Refused) -> String {
    if refused.code == Code::Internal {
        tracing::error!(detail = %refused.detail, "a socket event failed");
    }
    let errors = refused.fields.iter().map(|field| FieldProblem {
        pointer: field.pointer.clone(),
        code: field.code.as_str().to_owned(),
        detail: field.detail.clone(),
    });
    to_json(&RefusedAck {
        ok: false,
        code: refused.code.as_str().to_owned(),
        title: refused.code.title().to_owned(),
        detail: refused.detail.clone().into_owned(),
        errors: errors.collect(),
        retry_after_ms: retry_after_ms(refused.code),
        request_id: None,
    })
}

/// The ack of a refusal that is known at once.
pub(crate) fn refuse(refused: Refused) -> Pin<Box<dyn Future<Output = Option<String>> + Send>> {
    Box::pin(ready(Some(refused_ack(&refused))))
}

/// An answer as its ack: encoded, or refused.
pub(crate) fn ack<T, E: Refusal>(result: Result<T, E>, encode: impl FnOnce(T) -> String) -> String {
    match result {
        Ok(answer) => encode(answer),
        Err(error) => refused_ack(&error.into()),
    }
}

/// The `connect_error` of a refused handshake.
pub(crate) fn connect_error(refused: &Refused) -> ConnectError {
    let data = serde_json::to_value(denied(refused)).unwrap_or_default();
    ConnectError::new(refused.code.title()).with_data(data)
}

/// The arguments of `session:expired`.
pub(crate) fn expired_args(refused: &Refused) -> String {
    to_json(&denied(refused))
}

fn denied(refused: &Refused) -> Denied {
    Denied {
        code: refused.code.as_str().to_owned(),
        detail: refused.detail.clone().into_owned(),
        retry_after_ms: retry_after_ms(refused.code),
    }
}

fn retry_after_ms(code: Code) -> Option<u64> {
    matches!(code, Code::Overloaded | Code::OutcomeUnknown | Code::TooManyConnections)
        .then_some(RETRY_AFTER_MS)
}
