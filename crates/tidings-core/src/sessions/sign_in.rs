//! The end of a registration or login: a new session and its tokens.

use std::net::IpAddr;

use crate::accounts::{self, PasswordHash, User};
use crate::error::StoreError;
use crate::idempotency::RequestMac;
use crate::ids::SessionId;
use crate::limits::REFRESH_TOKEN_SECONDS;
use crate::ports::store::NewSession;
use crate::rates::network_of;
use crate::services::Services;

use super::{RefreshToken, Session, SignedIn, Tokens, revoked_until};

impl Services {
    /// `shown` is the password as it stood when it was looked at; none for a new account.
    pub(crate) async fn sign_in(
        &self,
        user: User,
        device: Option<String>,
        shown: Option<PasswordHash>,
        from: IpAddr,
    ) -> Result<SignedIn, accounts::Error> {
        let now = self.clock.now();
        let session = Session {
            id: SessionId(self.ids.uuid(now)),
            app: user.app,
            user: user.id,
            device,
            created_at: now,
            last_used_at: now,
            expires_at: now.plus_seconds(REFRESH_TOKEN_SECONDS),
        };
        let refresh = RefreshToken::generate(&*self.ids);
        let issued = self.access.issue(user.id, session.id, user.app, now);
        let (access, access_expires_at) = issued.map_err(|_| StoreError::Failed)?;
        let new = NewSession {
            session: session.clone(),
            shown,
            address: self.address_mac(from),
            refresh: refresh.hash(),
            family: refresh.family_hash(),
            sessions_max: self.limits.user_sessions_max,
            tokens_until: revoked_until(now),
        };
        let ended = self.store.insert_session(new).await?;
        for session in &ended {
            tracing::info!(user = %user.id, %session, "ended: the user has logged in too often since");
        }
        self.note_ended(ended, now);
        let tokens = Tokens { access, access_expires_at, refresh, refresh_expires_at: session.expires_at };
        Ok(SignedIn { user, session, tokens })
    }

    /// An address as it is remembered: of no use to who reads the database.
    pub(crate) fn address_mac(&self, from: IpAddr) -> RequestMac {
        self.request_macs.of(&[b"address", network_of(from).to_string().as_bytes()])
    }
}
