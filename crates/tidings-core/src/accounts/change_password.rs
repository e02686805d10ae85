//! A new password: whoever knew the old one is out.

use crate::ports::store::PasswordChange;
use crate::services::Services;
use crate::sessions::{Actor, revoked_until};

use super::Error;
use super::check::check_new_password;

impl Services {
    /// Puts a new password in the place of the present one, and ends the actor's other sessions in the same commit.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a new one that breaks rules, [`Error::WrongPassword`], also for one that was changed
    /// meanwhile; [`Error::TooManyTries`].
    pub async fn change_password(&self, actor: &Actor, current: String, new: String) -> Result<(), Error> {
        check_new_password(&new, &self.limits).map_err(Error::Invalid)?;
        // Over-long input cannot be right; hashing it would only cost.
        if current.chars().count() > self.limits.password_chars_max {
            return Err(Error::WrongPassword);
        }
        let known = self.store.find_password(actor.user).await?;
        let attempt = match self.rates {
            Some(_) => self
                .login_guard
                .begin_own(actor.session, self.clock.now())
                .map_err(|wait_ms| self.delayed(wait_ms))?,
            None => self.login_guard.uncounted(),
        };
        if !self.check_password(attempt, current, known.clone()).await? {
            return Err(Error::WrongPassword);
        }
        let Some(known) = known else { return Err(Error::WrongPassword) };
        let new = self.passwords.hash(new).await?;
        let now = self.clock.now();
        let change = PasswordChange { actor: *actor, known, new, now, tokens_until: revoked_until(now) };
        let ended = self.store.change_password(change).await?;
        self.note_ended(ended, now);
        Ok(())
    }
}
