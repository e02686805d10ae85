//! Register: a new account, and its first session.

use std::net::IpAddr;

use crate::ids::{AppId, UserId};
use crate::services::Services;
use crate::sessions::SignedIn;

use super::check::check_register;
use super::{Error, User, UserSettings};

/// A registration as it came. It holds a password, so it is never printed: no `Debug`.
#[derive(Clone)]
pub struct Register {
    /// Folded to lower case.
    pub username: String,
    /// In the clear; it goes no further than the hasher.
    pub password: String,
    /// Folded to lower case.
    pub email: Option<String>,
    /// The username where it is absent.
    pub display_name: Option<String>,
    /// Given name.
    pub first_name: Option<String>,
    /// Family name.
    pub last_name: Option<String>,
}

/// A registration whose fields have been checked.
#[derive(Debug)]
pub(super) struct Registration {
    pub username: String,
    pub email: Option<String>,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    pub display_name: String,
}

impl Services {
    /// Makes an account and logs it in, from where its owner is.
    ///
    /// # Errors
    /// [`Error::Invalid`] with every field at once; taken names; the store's.
    pub async fn register(&self, command: Register, from: IpAddr) -> Result<SignedIn, Error> {
        let password = command.password.clone();
        let registration = check_register(command, &self.limits).map_err(Error::Invalid)?;
        let password_hash = self.passwords.hash(password).await?;
        let now = self.clock.now();
        let user = User {
            id: UserId(self.ids.uuid(now)),
            app: AppId::DEFAULT,
            external_id: None,
            username: registration.username,
            email: registration.email,
            first_name: registration.first_name,
            last_name: registration.last_name,
            display_name: registration.display_name,
            avatar_url: None,
            created_at: now,
            last_seen_at: None,
            settings: UserSettings::default(),
        };
        self.store.insert_user(&user, &password_hash).await?;
        self.sign_in(user, None, None, from).await
    }
}
