//! A real server, over HTTP and Socket.IO, as clients speak to it. It shares no code with the server.

mod line;
mod login;
mod socket;
mod wire;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use reqwest::{Method, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{Answer, Arrivals, HistoryPage, Id, Listed, Messenger, Outgoing, StreamPage};
use crate::actors::{Api, Reply};
use line::Line;
use login::Login;
use socket::{Denied, Socket};

/// A connection that is not made within this time is none.
const CONNECT_PATIENCE: Duration = Duration::from_secs(5);
/// An answer on a socket that has not come within this time does not come.
const ANSWER_PATIENCE: Duration = Duration::from_secs(20);

/// The server pings every 25 seconds and waits 20 for the answer: whoever hears nothing for so long is alone.
const SILENCE_MAX: Duration = Duration::from_secs(45);

/// How messages are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sending {
    /// `POST /api/conversations/:id/messages`.
    Rest,
    /// `message:send`, any number in flight on one socket of the user.
    Socket,
    /// Each message one way or the other; a retry goes the way of the first time.
    Both,
}

/// A server at an address. It may be killed and come back there.
pub struct Real {
    api: Api,
    sends: Api,
    sockets: String,
    sending: Sending,
    logins: Mutex<HashMap<Id, Arc<Login>>>,
}

impl Real {
    /// The server at `url`, like `http://127.0.0.1:3000`.
    #[must_use]
    pub fn at(url: &str) -> Self {
        let api = Api::new(url);
        let (sends, sockets) = (api.clone(), url.to_owned());
        Self { api, sends, sockets, sending: Sending::Both, logins: Mutex::default() }
    }

    /// Messages go this way.
    #[must_use]
    pub fn sending(self, sending: Sending) -> Self {
        Self { sending, ..self }
    }

    /// Messages over REST go through another address, as of a proxy.
    #[must_use]
    pub fn sending_through(self, url: &str) -> Self {
        Self { sends: Api::new(url), ..self }
    }

    /// All sockets go through another address, as of a proxy.
    #[must_use]
    pub fn connecting_through(self, url: &str) -> Self {
        Self { sockets: url.to_owned(), ..self }
    }

    fn login(&self, user: &Id) -> Arc<Login> {
        let logins = self.logins.lock();
        Arc::clone(logins.get(user).unwrap_or_else(|| panic!("nobody is {user}")))
    }

    /// A success, or nothing: the answer got lost, or it was to come back later.
    async fn ask(&self, api: &Api, user: &Id, method: Method, path: &str, body: &Value) -> Option<Reply> {
        let login = self.login(user);
        let token = login.token();
        let body = (!body.is_null()).then(|| body.to_string().into_bytes());
        let headers = [("content-type", "application/json")];
        let reply = api.try_request(method, path, Some(&token), body, &headers).await.ok()?;
        if reply.status == StatusCode::UNAUTHORIZED {
            login.renew(&self.api, &token).await;
            return None;
        }
        let comes_back = reply.status.is_server_error() || reply.status == StatusCode::REQUEST_TIMEOUT;
        (!comes_back).then_some(reply)
    }

    async fn read<T: DeserializeOwned>(&self, user: &Id, path: &str) -> Option<T> {
        let reply = self.ask(&self.api, user, Method::GET, path, &Value::Null).await?;
        assert!(reply.status.is_success(), "GET {path} by {user}: {}", reply.text);
        Some(wire::parse(&reply.text))
    }

    async fn send_by_rest(&self, message: &Outgoing) -> Answer {
        let path = format!("/api/conversations/{}/messages", message.conversation);
        let body = json!({ "content": message.text, "clientMessageId": message.client_id });
        match self.ask(&self.sends, &message.sender, Method::POST, &path, &body).await {
            None => Answer::Unknown,
            Some(reply) if reply.status.is_success() => wire::parse::<wire::Frame>(&reply.text).place(),
            Some(reply) => Answer::Refused(reply.code().to_owned()),
        }
    }

