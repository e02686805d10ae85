//! Users and how they come to be: register, log in, look each other up.

mod change_password;
mod check;
mod guard;
mod login;
mod password;
mod register;
mod search;
mod update;
mod users;

use std::borrow::Cow;

pub(crate) use guard::LoginGuard;
pub use password::{PasswordHash, Passwords};
pub use register::Register;
pub use search::{words, words_of};
pub use update::UpdateUser;

use crate::clock::Timestamp;
use crate::error::{Code, FieldError, Refusal, StoreError, code_of};
use crate::ids::{AppId, UserId};

/// A person's account, as others may see it; `email`, `external_id` and `settings` are for the person alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The account.
    pub id: UserId,
    /// The tenant it belongs to.
    pub app: AppId,
    /// The id that a host product knows this person by.
    pub external_id: Option<String>,
    /// Unique within the app, lower case.
    pub username: String,
    /// Unique within the app, lower case.
    pub email: Option<String>,
    /// Given name.
    pub first_name: Option<String>,
    /// Family name.
    pub last_name: Option<String>,
    /// What people see; the username where nothing else was said.
    pub display_name: String,
    /// Where a picture is.
    pub avatar_url: Option<String>,
    /// When the account was made.
    pub created_at: Timestamp,
    /// When the person was last here, if it is known.
    pub last_seen_at: Option<Timestamp>,
    /// For the person alone.
    pub settings: UserSettings,
}

/// What somebody has chosen for themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UserSettings {
    /// Others see how far they have read and received.
    pub read_receipts: bool,
    /// Others see that they are writing.
    pub typing: bool,
    /// Others see whether they are here, and when they were last.
    pub presence: bool,
}

/// Which settings are to be different, and how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SettingsChange {
    /// Others see how far they have read and received.
    pub read_receipts: Option<bool>,
    /// Others see that they are writing.
    pub typing: Option<bool>,
    /// Others see whether they are here, and when they were last.
    pub presence: Option<bool>,
}

impl UserSettings {
    /// With what is to be different.
    #[must_use]
    pub fn changed(self, change: SettingsChange) -> Self {
        Self {
            read_receipts: change.read_receipts.unwrap_or(self.read_receipts),
            typing: change.typing.unwrap_or(self.typing),
            presence: change.presence.unwrap_or(self.presence),
        }
    }
}

impl Default for UserSettings {
    fn default() -> Self {
        Self { read_receipts: true, typing: true, presence: true }
    }
}

/// A user and the hash of the password, for logging in.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// Who logs in.
    pub user: User,
    /// What the password must match.
    pub password_hash: PasswordHash,
}

/// Why an account could not be made, entered or found.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// Fields break rules.
    #[error("fields break rules")]
    Invalid(Vec<FieldError>),
    /// Somebody has this username.
    #[error("the username is taken")]
    UsernameTaken,
    /// Somebody has this e-mail address.
    #[error("the e-mail address is taken")]
    EmailTaken,
    /// Unknown login or wrong password.
    #[error("login or password is wrong")]
    BadCredentials,
    /// Not the present password, of one who wants another.
    #[error("the current password is wrong")]
    WrongPassword,
    /// The session that asks has ended.
    #[error("the session has ended")]
    SessionEnded,
    /// There is no such user in the asker's app.
    #[error("there is no such user")]
    NotFound,
    /// Too many passwords were tried: again in so many milliseconds.
    #[error("too many passwords were tried")]
    TooManyTries(u64),
    /// Too many password checks are waiting.
    #[error("too many password checks are waiting")]
    Overloaded,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Refusal for Error {
    fn code(&self) -> Code {
        match self {
            Self::Invalid(fields) => code_of(fields),
            Self::UsernameTaken => Code::UsernameTaken,
            Self::EmailTaken => Code::EmailTaken,
            Self::BadCredentials => Code::BadCredentials,
            Self::WrongPassword => Code::WrongPassword,
            Self::SessionEnded => Code::SessionEnded,
            Self::NotFound => Code::NotFound,
            Self::TooManyTries(_) => Code::RateLimited,
            Self::Overloaded => Code::Overloaded,
            Self::Store(error) => error.code(),
        }
    }

    fn detail(&self) -> Cow<'static, str> {
        match self {
            Self::Invalid(_) => "See errors: each names a field and what it may be.".into(),
            Self::UsernameTaken => "Choose another username.".into(),
            Self::EmailTaken => "Log in with it, or use another address.".into(),
            Self::BadCredentials => "Check both and try again.".into(),
            Self::WrongPassword => "Send the present password as currentPassword.".into(),
            Self::SessionEnded => "Log in again.".into(),
            Self::NotFound => "There is no such user.".into(),
            Self::TooManyTries(_) => "Too many wrong passwords. Wait, then try again.".into(),
            Self::Overloaded => "Too many people are logging in. Try again in a moment.".into(),
            Self::Store(error) => error.detail(),
        }
    }

    fn fields(&self) -> &[FieldError] {
        match self {
            Self::Invalid(fields) => fields,
            _ => &[],
        }
    }

    fn retry_after_ms(&self) -> Option<u64> {
        match self {
            Self::TooManyTries(ms) => Some(*ms),
            _ => None,
        }
    }
}
