//! What handlers answer with.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use http::{HeaderName, HeaderValue, StatusCode};
use serde::Serialize;
use tidings_core::error::Code;

use crate::problem::Refused;

/// Says that the answer is to an earlier request, of which this one was a repetition.
pub(crate) const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// A message with a short text fits. A buffer that begins smaller is copied each time that it doubles.
const ROOM_BYTES: usize = 1_024;

/// A JSON body.
pub(crate) struct Json<T>(pub T);

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        let mut bytes = Vec::with_capacity(ROOM_BYTES);
        match serde_json::to_writer(&mut bytes, &self.0) {
            Ok(()) => {
                let mut response = Response::new(Body::from(bytes));
                response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
                response
            }
            Err(error) => {
                tracing::error!(%error, "an answer cannot be written as JSON");
                Refused::new(Code::Internal, "It was done, but the answer could not be written.")
                    .into_response()
            }
        }
    }
}

/// 201 with what was made, 200 with what stood before.
pub(crate) fn made<T: Serialize>(stood_before: bool, body: T) -> Response {
    if stood_before {
        ([(REPLAYED, "true")], Json(body)).into_response()
    } else {
        (StatusCode::CREATED, Json(body)).into_response()
    }
}
