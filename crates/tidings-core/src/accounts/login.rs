//! Log in with a username or an e-mail address.

use crate::ids::AppId;
use crate::services::Services;
use crate::sessions::SignedIn;

use super::Error;
use super::check::check_device;

impl Services {
    /// A new session for who knows the password. `device` is a name for the list of sessions.
    ///
    /// # Errors
    /// [`Error::BadCredentials`] for an unknown login and a wrong password alike.
    pub async fn login(
        &self,
        login: &str,
        password: String,
        device: Option<String>,
    ) -> Result<SignedIn, Error> {
        let device = check_device(device, &self.limits).map_err(Error::Invalid)?;
        // Over-long input cannot be right; hashing it would only cost.
        if login.len() > self.limits.email_bytes_max
            || password.chars().count() > self.limits.password_chars_max
        {
            return Err(Error::BadCredentials);
        }
        let credentials = self.store.find_credentials(AppId::DEFAULT, &login.to_lowercase()).await?;
        let hash = credentials.as_ref().map(|found| found.password_hash.clone());
        let matches = self.passwords.verify(password, hash).await?;
        let Some(credentials) = credentials.filter(|_| matches) else { return Err(Error::BadCredentials) };
        self.sign_in(credentials.user, device, Some(credentials.password_hash)).await
    }
}
