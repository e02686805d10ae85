//! Log in with a username or an e-mail address.

use std::net::IpAddr;

use crate::ids::AppId;
use crate::services::Services;
use crate::sessions::SignedIn;

use super::check::check_device;
use super::guard::{Attempt, Caller};
use super::{Credentials, Error};

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
        let matches = match self.passwords.verify(password, hash).await {
            Ok(matches) => matches,
            Err(error) => {
                self.login_guard.cancel(attempt);
                return Err(error);
            }
        };
        let Some(credentials) = credentials.filter(|_| matches) else { return Err(Error::BadCredentials) };
        self.login_guard.succeed(attempt);
        self.sign_in(credentials.user, device, Some(credentials.password_hash), from).await
    }

    /// Begins to look at a password, unless too many have been wrong.
    pub(super) fn try_password(&self, caller: Caller<'_>) -> Result<Attempt, Error> {
        self.login_guard.begin(caller, self.clock.now()).map_err(|wait_ms| {
            self.counters.login_delayed();
            Error::TooManyTries(wait_ms)
        })
    }

    /// An account has one name here, whichever of its two is used; one that does not exist has that which is tried.
    async fn begin_login(
        &self,
        login: &str,
        credentials: Option<&Credentials>,
        from: IpAddr,
    ) -> Result<Attempt, Error> {
        if self.rates.is_none() {
            return Ok(Attempt::default());
        }
        let (account, is_known) = match credentials {
            Some(Credentials { user, .. }) => {
                let address = self.address_mac(from);
                (user.id.to_string(), self.store.is_known_address(user.id, address).await?)
            }
            None => (login.to_owned(), false),
        };
        let caller = Caller { account: &account, address: from, is_known };
        self.try_password(caller)
    }
}
