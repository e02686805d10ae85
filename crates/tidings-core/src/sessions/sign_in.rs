//! The end of a registration or login: a new session and its tokens.

use crate::accounts::User;
use crate::error::StoreError;
use crate::ids::SessionId;
use crate::limits::REFRESH_TOKEN_SECONDS;
use crate::services::Services;

use super::{RefreshToken, Session, SignedIn, Tokens};

impl Services {
    pub(crate) async fn sign_in(&self, user: User, device: Option<String>) -> Result<SignedIn, StoreError> {
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
        self.store.insert_session(&session, refresh.hash()).await?;
        let tokens = Tokens { access, access_expires_at, refresh, refresh_expires_at: session.expires_at };
        Ok(SignedIn { user, session, tokens })
    }
}
