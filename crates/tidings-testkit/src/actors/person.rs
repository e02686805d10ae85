//! Somebody with an account.

use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Api, Connected, Device, Reply};

/// Somebody who is logged in.
#[derive(Clone)]
pub struct Person {
    /// Where.
    pub api: Api,
    /// The username.
    pub name: String,
    /// The user's id.
    pub id: String,
    /// The access token.
    pub token: String,
    /// The refresh token.
    pub refresh_token: String,
    /// The session's id.
    pub session: String,
}

impl Person {
    /// The password of everybody in tests.
    pub const PASSWORD: &str = "correct horse";

    /// Registers somebody.
    ///
    /// # Panics
    /// When the server refuses.
    pub async fn register(api: &Api, name: &str) -> Self {
        let body = json!({ "username": name, "password": Self::PASSWORD });
        let reply = api.request(Method::POST, "/api/auth/register", None, body).await;
        Self::signed_in(api, name, &reply.assert_ok(201))
    }

    /// Logs somebody in who has an account.
    ///
    /// # Panics
    /// When the server refuses.
    pub async fn login(api: &Api, name: &str, device: &str) -> Self {
        let body = json!({ "login": name, "password": Self::PASSWORD, "device": device });
        let reply = api.request(Method::POST, "/api/auth/login", None, body).await;
        Self::signed_in(api, name, &reply.assert_ok(200))
    }

    /// The same person on another device.
    ///
    /// # Panics
    /// When the server refuses.
    pub async fn login_again(&self, device: &str) -> Self {
        Self::login(&self.api, &self.name, device).await
    }

    /// The same session with new tokens.
    ///
    /// # Panics
    /// When the server refuses.
    pub async fn refresh(&self) -> Self {
        let body = json!({ "refreshToken": self.refresh_token });
        let reply = self.api.request(Method::POST, "/api/auth/refresh", None, body).await.assert_ok(200);
        let text = |name: &str| reply[name].as_str().expect("a text").to_owned();
        Self { token: text("accessToken"), refresh_token: text("refreshToken"), ..self.clone() }
    }

    fn signed_in(api: &Api, name: &str, body: &Value) -> Self {
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        Self {
            api: api.clone(),
            name: name.to_owned(),
            id: text(&body["user"]["id"]),
            token: text(&body["accessToken"]),
            refresh_token: text(&body["refreshToken"]),
            session: text(&body["session"]["id"]),
        }
    }

    /// `GET`.
    pub async fn get(&self, path: &str) -> Reply {
        self.api.request(Method::GET, path, Some(&self.token), Value::Null).await
    }

    /// `POST`.
    pub async fn post(&self, path: &str, body: Value) -> Reply {
        self.api.request(Method::POST, path, Some(&self.token), body).await
    }

    /// Any method.
    pub async fn request(&self, method: Method, path: &str, body: Value) -> Reply {
        self.api.request(method, path, Some(&self.token), body).await
    }

    /// `DELETE`.
    pub async fn delete(&self, path: &str) -> Reply {
        self.api.request(Method::DELETE, path, Some(&self.token), Value::Null).await
    }

    /// The id of the direct conversation with somebody.
    pub async fn direct_with(&self, other: &Self) -> String {
        let reply = self.post("/api/conversations", json!({ "kind": "direct", "userId": other.id })).await;
        assert!(reply.status.is_success(), "{}", reply.text);
        reply.body["id"].as_str().expect("an id").to_owned()
    }

    /// The id of a new group with these people.
    pub async fn group_with(&self, title: &str, others: &[&Self]) -> String {
        let users: Vec<&str> = others.iter().map(|other| other.id.as_str()).collect();
        let body = json!({ "kind": "group", "title": title, "userIds": users });
        let body = self.post("/api/conversations", body).await.assert_ok(201);
        body["id"].as_str().expect("an id").to_owned()
    }

    /// Adds somebody to a group.
    pub async fn add(&self, group: &str, other: &Self) -> Reply {
        self.post(&format!("/api/conversations/{group}/participants"), json!({ "userIds": [other.id] })).await
    }

    /// Removes somebody from a group.
    pub async fn remove(&self, group: &str, other: &Self) -> Reply {
        self.delete(&format!("/api/conversations/{group}/participants/{}", other.id)).await
    }

    /// Sends over REST and gives the message.
    pub async fn send(&self, conversation: &str, text: &str) -> Value {
        self.try_send(conversation, text, &Uuid::now_v7_for_tests()).await.assert_ok(201)
    }

    /// Sends over REST under a client message id.
    pub async fn try_send(&self, conversation: &str, text: &str, client_id: &str) -> Reply {
        let body = json!({ "content": text, "clientMessageId": client_id });
        self.post(&format!("/api/conversations/{conversation}/messages"), body).await
    }

    /// A page of history; `query` like `?before=7`.
    pub async fn history(&self, conversation: &str, query: &str) -> Value {
        self.get(&format!("/api/conversations/{conversation}/messages{query}")).await.assert_ok(200)
    }

    /// The texts of the newest page of history.
    pub async fn texts(&self, conversation: &str) -> Vec<String> {
        let page = self.history(conversation, "?limit=200").await;
        let messages = page["messages"].as_array().cloned().unwrap_or_default();
        messages.iter().map(|message| message["content"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// Connects a device that begins now, and waits until it is live.
    pub async fn connect(&self) -> Device {
        let mut device = self.open(json!({ "token": self.token })).await;
        device.expect_ready().await;
        device
    }

    /// Connects a device that resumes, without waiting for anything.
    pub async fn resume(&self, since: &str) -> Device {
        self.open(json!({ "token": self.token, "since": since })).await
    }

    /// Connects with any `auth`.
    ///
    /// # Panics
    /// When the server refuses the connection.
    pub async fn open(&self, auth: Value) -> Device {
        match Device::connect(&self.api.url, auth).await {
            Connected::Yes(device) => *device,
            Connected::Refused(error) => panic!("{} was refused: {error}", self.name),
        }
    }
}

/// Ids that a device makes.
pub trait ClientIds {
    /// A new client message id: a UUIDv7, as our clients make them.
    fn now_v7_for_tests() -> String;
}

impl ClientIds for Uuid {
    #[expect(clippy::disallowed_methods, reason = "a test stands for a client, which has its own clock")]
    fn now_v7_for_tests() -> String {
        Self::now_v7().to_string()
    }
}
