//! Sessions and tokens.

use tidings_core::ids::SessionId;
use tidings_core::sessions::{Session, SignedIn, Tokens};
use tidings_protocol::secret::Secret;
use tidings_protocol::sessions as wire;

use super::accounts;

/// The answer to a registration or a login.
pub fn signed_in(signed_in: &SignedIn) -> wire::SignedIn {
    wire::SignedIn {
        user: accounts::me(&signed_in.user),
        session: session(&signed_in.session, true),
        tokens: tokens(&signed_in.tokens),
    }
}

/// A session; `current` is the one that asks.
pub fn session(session: &Session, current: bool) -> wire::Session {
    wire::Session {
        id: session.id.to_string(),
        device: session.device.clone(),
        created_at: session.created_at.rfc3339(),
        last_used_at: session.last_used_at.rfc3339(),
        current,
    }
}

/// Where somebody is logged in; `current` is the one that asks.
pub fn session_list(sessions: &[Session], current: SessionId) -> wire::SessionList {
    let sessions = sessions.iter().map(|one| session(one, one.id == current));
    wire::SessionList { sessions: sessions.collect() }
}

/// What a device holds of a session.
pub fn tokens(tokens: &Tokens) -> wire::Tokens {
    wire::Tokens {
        access_token: Secret(tokens.access.clone()),
        access_token_expires_at: tokens.access_expires_at.rfc3339(),
        refresh_token: Secret(tokens.refresh.reveal()),
        refresh_token_expires_at: tokens.refresh_expires_at.rfc3339(),
    }
}
