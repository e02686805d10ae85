//! A chat in one process, with a page: names, a log, pictures, an administrator, and clients that come back to what
//! they have missed.
//!
//! `cargo run -p tidings-socketio --example chat`, then open <http://localhost:3000> twice. With `ADMIN_PASSWORD` set
//! there is a namespace `/admin` too.

#[path = "chat/admin.rs"]
mod admin;
mod http;
#[path = "chat/room.rs"]
mod room;

use std::sync::Arc;
use std::time::Duration;

use ::http::header::CONTENT_TYPE;
use ::http::{HeaderValue, Response, StatusCode};
use bytes::Bytes;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use http_body_util::Full;
use parking_lot::Mutex;
use serde_json::json;
use tidings_socketio::{
    AckError, CloseReason, Config, ConnectError, Connection, Event, Handler, Handshake, Namespace,
    Namespaces, Reply, Server,
};

use room::{Member, Room};

const PAGE: &str = include_str!("chat/page.html");

/// One line of text.
const TEXT_BYTES_MAX: usize = 2000;

/// How long somebody has to show their face.
const LOOK_TIMEOUT: Duration = Duration::from_secs(1);

/// Where an attachment stands in JSON.
const PLACEHOLDER: &str = r#"{"_placeholder":true,"num":0}"#;

/// The namespace `/`.
struct Chat {
    room: Arc<Mutex<Room>>,
}

impl Handler for Chat {
    type State = Member;

    fn connect(&self, handshake: Handshake) -> BoxFuture<'static, Result<Member, ConnectError>> {
        let entered = self.room.lock().enter(handshake.auth.as_deref(), handshake.connection_id);
        async move { entered }.boxed()
    }

    fn recovery_id(&self, member: &Member) -> Option<String> {
        Some(member.pid.clone())
    }

    fn connected(&self, connection: &Connection<Member>) -> BoxFuture<'static, ()> {
        self.room.lock().join(connection);
        async {}.boxed()
    }

    fn event(&self, connection: &Connection<Member>, event: Event) -> BoxFuture<'static, Option<Reply>> {
        let from = &connection.state().name;
        let reply = match event.name() {
            "say" => self.say(from, &event),
            "show" => self.show(from, &event),
            "look" => {
                let whom: String = event.parse_first().unwrap_or_default();
                let whom = self.room.lock().find(&whom);
                return look(whom, from.clone()).map(Some).boxed();
            }
            // Not answered: who wants an acknowledgement waits until they have waited enough.
            _ => return async { None }.boxed(),
        };
        async move { Some(reply) }.boxed()
    }

    fn disconnected(&self, connection: &Connection<Member>, _: CloseReason) {
        self.room.lock().leave(connection);
    }
}

impl Chat {
    fn say(&self, from: &str, event: &Event) -> Reply {
        match event.parse_first::<String>() {
            Ok(text) if text.len() <= TEXT_BYTES_MAX => {
                let said = json!({ "from": from, "text": text }).to_string();
                posted(self.room.lock().post("said", &said, &[]))
            }
            _ => refused("text_invalid"),
        }
    }

    fn show(&self, from: &str, event: &Event) -> Reply {
        // What the client wrote for JSON is not passed on: its placeholders may be wrong.
        match event.attachments() {
            picture @ [_] => {
                let shown = format!(r#"{{"from":{},"picture":{PLACEHOLDER}}}"#, json!(from));
                posted(self.room.lock().post("shown", &shown, picture))
            }
            _ => refused("picture_missing"),
        }
    }
}

/// Asks somebody's client for a picture.
async fn look(whom: Option<Connection<Member>>, by: String) -> Reply {
    let Some(whom) = whom else { return refused("not_here") };
    let by = json!({ "by": by }).to_string();
    match whom.emit_with_ack("look", &by, &[], LOOK_TIMEOUT).await {
        Ok(Reply { attachments, .. }) if attachments.len() == 1 => {
            Reply { args_json: format!(r#"{{"ok":true,"picture":{PLACEHOLDER}}}"#), attachments }
        }
        Ok(_) => refused("picture_missing"),
        Err(AckError::Timeout) => refused("timeout"),
        Err(AckError::Closed | AckError::TooMany | AckError::Send(_)) => refused("not_here"),
    }
}

fn posted(position: u64) -> Reply {
    json!({ "ok": true, "position": position }).to_string().into()
}

fn refused(code: &str) -> Reply {
    json!({ "ok": false, "code": code }).to_string().into()
}

fn page(path: &str) -> Response<Full<Bytes>> {
    if path != "/" {
        let mut response = Response::default();
        *response.status_mut() = StatusCode::NOT_FOUND;
        return response;
    }
    let mut response = Response::new(PAGE.into());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    response
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let room = Arc::<Mutex<Room>>::default();
    let chat = Chat { room: Arc::clone(&room) };
    let mut namespaces = Namespaces::new().add("/", Namespace::new(Arc::new(chat)));
    if let Ok(password) = std::env::var("ADMIN_PASSWORD") {
        namespaces = namespaces.add("/admin", admin::namespace(room, password));
    }
    let server = Server::with_namespaces(Config::default(), namespaces);
    http::serve(move |request, remote_addr| {
        let server = server.clone();
        async move {
            match request.uri().path() {
                "/socket.io/" => server.handle(request, remote_addr).await,
                path => page(path),
            }
        }
    })
    .await
}
