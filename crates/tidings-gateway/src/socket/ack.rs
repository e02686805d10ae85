//! The one file that turns codes into acks and into the reasons of refused and ended connections.

use tidings_core::error::Code;
use tidings_core::services::Services;
use tidings_protocol::socket::{Denied, RefusedAck};
use tidings_socketio::ConnectError;

use crate::json::to_json;
use crate::problem::{Refused, field_problems};

/// The ack of a refused event. A failure of the server's own is logged here, under the id that the client is given.
pub(crate) fn refused_ack(services: &Services, refused: &Refused) -> String {
    let request_id = (refused.code == Code::Internal).then(|| {
        let id = services.ids.uuid(services.clock.now()).to_string();
        tracing::error!(request.id = id, "a socket event failed");
        id
    });
    to_json(&RefusedAck {
        ok: false,
        code: refused.code.as_str().to_owned(),
        title: refused.code.title().to_owned(),
        detail: refused.detail.clone().into_owned(),
        errors: field_problems(&refused.fields),
        retry_after_ms: refused.retry_after_ms,
        request_id,
    })
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
        errors: field_problems(&refused.fields),
        retry_after_ms: refused.retry_after_ms,
    }
}
