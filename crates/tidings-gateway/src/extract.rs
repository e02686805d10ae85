//! What handlers take from a request: who asks, the body, ids of the path, the idempotency key.

mod body;

use std::net::{IpAddr, Ipv4Addr};
use std::str::FromStr;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{FromRequest, FromRequestParts, RawPathParams, Request};
use http::header::AUTHORIZATION;
use http::request::Parts;
use http::{HeaderMap, HeaderName};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tidings_core::error::Code;
use tidings_core::idempotency::IdempotencyKey;
use tidings_core::ids::{ConversationId, MessageId, SessionId, UserId};
use tidings_core::services::Services;
use tidings_core::sessions::Actor;

use crate::convert::ids::{KnownForm, read_id};
use crate::decode::decode_json;
use crate::gateway::Remote;
use crate::problem::Refused;
use crate::query::Query;

/// Who asks, by the access token in `Authorization: Bearer`.
pub struct Authenticated(pub Actor);

impl FromRequestParts<Arc<Services>> for Authenticated {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, services: &Arc<Services>) -> Result<Self, Refused> {
        match parts.extensions.get::<Actor>() {
            Some(actor) => Ok(Self(*actor)),
            None => actor_of(&parts.headers, services).map(Self),
        }
    }
}

/// Who asks, by the headers of the request.
pub(crate) fn actor_of(headers: &HeaderMap, services: &Services) -> Result<Actor, Refused> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (value, another) = (values.next(), values.next());
    let Some(value) = value else {
        return Err(Refused::new(Code::TokenMissing, "Send Authorization: Bearer with an accessToken."));
    };
    let token = value.to_str().ok().and_then(|value| {
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
    });
    match (token, another) {
        (Some(token), None) => Ok(services.authenticate(token)?),
        _ => {
            Err(Refused::new(Code::TokenInvalid, "Send one Authorization header: Bearer and an accessToken."))
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Remote {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refused> {
        // Put there by the gateway with every request.
        let nowhere = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        Ok(parts.extensions.get().copied().unwrap_or(Self { peer: nowhere, client: nowhere }))
    }
}

/// A JSON body, read within its size and time.
pub struct JsonBody<T>(pub T);

impl<T: DeserializeOwned> FromRequest<Arc<Services>> for JsonBody<T> {
    type Rejection = Refused;

    async fn from_request(request: Request<Body>, services: &Arc<Services>) -> Result<Self, Refused> {
        let (parts, body) = request.into_parts();
        body::check_content_type(&parts.headers)?;
        let bytes = body::read(&parts.headers, body, services.limits.body_bytes_max).await?;
        Ok(Self(decode_json(&bytes, &services.limits)?))
    }
}

/// For requests that say nothing in a body: refuses what stands in one. Stock clients send an empty object.
pub struct NoBody;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

impl FromRequest<Arc<Services>> for NoBody {
    type Rejection = Refused;

    async fn from_request(request: Request<Body>, services: &Arc<Services>) -> Result<Self, Refused> {
        let (parts, body) = request.into_parts();
        let bytes = body::read(&parts.headers, body, services.limits.body_bytes_max).await?;
        if !bytes.is_empty() {
            body::check_content_type(&parts.headers)?;
            let Nothing {} = decode_json(&bytes, &services.limits)?;
        }
        Ok(Self)
    }
}

/// The id in the path that the route calls `id`. Text that is no id is an id that nobody has: both get the same 404.
pub struct PathId<T>(pub T);

/// The id in the path that the route calls `userId`.
pub struct PathUserId(pub UserId);

/// The emoji in the path that the route calls `emoji`.
pub struct PathEmoji(pub String);

/// The ids that stand in paths as `id`.
pub trait IdInPath: KnownForm + FromStr {}
impl IdInPath for ConversationId {}
impl IdInPath for MessageId {}
impl IdInPath for SessionId {}
impl IdInPath for UserId {}

impl<T: IdInPath> FromRequestParts<Arc<Services>> for PathId<T> {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, services: &Arc<Services>) -> Result<Self, Refused> {
        path_id(parts, services, "id").await.map(Self)
    }
}

impl FromRequestParts<Arc<Services>> for PathUserId {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, services: &Arc<Services>) -> Result<Self, Refused> {
        path_id(parts, services, "userId").await.map(Self)
    }
}

impl FromRequestParts<Arc<Services>> for PathEmoji {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, services: &Arc<Services>) -> Result<Self, Refused> {
        Ok(Self(path_text(parts, services, "emoji").await))
    }
}

async fn path_id<T: KnownForm + FromStr>(
    parts: &mut Parts,
    services: &Arc<Services>,
    name: &str,
) -> Result<T, Refused> {
    Ok(read_id(&path_text(parts, services, name).await))
}

async fn path_text(parts: &mut Parts, services: &Arc<Services>, name: &str) -> String {
    // Percent-encoding that is not UTF-8 fails as a whole; it names nothing either.
    let params = RawPathParams::from_request_parts(parts, services).await;
    let text = params.as_ref().ok().and_then(|params| params.iter().find(|(key, _)| *key == name));
    text.map_or_else(String::new, |(_, value)| value.to_owned())
}

/// Names a request, so that it is done once however often it comes.
pub(crate) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The header `Idempotency-Key`, if there is one.
pub struct KeyHeader(pub Option<IdempotencyKey>);

impl FromRequestParts<Arc<Services>> for KeyHeader {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, services: &Arc<Services>) -> Result<Self, Refused> {
        let mut values = parts.headers.get_all(IDEMPOTENCY_KEY).iter();
        let Some(value) = values.next() else { return Ok(Self(None)) };
        let key = value.to_str().ok().and_then(|text| IdempotencyKey::parse(text, &services.limits));
        if key.is_none() || values.next().is_some() {
            let max = services.limits.idempotency_key_bytes_max;
            let detail = format!("Send one Idempotency-Key: 1 to {max} visible ASCII characters.");
            return Err(Refused::new(Code::BadFormat, detail));
        }
        Ok(Self(key))
    }
}

/// The query string, not yet looked at.
pub struct RawQuery(Option<String>);

impl RawQuery {
    /// See [`Query::read`].
    #[must_use]
    pub fn read(&self, known: &[&str], not_served: &[&str]) -> Query {
        Query::read(self.0.as_deref(), known, not_served)
    }
}

impl<S: Sync> FromRequestParts<S> for RawQuery {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refused> {
        Ok(Self(parts.uri.query().map(str::to_owned)))
    }
}

/// For routes without parameters: refuses every one.
pub struct NoQuery;

impl<S: Sync> FromRequestParts<S> for NoQuery {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refused> {
        Query::read(parts.uri.query(), &[], &[]).finish()?;
        Ok(Self)
    }
}
