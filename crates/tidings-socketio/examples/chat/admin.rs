//! The namespace `/admin`: who has the password may send people out, or break their connection to see them recover.

use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use serde::Deserialize;
use serde_json::json;
use tidings_socketio::{
    CloseReason, ConnectError, Connection, Event, Handler, Handshake, Middleware, Namespace, Reply,
};

use crate::room::Room;

/// The namespace, behind its password.
pub fn namespace(room: Arc<Mutex<Room>>, password: String) -> Namespace {
    Namespace::new(Arc::new(Admin { room })).with(password_is(password))
}

fn password_is(expected: String) -> impl Middleware {
    #[derive(Deserialize)]
    struct Auth {
        password: String,
    }
    move |handshake: Handshake| {
        let auth = handshake.auth.as_ref().and_then(|auth| serde_json::from_str::<Auth>(auth.get()).ok());
        let decision = if auth.is_some_and(|auth| auth.password == expected) {
            Ok(handshake)
        } else {
            Err(ConnectError::new("That is not the password").with_data(json!({ "code": "password_wrong" })))
        };
        async move { decision }.boxed()
    }
}

struct Admin {
    room: Arc<Mutex<Room>>,
}

impl Handler for Admin {
    type State = ();

    fn connect(&self, _: Handshake) -> BoxFuture<'static, Result<(), ConnectError>> {
        async { Ok(()) }.boxed()
    }

    fn connected(&self, _: &Connection<()>) -> BoxFuture<'static, ()> {
        async {}.boxed()
    }

    fn event(&self, _: &Connection<()>, event: Event) -> BoxFuture<'static, Option<Reply>> {
        let whom: String = event.parse_first().unwrap_or_default();
        let whom = self.room.lock().find(&whom);
        let is_done = match (event.name(), whom) {
            ("kick", Some(whom)) => {
                whom.disconnect("kicked");
                true
            }
            ("cut", Some(whom)) => {
                whom.close("cut");
                true
            }
            _ => false,
        };
        async move { Some(json!({ "ok": is_done }).to_string().into()) }.boxed()
    }

    fn disconnected(&self, _: &Connection<()>, _: CloseReason) {}
}
