//! A new password: whoever knew the old one is out.

use std::net::IpAddr;

use crate::ports::store::PasswordChange;
use crate::services::Services;
use crate::sessions::{Actor, revoked_until};

use super::Error;
use super::check::check_new_password;
use super::guard::{Attempt, Caller};

impl Services {
    /// Puts a new password in the place of the present one, and ends the actor's other sessions in the same commit.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a new one that breaks rules, [`Error::WrongPassword`], also for one that was changed
    /// meanwhile; [`Error::TooManyTries`].
    pub async fn change_password(
        &self,
        actor: &Actor,
        current: String,
        new: String,
        from: IpAddr,
    ) -> Result<(), Error> {
        check_new_password(&new, &self.limits).map_err(Error::Invalid)?;
        // Over-long input cannot be right; hashing it would only cost.
        if current.chars().count() > self.limits.password_chars_max {
            return Err(Error::WrongPassword);
        }
        let known = self.store.find_password(actor.user).await?;
        // Who is logged in guesses for themselves, and keeps nobody out.
        let caller = Caller { account: &actor.user.to_string(), address: from, is_known: true };
        let attempt = match self.rates {
            Some(_) => self.try_password(caller)?,
            None => Attempt::default(),
        };
        match self.passwords.verify(current, known.clone()).await {
            Ok(true) => self.login_guard.succeed(attempt),
            Ok(false) => return Err(Error::WrongPassword),
            Err(error) => {
                self.login_guard.cancel(attempt);
                return Err(error);
            }
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
