//! Users.

use tidings_core::accounts::{Register, SettingsChange, UpdateUser, User, UserSettings};
use tidings_protocol::accounts as wire;

use super::moment;

/// A user as others see them.
pub fn user(user: &User) -> wire::User {
    let last_seen_at = user.last_seen_at.filter(|_| user.settings.presence);
    wire::User { last_seen_at: moment(last_seen_at), ..as_they_are(user) }
}

fn as_they_are(user: &User) -> wire::User {
    wire::User {
        id: user.id.to_string(),
        username: user.username.clone(),
        display_name: user.display_name.clone(),
        first_name: user.first_name.clone(),
        last_name: user.last_name.clone(),
        avatar_url: user.avatar_url.clone(),
        last_seen_at: moment(user.last_seen_at),
    }
}

/// A user as they see themselves.
pub fn me(me: &User) -> wire::Me {
    wire::Me {
        user: as_they_are(me),
        email: me.email.clone(),
        external_id: me.external_id.clone(),
        settings: settings(me.settings),
    }
}

/// People who were found.
pub fn user_list(users: &[User]) -> wire::UserList {
    wire::UserList { users: users.iter().map(user).collect() }
}

/// A change of one's own account.
pub fn update_me(request: wire::UpdateMeRequest) -> UpdateUser {
    UpdateUser {
        display_name: request.display_name,
        first_name: request.first_name,
        last_name: request.last_name,
        avatar_url: request.avatar_url,
        settings: request.settings.as_ref().map_or_else(SettingsChange::default, settings_change),
    }
}

fn settings(settings: UserSettings) -> wire::UserSettings {
    let UserSettings { read_receipts, typing, presence } = settings;
    wire::UserSettings { read_receipts, typing, presence }
}

fn settings_change(change: &wire::UpdateSettings) -> SettingsChange {
    let wire::UpdateSettings { read_receipts, typing, presence } = *change;
    SettingsChange { read_receipts, typing, presence }
}

/// A registration.
pub fn register(request: wire::RegisterRequest) -> Register {
    Register {
        username: request.username,
        password: request.password.0,
        email: request.email,
        display_name: request.display_name,
        first_name: request.first_name,
        last_name: request.last_name,
    }
}
