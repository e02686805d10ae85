//! Log in with a username or an e-mail address.

use std::net::IpAddr;

use crate::ids::{AppId, UserId};
use crate::rates::Action;
use crate::services::Services;
use crate::sessions::SignedIn;
use uuid::Uuid;

use super::check::check_device;
use super::guard::{Attempt, Caller};
use super::{Credentials, Error, PasswordHash};

impl Services {
    /// A new session for who knows the password. `device` is a name for the list of sessions, `from` where they are.
    ///
    /// # Errors
    /// [`Error::BadCredentials`] for an unknown login and a wrong password alike; [`Error::TooManyTries`].
    pub async fn login(
        &self,
        login: &str,
        password: String,
        device: Option<String>,
        from: IpAddr,
    ) -> Result<SignedIn, Error> {
        let device = check_device(device, &self.limits).map_err(Error::Invalid)?;
        // Over-long input cannot be right; hashing it would only cost.
        if login.len() > self.limits.email_bytes_max
            || password.chars().count() > self.limits.password_chars_max
        {
            return Err(Error::BadCredentials);
        }
        let login = login.to_lowercase();
        let credentials = self.store.find_credentials(AppId::DEFAULT, &login).await?;
        let attempt = self.begin_login(&login, credentials.as_ref(), from).await?;
        let hash = credentials.as_ref().map(|found| found.password_hash.clone());
        let matches = self.check_password(attempt, password, hash).await?;
        let credentials = credentials.filter(|_| matches).ok_or(Error::BadCredentials)?;
        self.take_of_user(credentials.user.id, Action::Logins)
            .await
            .map_err(|limited| Error::TooManyTries(limited.0.more_in_ms))?;
        self.sign_in(credentials.user, device, Some(credentials.password_hash), from).await
    }

    /// The same questions are asked whether there is such an account or not.
    async fn begin_login(
        &self,
        login: &str,
        credentials: Option<&Credentials>,
        from: IpAddr,
    ) -> Result<Attempt, Error> {
        if self.rates.is_none() {
            return Ok(self.login_guard.uncounted());
        }
        let user = credentials.map_or(UserId(Uuid::nil()), |found| found.user.id);
        let is_known = self.store.is_known_address(user, self.address_mac(from)).await?;
        let caller = Caller { account: login, address: from, is_known };
        self.login_guard.begin(caller, self.clock.now()).map_err(|wait_ms| self.delayed(wait_ms))
    }

    /// Whether the password is the one, and what becomes of the attempt by it.
    pub(super) async fn check_password(
        &self,
        attempt: Attempt,
        password: String,
        hash: Option<PasswordHash>,
    ) -> Result<bool, Error> {
        let matches = self.passwords.verify(password, hash).await;
        match matches {
            Ok(true) => attempt.succeed(),
            // It stays a failure.
            Ok(false) => {}
            Err(_) => attempt.take_back(),
        }
        matches
    }

    /// A password is not looked at, because too many have been wrong.
    pub(super) fn delayed(&self, wait_ms: u64) -> Error {
        self.counters.login_delayed();
        Error::TooManyTries(wait_ms)
    }
}
