//! Users, as a store keeps them.

use async_trait::async_trait;

use crate::accounts::{self, Credentials, PasswordHash, SettingsChange, User, UserSettings};
use crate::clock::Timestamp;
use crate::error::StoreError;
use crate::ids::{AppId, UserId};
use crate::sessions::Actor;

/// A user who changes.
#[derive(Debug, Clone)]
pub struct UpdateUser {
    /// Who, by themselves.
    pub actor: Actor,
    /// What.
    pub change: UserChange,
    /// The present.
    pub now: Timestamp,
}

/// What of a user is to be different, in the form that is stored; nothing where it stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UserChange {
    /// What people see.
    pub display_name: Option<String>,
    /// Given name, or none.
    pub first_name: Option<Option<String>>,
    /// Family name, or none.
    pub last_name: Option<Option<String>>,
    /// Where a picture is, or none.
    pub avatar_url: Option<Option<String>>,
    /// What others see of them.
    pub settings: SettingsChange,
}

/// Users.
#[async_trait]
pub trait AccountStore: Send + Sync + 'static {
    /// Stores a new user and the event of it at position 1 of the user's own stream.
    ///
    /// # Errors
    /// [`accounts::Error::UsernameTaken`], [`accounts::Error::EmailTaken`]: of two at once one wins.
    async fn insert_user(&self, user: &User, password: &PasswordHash) -> Result<(), accounts::Error>;

    /// Changes a user, with an event of their own stream; gives the user as it is then. What is so already is nothing.
    ///
    /// # Errors
    /// [`accounts::Error::SessionEnded`].
    async fn update_user(&self, update: UpdateUser) -> Result<User, accounts::Error>;

    /// A user of the app.
    async fn find_user(&self, app: AppId, id: UserId) -> Result<Option<User>, StoreError>;

    /// Users of the app: each of the words, of which there is one at least, is the beginning of a word of their names.
    /// Of more than [`USERS_LOOKED_AT_MAX`](crate::limits::USERS_LOOKED_AT_MAX) who have the rarest of them some. Whose
    /// username it is is always among them.
    async fn search_users(
        &self,
        app: AppId,
        words: Vec<String>,
        username: String,
    ) -> Result<Vec<User>, StoreError>;

    /// A user by username or e-mail address, both in lower case. A username never has an `@`.
    async fn find_credentials(&self, app: AppId, login: &str) -> Result<Option<Credentials>, StoreError>;

    /// Everybody who would not be seen typing, or being here, of every app.
    async fn list_hidden(&self) -> Result<Vec<(UserId, UserSettings)>, StoreError>;

    /// When users were last here, which no event tells of. An earlier moment than is known changes nothing, unless what
    /// is known is still to come: then a clock was wrong.
    async fn set_last_seen(&self, seen: Vec<(UserId, Timestamp)>, now: Timestamp) -> Result<(), StoreError>;

    /// The hash of a user's password; none where there is no user, or none who logs in with one.
    async fn find_password(&self, id: UserId) -> Result<Option<PasswordHash>, StoreError>;
}
