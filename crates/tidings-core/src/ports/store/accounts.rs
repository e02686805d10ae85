//! Users, as a store keeps them.

use async_trait::async_trait;

use crate::accounts::{self, Credentials, PasswordHash, User};
use crate::error::StoreError;
use crate::ids::{AppId, UserId};

/// Users.
#[async_trait]
pub trait AccountStore: Send + Sync + 'static {
    /// Stores a new user and the event of it at position 1 of the user's own stream.
    ///
    /// # Errors
    /// [`accounts::Error::UsernameTaken`], [`accounts::Error::EmailTaken`]: of two at once one wins.
    async fn insert_user(&self, user: &User, password: &PasswordHash) -> Result<(), accounts::Error>;

    /// A user of the app.
    async fn find_user(&self, app: AppId, id: UserId) -> Result<Option<User>, StoreError>;

    /// A user by username or e-mail address, both in lower case. A username never has an `@`.
    async fn find_credentials(&self, app: AppId, login: &str) -> Result<Option<Credentials>, StoreError>;

    /// The hash of a user's password; none where there is no user, or none who logs in with one.
    async fn find_password(&self, id: UserId) -> Result<Option<PasswordHash>, StoreError>;
}
