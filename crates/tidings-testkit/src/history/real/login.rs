//! Somebody's tokens, which last for ten minutes, and the socket that they send on.

use std::sync::Arc;

use parking_lot::Mutex;
use reqwest::Method;
use serde_json::json;

use super::line::Line;
use crate::actors::{Api, Person};
use crate::history::Id;

pub(super) struct Login {
    name: String,
    token: Mutex<Arc<str>>,
    /// Held while tokens are renewed, so that it happens once.
    renewing: tokio::sync::Mutex<()>,
    pub line: tokio::sync::Mutex<Option<Line>>,
}

impl Login {
    pub async fn register(api: &Api, name: &str) -> (Id, Self) {
        let person = Person::register(api, name).await;
        let login = Self {
            name: person.name,
            token: Mutex::new(person.token.into()),
            renewing: tokio::sync::Mutex::default(),
            line: tokio::sync::Mutex::default(),
        };
        (person.id.into(), login)
    }

    pub fn token(&self) -> Arc<str> {
        Arc::clone(&self.token.lock())
    }

    /// Gets another token in place of this one. Where that fails, whoever is refused next tries again.
    pub async fn renew(&self, api: &Api, refused: &str) {
        let _renewing = self.renewing.lock().await;
        if *self.token() != *refused {
            return;
        }
        let body = json!({ "login": self.name, "password": Person::PASSWORD }).to_string().into_bytes();
        let headers = [("content-type", "application/json")];
        let reply = api.try_request(Method::POST, "/api/auth/login", None, Some(body), &headers).await;
        if let Some(token) = reply.ok().as_ref().and_then(|reply| reply.body["accessToken"].as_str()) {
            *self.token.lock() = token.into();
        }
    }
}
