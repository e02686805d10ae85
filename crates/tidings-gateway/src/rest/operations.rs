//! `/metrics` and `/health/detailed`: for those who run the node. To others they are not there.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::response::IntoResponse;
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use tidings_core::error::Code;
use tidings_core::services::Services;

use crate::answer::Json;
use crate::gateway::Remote;
use crate::operations::{Node, Page};
use crate::problem::Refused;

const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

pub(super) async fn get_metrics(
    State(services): State<Arc<Services>>,
    Extension(node): Extension<Arc<Node>>,
    remote: Remote,
    headers: HeaderMap,
) -> Result<impl IntoResponse, Refused> {
    check(&node, remote, &headers)?;
    let mut page = Page::default();
    (node.operations.collect)(&mut page);
    node.hub.write_metrics(&mut page);
    node.requests.write(&mut page);
    write_services(&services, &mut page);
    Ok(([(CONTENT_TYPE, TEXT)], page.finish()))
}

pub(super) async fn get_detailed(
    Extension(node): Extension<Arc<Node>>,
    remote: Remote,
    headers: HeaderMap,
) -> Result<impl IntoResponse, Refused> {
    check(&node, remote, &headers)?;
    Ok(Json((node.operations.examine)().await))
}

fn check(node: &Node, remote: Remote, headers: &HeaderMap) -> Result<(), Refused> {
    if node.operations.allows(remote.peer, remote.client, headers) {
        return Ok(());
    }
    Err(Refused::new(Code::NotFound, "Nothing is served at this path."))
}

fn write_services(services: &Services, page: &mut Page) {
    let stats = services.counters.stats();
    for (source, count) in [
        ("memory", stats.catch_ups_from_memory),
        ("store", stats.catch_ups_from_store),
        ("reset", stats.catch_ups_reset),
    ] {
        page.value("tidings_catch_ups_total", &[("source", source)], count);
    }
    for (action, count) in stats.limited {
        page.value("tidings_rate_limited_total", &[("action", action.as_str())], count);
    }
    page.value("tidings_rate_limited_total", &[("action", "passwords")], stats.login_delays);
    page.value("tidings_conversations_open", &[], services.signals.watched() as u64);
}
