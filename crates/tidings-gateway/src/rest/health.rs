//! `/health`: the process answers. `/health/ready`: it can serve, too. Both answer everybody, whatever the query.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::IntoResponse;
use tidings_core::error::StoreError;
use tidings_core::services::Services;
use tidings_protocol::server::Health;

use crate::answer::Json;
use crate::problem::Refused;

/// A node whose store or delivery has not answered by then does not serve.
const READY_TIMEOUT: Duration = Duration::from_secs(2);

pub(super) async fn get_health() -> impl IntoResponse {
    Json(Health { status: "ok".to_owned() })
}

pub(super) async fn get_ready(State(services): State<Arc<Services>>) -> Result<impl IntoResponse, Refused> {
    let ready = tokio::time::timeout(READY_TIMEOUT, services.check_ready()).await;
    // Whatever the trouble is, for a load balancer it is: not now.
    match ready {
        Ok(Ok(())) => Ok(Json(Health { status: "ok".to_owned() })),
        Ok(Err(_)) | Err(_) => Err(StoreError::Overloaded.into()),
    }
}