    async fn send_by_socket(&self, message: &Outgoing) -> Answer {
        let login = self.login(&message.sender);
        let mut held = login.line.lock().await;
        let line = match held.as_ref().filter(|line| line.is_open()) {
            Some(line) => line.clone(),
            None => {
                let Some(socket) = self.open(&login, None).await else { return Answer::Unknown };
                held.insert(Line::over(socket)).clone()
            }
        };
        drop(held);
        line.send(message).await
    }

    async fn open(&self, login: &Login, since: Option<&str>) -> Option<Socket> {
        let token = login.token();
        match Socket::open(&self.sockets, &token, since).await {
            Ok(socket) => Some(socket),
            Err(Denied::Token) => {
                login.renew(&self.api, &token).await;
                None
            }
            Err(Denied::NotNow) => None,
        }
    }
}

#[async_trait]
impl Messenger for Real {
    async fn user(&self, name: &str) -> Id {
        let (id, login) = Login::register(&self.api, name).await;
        self.logins.lock().insert(Id::clone(&id), Arc::new(login));
        id
    }

    async fn group(&self, owner: &Id, others: &[Id]) -> Id {
        let body = json!({ "kind": "group", "title": "Group", "userIds": others });
        let reply = self.ask(&self.api, owner, Method::POST, "/api/conversations", &body).await;
        let group = reply.expect("an answer").assert_ok(201);
        Id::from(group["id"].as_str().expect("an id"))
    }

    async fn send(&self, message: &Outgoing) -> Answer {
        let by_rest = match self.sending {
            Sending::Rest => true,
            Sending::Socket => false,
            Sending::Both => message.client_id.as_u128().is_multiple_of(2),
        };
        if by_rest { self.send_by_rest(message).await } else { self.send_by_socket(message).await }
    }

    async fn add(&self, owner: &Id, group: &Id, user: &Id) -> Option<()> {
        let path = format!("/api/conversations/{group}/participants");
        let reply = self.ask(&self.api, owner, Method::POST, &path, &json!({ "userIds": [user] })).await?;
        assert!(reply.status.is_success(), "{}", reply.text);
        Some(())
    }

    async fn remove(&self, owner: &Id, group: &Id, user: &Id) -> Option<()> {
        let path = format!("/api/conversations/{group}/participants/{user}");
        let reply = self.ask(&self.api, owner, Method::DELETE, &path, &Value::Null).await?;
        // Not found: they have never been in.
        assert!(reply.status.is_success() || reply.status == StatusCode::NOT_FOUND, "{}", reply.text);
        Some(())
    }

    async fn connect(&self, user: &Id, since: Option<&str>) -> Option<Box<dyn Arrivals>> {
        let socket = self.open(&self.login(user), since).await?;
        Some(Box::new(socket))
    }

    async fn list(&self, user: &Id) -> Option<Vec<Listed>> {
        let mut listed = Vec::new();
        let mut cursor = String::new();
        loop {
            let path = format!("/api/conversations?limit=100{cursor}");
            let page: wire::List = self.read(user, &path).await?;
            listed.extend(page.conversations.into_iter().map(wire::Conversation::listed));
            match page.next_cursor {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return Some(listed),
            }
        }
    }

    async fn history(&self, user: &Id, conversation: &Id, after_seq: u64) -> Option<HistoryPage> {
        let path = format!("/api/conversations/{conversation}/messages?after={after_seq}&limit=200");
        let page: wire::Page = self.read(user, &path).await?;
        Some(page.history())
    }

    async fn stream(&self, user: &Id, conversation: &Id, after_pos: u64) -> Option<StreamPage> {
        let path = format!("/api/sync?stream=conversation:{conversation}&after={after_pos}");
        let page: wire::Page = self.read(user, &path).await?;
        Some(page.stream())
    }
}
