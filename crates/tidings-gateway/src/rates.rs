//! Which rate limit a request or an event falls under, and the headers that say how it stands.
//!
//! What makes, changes or takes away has a limit of its own; everything else by who is logged in falls under the
//! general one. To give a route or an event its own: a line in [`action_of_route`] or [`action_of_event`].

use axum::body::Body;
use axum::extract::{MatchedPath, Request};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use percent_encoding::percent_decode_str;
use tidings_core::rates::{Action, Standing};
use tidings_core::services::Services;

use crate::extract::actor_of;
use crate::gateway::Remote;
use crate::problem::Refused;

/// What an answer says of its limit.
pub(crate) const HEADERS: [HeaderName; 2] = [POLICY, STANDING];
const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const STANDING: HeaderName = HeaderName::from_static("ratelimit");

/// What a request counts as; nothing for what everybody may ask, and for logins, which are guarded with the accounts.
fn action_of_route(method: &Method, path: &str, query: Option<&str>) -> Option<Action> {
    let is = |other: &Method| method == other;
    match path {
        "/api/auth/register" => Some(Action::Registrations),
        "/api/conversations/{id}/messages" if is(&Method::POST) => Some(Action::Messages),
        "/api/messages/{id}" if is(&Method::PATCH) || is(&Method::PUT) => Some(Action::Edits),
        "/api/messages/{id}" if is(&Method::DELETE) => Some(Action::Deletes),
        "/api/messages/{id}/reactions" | "/api/messages/{id}/reactions/{emoji}" => Some(Action::Reactions),
        "/api/conversations" if is(&Method::POST) => Some(Action::Conversations),
        "/api/users" => Some(Action::Searches),
        "/api/conversations" if query.is_some_and(asks_for_words) => Some(Action::Searches),
        "/api/auth/sessions"
        | "/api/auth/sessions/{id}"
        | "/api/auth/sessions/all"
        | "/api/auth/logout"
        | "/api/auth/password" => Some(Action::Sessions),
        "/api/auth/login" | "/api/auth/refresh" | "/api/server" | "/api/openapi.json" => None,
        path if path.starts_with("/api/") => Some(Action::General),
        _ => None,
    }
}

/// Whether it has a `q`, however that is written.
fn asks_for_words(query: &str) -> bool {
    query.split(['&', '=']).any(|part| percent_decode_str(part).eq("q".bytes()))
}

/// What a client's event counts as.
pub(crate) fn action_of_event(name: &str) -> Action {
    match name {
        "message:send" => Action::Messages,
        "message:edit" => Action::Edits,
        "message:delete" => Action::Deletes,
        "reaction:add" | "reaction:remove" => Action::Reactions,
        "typing:start" | "typing:stop" | "conversation:open" | "conversation:close" | "presence:set" => {
            Action::Signals
        }
        _ => Action::General,
    }
}

/// Counts the request, refuses it where it is too many, and says in the answer how it stands.
pub(crate) async fn limit(services: &Services, mut request: Request<Body>, next: Next) -> Response {
    let path = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str);
    let Some(action) = action_of_route(request.method(), path, request.uri().query()) else {
        return next.run(request).await;
    };
    let taken = if action == Action::Registrations {
        match request.extensions().get::<Remote>() {
            Some(remote) => services.take_of_address(remote.client, action).await,
            None => Ok(None),
        }
    } else {
        // Who is nobody is told so by the route.
        let Ok(actor) = actor_of(request.headers(), services) else { return next.run(request).await };
        request.extensions_mut().insert(actor);
        services.take(&actor, action).await
    };
    match taken {
        Ok(None) => next.run(request).await,
        Ok(Some(standing)) => {
            let mut response = next.run(request).await;
            write(response.headers_mut(), &standing);
            response
        }
        Err(limited) => {
            let mut response = Refused::from(limited).into_response();
            write(response.headers_mut(), &limited.0);
            response
        }
    }
}

/// As the draft of the IETF's working group has it (draft-ietf-httpapi-ratelimit-headers-10): the rule, and what is
/// left of it.
fn write(headers: &mut HeaderMap, standing: &Standing) {
    let Standing { action, policy, remaining, more_in_ms } = standing;
    let (name, window) = (action.as_str(), policy.window_ms / 1_000);
    let values = [
        (POLICY, format!("\"{name}\";q={};w={window}", policy.quota)),
        (STANDING, format!("\"{name}\";r={remaining};t={}", more_in_ms.div_ceil(1_000))),
    ];
    for (header, value) in values {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(header, value);
        }
    }
}
